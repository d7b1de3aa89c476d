"""A teacher as a judge's model: batches of conversations, with the likeliest tokens in every place."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any

from factory.core import FactoryError, Interrupted, Resources
from factory.models.endpoint import Endpoint, PromptRefused, opened_endpoint
from factory.models.event_loop import LoopThread, all_or_first_fatal
from factory.models.spending_caps import SpendingCaps
from factory.models.vllm_process import BatchEngine
from factory.teachers.chat import schema_format
from factory.teachers.http import Http
from factory.teachers.vllm import Vllm
from factory.teachers.vllm_engine import structured_output
from verifiers.judge.model import JudgeCompletion, Model, Sampling, TokenLogprobs

__all__ = ["JudgeStopped", "opened_judge"]

Conversation = Sequence[Mapping[str, str]]


class JudgeStopped(Exception):
    """A batch that was broken off: what was answered by then is paid for."""

    def __init__(self, answers: Sequence[JudgeCompletion | None], cause: FactoryError) -> None:
        """`answers` in the order of the questions, null where there is none."""
        super().__init__(str(cause))
        self.answers, self.cause = answers, cause


@contextmanager
def opened_judge(teacher: Vllm | Http, *, resources: Resources, caps: SpendingCaps) -> Iterator[Model]:
    """Loads the model, or connects, for as long as the context lasts.

    A conversation that the model cannot take is answered with an empty text, which no verdict can be read
    from. Behind an endpoint the caps hold as for a teacher, and the model raises JudgeStopped with its cause:
    Busy when the same batch may be tried again, Refused when it takes no requests, BudgetSpent at a cap.
    """
    if isinstance(teacher, Http):
        with LoopThread("judge") as loop:
            stack = AsyncExitStack()
            try:
                connecting = stack.enter_async_context(
                    opened_endpoint(resources, who=f"judge '{teacher.name}'")
                )
                judge = _HttpJudge(teacher, loop.run(connecting), caps)
                yield lambda conversations, how: loop.run(judge.answer(conversations, how))
            finally:
                loop.close_with(stack.aclose())
        return
    # A judge asks for the likeliest tokens in every place: as many as vLLM allows by itself.
    with teacher.batch_engine(resources=resources, defaults={"enable_prefix_caching": True}) as engine:
        yield lambda conversations, how: _said(engine, teacher, conversations, how)


def _said(
    engine: BatchEngine, teacher: Vllm, conversations: Sequence[Conversation], how: Sampling
) -> list[JudgeCompletion]:
    from vllm import SamplingParams
    from vllm.platforms import current_platform
    from vllm.sampling_params import RequestOutputKind

    context, tokenizer = engine.context, engine.tokenizer
    # The template has put the special tokens into the text already.
    prompts = [
        tokenizer.encode(teacher.rendered(tokenizer, one), add_special_tokens=False) for one in conversations
    ]
    asked = [place for place, tokens in enumerate(prompts) if len(tokens) < context]
    parameters = [
        SamplingParams(
            temperature=how.temperature,
            top_p=how.top_p,
            max_tokens=min(how.max_tokens, context - len(prompts[place])),
            # A generator of its own crashes the processor's sampler.
            seed=None if current_platform.is_cpu() else how.seed,
            logprobs=how.logprobs,
            structured_outputs=structured_output({"choice": list(how.choices)} if how.choices else None),
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        for place in asked
    ]
    answers = [JudgeCompletion("")] * len(conversations)
    if asked:
        outputs = engine.generate([prompts[place] for place in asked], parameters)
        for place, output in zip(asked, outputs, strict=True):
            answers[place] = _judgement(output.outputs[0])
    return answers


def _judgement(made: Any) -> JudgeCompletion:
    tokens = []
    for chosen, places in zip(made.token_ids, made.logprobs or (), strict=False):
        likeliest = [(one.decoded_token or "", one.logprob) for one in places.values()]
        tokens.append(TokenLogprobs(places[chosen].decoded_token or "", _merged(likeliest)))
    return JudgeCompletion("".join(token.text for token in tokens) or made.text, tuple(tokens))


def _merged(likeliest: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Log probability by text: two tokens that read alike count together."""
    merged: dict[str, float] = {}
    for text, logprob in likeliest:
        if text not in merged:
            merged[text] = logprob
        elif max(merged[text], logprob) > -math.inf:
            top, low = max(merged[text], logprob), min(merged[text], logprob)
            merged[text] = top + math.log1p(math.exp(low - top))
    return merged


