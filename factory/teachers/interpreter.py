"""A code interpreter in the teacher's turn: what it writes is run, and it goes on after what that printed."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, model_validator

from factory.core import Resources
from factory.teachers.base import (
    Completion,
    Continuing,
    FinishReason,
    LiveTeacher,
    Request,
    Teacher,
    request_seed,
)
from factory.teachers.cells import Cells, shortened
from factory.teachers.turn import Fences, Turn
from sandbox import Tier

__all__ = ["Hint", "Interpreted", "Interpreter"]

_MOST_SLOTS = 4
_FULL = ("context length", "model length", "max_tokens must be at least")
"""How vLLM's server says that a turn has outgrown the model's context, or fills it to the last token."""


class Hint(BaseModel):
    """A text that is put into the teacher's turn; it is not trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    after_calls: Annotated[int, Field(ge=0)] = 0
    """Code runs after whose output it stands; 0: at the start of the turn."""
    text: Annotated[str, Field(min_length=1)]
    """The text, its line breaks included."""


class Interpreter(BaseModel):
    """Runs each Python block that the teacher writes and puts the output behind it.

    The blocks of a turn share their state: variables stay, and the value of a last expression is shown. The
    turn goes on after a block even where the teacher ended it there. Behind an endpoint the chat template has
    to leave the turn as it is: one that puts an opening tag into the prompt wants that tag as a hint at the
    start, one that cuts thinking out of earlier turns cannot be used.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    version: ClassVar[str] = "1"

    max_calls: Annotated[int, Field(ge=1)] = 15
    """Blocks that are run in one turn; later ones are only text."""
    hints: tuple[Hint, ...] = ()
    """Texts that are put in at given points."""
    last_hint: str = "I have used all code runs; I go on without.\n"
    """Text after the output of the last run; empty: none."""
    opening: Annotated[str, Field(pattern=r"^\S+$")] = "```python"
    """First word of the line that opens a block which is run."""
    closing: Annotated[str, Field(pattern=r"^\S+$")] = "```"
    """Line that closes a block and an output."""
    output_opening: Annotated[str, Field(min_length=1)] = "```output"
    """Line that opens an output."""
    max_output_chars: Annotated[int, Field(ge=100)] = 2000
    """Characters of an output; of a longer one the start and the end stay."""
    cpu_s: Annotated[float, Field(gt=0)] = 6.0
    """CPU seconds of one block. The blocks before it run again for their state; their time comes on top."""
    memory_mb: Annotated[int, Field(ge=64)] = 1024
    """Memory of all blocks of a turn together, in MiB, above what the interpreter needs."""
    packages: tuple[str, ...] = ("numpy", "sympy")
    """Installed packages that blocks must find."""
    min_isolation: Tier = "landlock"
    """The weakest isolation to run blocks in; the strongest that works here is used."""
    allow_unsafe_execution: bool = False
    """Permits the isolation `rlimits`, which keeps nothing hidden."""

    @model_validator(mode="after")
    def _reachable_hints(self) -> Interpreter:
        late = [hint.after_calls for hint in self.hints if hint.after_calls > self.max_calls]
        if late:
            raise ValueError(f"a hint after {late[0]} calls never comes: max_calls is {self.max_calls}")
        return self

    def identity(self) -> dict[str, Any]:
        """All that can change a text, as JSON values."""
        fields = self.model_dump(mode="json", exclude={"min_isolation", "allow_unsafe_execution"})
        return {**fields, "version": self.version}


class Interpreted(Teacher):
    """A teacher whose blocks of code are run."""

    type: Literal["interpreted"] = "interpreted"
    teacher: SerializeAsAny[Teacher]
    """Who answers; one that goes on with a turn."""
    interpreter: Interpreter
    """How its blocks are run."""

    @property
    def name(self) -> str:
        """The name of the teacher who answers."""
        return self.teacher.name

    @property
    def most_requests(self) -> int:
        """One before each run of code, and one after the last."""
        return self.interpreter.max_calls + 1

    def identity(self) -> dict[str, Any]:
        """The identities of both."""
        return {**self.teacher.identity(), "interpreter": self.interpreter.identity()}

    @asynccontextmanager
    async def open(self, resources: Resources) -> AsyncIterator[LiveTeacher]:
        """Start the sandbox, then the teacher. Raises PipelineError where there can be no sandbox."""
        how = self.interpreter
        slots = max(1, min(_MOST_SLOTS, len(os.sched_getaffinity(0))))
        async with (
            Cells.open(
                slots=slots,
                cpu_s=how.cpu_s,
                memory_mb=how.memory_mb,
                packages=how.packages,
                min_isolation=how.min_isolation,
                allow_unsafe_execution=how.allow_unsafe_execution,
            ) as cells,
            self.teacher.open(resources) as live,
        ):
            yield _Interpreting(cast(Continuing, live), how, cells, slots=live.slots + slots)


class _Interpreting:
    """Asks the teacher for one piece of a turn after another."""

    def __init__(self, teacher: Continuing, how: Interpreter, cells: Cells, *, slots: int) -> None:
        self.slots = slots
        self._teacher, self._how, self._cells = teacher, how, cells
        # A turn that Busy broke off goes on where it was: its pieces are paid for.
        self._turns: dict[tuple[str, int], Turn] = {}

    async def complete(self, request: Request) -> Completion:
        """A whole turn. Raises what the teacher raises, and Busy when the sandbox fails."""
        key = (request.problem, request.sample_index)
        turn = self._turns.get(key) or self._begun()
        self._turns[key] = turn
        completion = await self._go_on(turn, request)
        del self._turns[key]
        return completion

    def _begun(self) -> Turn:
        how = self._how
        turn = Turn(Fences(how.opening, how.closing), max_calls=how.max_calls)
        self._hint(turn)
        return turn

    async def _go_on(self, turn: Turn, request: Request) -> Completion:
        while True:
            if turn.block is not None:
                await self._run(turn, request)
            asked = _next(turn, request)
            if asked.sampling.max_tokens == 0:
                return self._whole(turn, request, "length")
            said = await self._teacher.complete(asked)
            if said.error is None:
                if turn.take(said):
                    return self._whole(turn, request, said.finish_reason)
            elif not turn.pieces:
                return said
            elif _context_is_full(said):
                return self._whole(turn, request, "length")
            else:
                return turn.paid_for(said)

    async def _run(self, turn: Turn, request: Request) -> None:
        chance = request_seed(0, request.problem, request.sample_index) or 0
        ran = await self._cells.run(turn.cells(), chance=chance, earlier_cpu_s=turn.cpu_s)
        text = shortened(ran.text, most=self._how.max_output_chars)
        turn.ran(f"{self._how.output_opening}\n{text}\n{self._how.closing}\n", ran)
        self._hint(turn)
        if turn.calls == self._how.max_calls:
            turn.insert("hint", self._how.last_hint)

    def _hint(self, turn: Turn) -> None:
        for hint in self._how.hints:
            if hint.after_calls == turn.calls:
                turn.insert("hint", hint.text)

    def _whole(self, turn: Turn, request: Request, ended: FinishReason) -> Completion:
        reasoning, content = self._teacher.split(turn.text, request)
        return turn.whole(reasoning, content, finish_reason=ended)


def _next(turn: Turn, request: Request) -> Request:
    """The request for the next piece; of the tokens of a turn it has what is left."""
    how, most = request.sampling, request.sampling.max_tokens
    left = None if most is None else max(0, most - turn.completion_tokens)
    stop = how.stop if turn.exhausted else (*how.stop, turn.fences.stop)
    # Pieces that began with the same seed would have the same luck.
    seed = request_seed(request.seed, request.problem, len(turn.pieces)) if turn.pieces else request.seed
    return replace(request, prefix=turn.text, sampling=replace(how, max_tokens=left, stop=stop), seed=seed)


def _context_is_full(said: Completion) -> bool:
    detail = said.detail or {}
    return "context" in detail or any(mark in str(detail.get("message")) for mark in _FULL)
