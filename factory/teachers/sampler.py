"""Draws the completions that are missing, and journals each the moment it is finished."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from factory.core import Busy, Resources
from factory.models.event_loop import LoopThread, all_or_first_fatal
from factory.models.spending_caps import SpendingCaps
from factory.teachers.base import Completion, LiveTeacher, Request, Teacher, TeacherDown
from factory.teachers.journal import Journal, Notebook, batch_group

__all__ = ["Drawn", "Sampler"]

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Drawn:
    """One completion per request, in the order of the requests, and what they cost."""

    completions: tuple[Completion, ...]
    spent: dict[str, int]
    """`completions_drawn`, `completions_reused`, `completions_unseeded`, `prompt_tokens`, `completion_tokens`
    of what was drawn now, `code_runs` where code was run, `micro_dollars` where there is a price;
    `completions_duplicated` where the journal holds a request twice."""


class Sampler:
    """One teacher for any number of threads at the same time, opened when it is first needed."""

    def __init__(
        self, teacher: Teacher, *, resources: Resources, journal: Journal, fence: Callable[[], None]
    ) -> None:
        """The caps of `resources` hold for all that is in the journal; `fence` raises before a completion is
        paid for that is another run's to pay."""
        self._fence = fence
        self._caps = SpendingCaps(
            resources,
            prompt_tokens=journal.prompt_tokens,
            completion_tokens=journal.completion_tokens,
            requests=teacher.most_requests,
        )
        self._teacher = teacher
        self._resources = resources
        self._journal = journal
        self._loop = LoopThread("teacher")
        self._opening = asyncio.Lock()
        self._slots: asyncio.Semaphore | None = None
        self._live: LiveTeacher | None = None
        self._context: AbstractAsyncContextManager[LiveTeacher] | None = None
        # What is under way now: the same problem in two batches is drawn once.
        self._under_way: dict[Key, asyncio.Task[Completion]] = {}

    def __enter__(self) -> Sampler:
        self._loop.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._loop.close_with(self._close())
        finally:
            self._loop.__exit__(*exc)

    def draw(self, requests: Sequence[Request], *, group: str | None = None) -> Drawn:
        """Answer all requests of one batch; blocks the calling thread alone.

        `group` names the batch in the journal where its requests come in several calls. Raises what the
        teacher raises, after the requests under way have ended where a retry can use them; all that was
        finished is in the journal by then.
        """
        group = group or batch_group(dict.fromkeys(r.problem for r in requests))
        self._journal.look_again(group)
        answers: dict[Key, Completion] = {}
        missing: dict[Key, Request] = {}
        for request in requests:
            key = (request.problem, request.sample_index)
            found = self._journal.find(*key)
            if found is None:
                missing[key] = request
            else:
                answers[key] = found
        if missing:
            with self._journal.notebook(group) as notebook:
                answers |= self._loop.run(self._draw_all(missing, notebook))
        completions = tuple(answers[r.problem, r.sample_index] for r in requests)
        return Drawn(completions, self._spent(answers))

    async def _draw_all(self, missing: dict[Key, Request], notebook: Notebook) -> dict[Key, Completion]:
        shared = {key: task for key in missing if (task := self._under_way.get(key))}
        # Another batch may have finished one between the look into the journal and now.
        late = {key: found for key in missing if key not in shared and (found := self._journal.find(*key))}
        own = {
            key: asyncio.create_task(self._draw(request, notebook))
            for key, request in missing.items()
            if key not in shared and key not in late
        }
        self._under_way |= own
        try:
            await all_or_first_fatal(own.values())
            # A shared draw is accounted for by the batch that began it.
            others = {key: await _shared(task) for key, task in shared.items()}
        finally:
            for key, task in own.items():
                task.cancel()
                del self._under_way[key]
        free = {key: replace(completion, paid=False) for key, completion in others.items()}
        return {key: task.result() for key, task in own.items()} | free | late

    async def _draw(self, request: Request, notebook: Notebook) -> Completion:
        live, slots = await self._opened()
        async with slots:
            self._fence()
            size = sum(len(m["content"].encode("utf-8", "replace")) for m in request.messages)
            reserved = await self._caps.reserve(prompt_bytes=size, max_tokens=request.sampling.max_tokens)
            paid = None
            try:
                completion = await live.complete(request)
                paid = completion if completion.paid else None
                if completion.paid and completion.error is None:
                    notebook.write(request.problem, request.sample_index, completion)
            except TeacherDown as error:
                await self._drop(live)
                raise Busy(str(error)) from error
            finally:
                self._caps.settle(
                    reserved,
                    prompt_tokens=paid.all_prompt_tokens if paid else 0,
                    completion_tokens=(paid.completion_tokens or 0) if paid else 0,
                )
        return completion

    async def _opened(self) -> tuple[LiveTeacher, asyncio.Semaphore]:
        async with self._opening:
            if self._live is None or self._slots is None:
                context = self._teacher.open(self._resources)
                self._live = await context.__aenter__()
                self._context = context
                self._slots = asyncio.Semaphore(self._resources.max_in_flight or self._live.slots)
            return self._live, self._slots

    async def _drop(self, live: LiveTeacher) -> None:
        async with self._opening:
            if self._live is live:
                await self._close()

    async def _close(self) -> None:
        context, self._context, self._live, self._slots = self._context, None, None, None
        if context is not None:
            await context.__aexit__(None, None, None)

    def _spent(self, answers: dict[Key, Completion]) -> dict[str, int]:
        paid = [c for c in answers.values() if c.paid]
        drawn = [c for c in paid if c.error is None]
        spent = {
            "completions_drawn": len(drawn),
            "completions_reused": sum(not c.paid and c.error is None for c in answers.values()),
            "completions_unseeded": sum(not c.seeded for c in drawn),
            "prompt_tokens": sum(c.all_prompt_tokens for c in paid),
            "completion_tokens": sum(c.completion_tokens or 0 for c in paid),
        }
        runs = sum(s.type == "output" for c in drawn for s in c.segments or ())
        spent |= {"code_runs": runs} if runs else {}
        price = self._resources.price
        if price is not None:
            spent["micro_dollars"] = price.micro_dollars(spent["prompt_tokens"], spent["completion_tokens"])
        doubles = len(self._journal.duplicates & answers.keys())
        return spent | ({"completions_duplicated": doubles} if doubles else {})


async def _shared(task: asyncio.Task[Completion]) -> Completion:
    await asyncio.wait([task])
    if task.cancelled():
        raise Busy("the batch that was drawing this completion for another batch too has stopped")
    return task.result()