class _HttpJudge:
    """A judge behind its connected endpoint."""

    def __init__(self, teacher: Http, endpoint: Endpoint, caps: SpendingCaps) -> None:
        self._teacher, self._endpoint, self._caps = teacher, endpoint, caps
        self._slots = asyncio.Semaphore(endpoint.slots)

    async def answer(self, conversations: Sequence[Conversation], how: Sampling) -> list[JudgeCompletion]:
        """All answers, in order. Raises JudgeStopped where one cannot be had."""
        asked = [asyncio.create_task(self._ask(conversation, how)) for conversation in conversations]
        try:
            await all_or_first_fatal(asked)
        except (FactoryError, asyncio.CancelledError) as error:
            done = [task.done() and not task.cancelled() and task.exception() is None for task in asked]
            cause = error if isinstance(error, FactoryError) else Interrupted("the run was interrupted")
            raise JudgeStopped(
                [task.result() if ended else None for task, ended in zip(asked, done, strict=True)], cause
            ) from error
        finally:
            for task in asked:
                task.cancel()
        return [task.result() for task in asked]

    async def _ask(self, conversation: Conversation, how: Sampling) -> JudgeCompletion:
        texts = [message["content"] for message in conversation]
        size = sum(len(text.encode("utf-8", "replace")) for text in texts)
        async with self._slots:
            reserved = await self._caps.reserve(prompt_bytes=size, max_tokens=how.max_tokens)
            prompt_tokens = completion_tokens = 0
            try:
                got = await self._endpoint.ask(
                    self._body(conversation, how),
                    _reported,
                    characters=sum(map(len, texts)),
                    max_tokens=how.max_tokens,
                )
                if isinstance(got, PromptRefused):
                    return JudgeCompletion("")
                prompt_tokens, completion_tokens = got.prompt_tokens, got.completion_tokens
                return got.value
            finally:
                self._caps.settle(reserved, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)

    def _body(self, conversation: Conversation, how: Sampling) -> dict[str, Any]:
        teacher = self._teacher
        body: dict[str, Any] = {
            "model": teacher.model,
            "messages": [dict(message) for message in conversation],
            "temperature": how.temperature,
            "top_p": how.top_p,
            "logprobs": True,
            "top_logprobs": how.logprobs,
            "extra_body": dict(teacher.extra_body),
            teacher.token_limit: how.max_tokens,
        }
        if how.choices:
            body |= schema_format(_schema(how.choices))
        return body | ({"seed": how.seed} if teacher.seeded else {})


def _schema(choices: Sequence[str]) -> dict[str, Any]:
    """What an endpoint that knows JSON schemas, but no choices, is told."""
    objects = [json.loads(choice) for choice in choices]
    [key] = objects[0]
    return {
        "type": "object",
        "properties": {key: {"enum": [one[key] for one in objects]}},
        "required": [key],
        "additionalProperties": False,
    }


def _reported(answer: Any) -> JudgeCompletion:
    """The text and its tokens; an endpoint without probabilities gives the text alone."""
    choice = answer.choices[0]
    content = getattr(choice.logprobs, "content", None) or ()
    if not content:
        return JudgeCompletion(choice.message.content or "")
    tokens = tuple(
        TokenLogprobs(one.token, _merged([(t.token, t.logprob) for t in one.top_logprobs])) for one in content
    )
    return JudgeCompletion("".join(token.text for token in tokens), tokens)
