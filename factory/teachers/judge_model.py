"""A teacher as a judge's model: batches of conversations, with the likeliest tokens in every place."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from factory.core import Busy, Refused, Resources
from factory.models.batch_models import loaded_teacher
from factory.models.endpoint_clients import FORBIDDEN, OVERLOADED, api_key, clients_of, retry_after_s
from factory.models.rate_control import Pace, Pool, Rate
from factory.models.vllm_engine import structured_output
from factory.teachers.http import Http, schema_format
from factory.teachers.loop import LoopThread
from factory.teachers.vllm import Vllm
from verifiers.judge.model import JudgeCompletion, Model, Sampling, TokenLogprobs

__all__ = ["opened_judge"]

Conversation = Sequence[Mapping[str, str]]

_TIMEOUT_S = 600.0
"""One answer of an endpoint, where the run options say nothing."""
_PATIENCE_S = 600.0
"""Time without an answer to a question after which it is given up for this run, in seconds."""
_MOST_AT_ONCE = 64


@contextmanager
def opened_judge(teacher: Vllm | Http, *, resources: Resources) -> Iterator[Model]:
    """Loads the model, or connects, for as long as the context lasts.

    A conversation that the model cannot take is answered with an empty text, which no verdict can be read
    from. The model raises Busy when the same batch may be tried again, Refused when it takes no requests.
    """
    if isinstance(teacher, Http):
        with LoopThread("judge") as loop, _connected(teacher, resources, loop) as model:
            yield model
        return
    with loaded_teacher(teacher, resources=resources, enable_prefix_caching=True) as llm:
        yield lambda conversations, how: _said(llm, teacher, conversations, how)


def _said(
    llm: Any, teacher: Vllm, conversations: Sequence[Conversation], how: Sampling
) -> list[JudgeCompletion]:
    from vllm import SamplingParams, TokensPrompt
    from vllm.platforms import current_platform

    context = llm.model_config.max_model_len
    tokenizer = llm.get_tokenizer()
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
        )
        for place in asked
    ]
    answers = [JudgeCompletion("")] * len(conversations)
    if asked:
        given = [TokensPrompt(prompt_token_ids=prompts[place]) for place in asked]
        for place, output in zip(asked, llm.generate(given, parameters, use_tqdm=False), strict=True):
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


@contextmanager
def _connected(teacher: Http, resources: Resources, loop: LoopThread) -> Iterator[Model]:
    key, who = api_key(resources.api_key_env), f"judge '{teacher.name}'"
    clients = clients_of(resources, key=key, timeout_s=_TIMEOUT_S, who=who)
    most = resources.max_in_flight or _MOST_AT_ONCE
    endpoint = _Endpoint(teacher, Pool([(c, Pace(most=most)) for c in clients]), resources, key=key)
    try:
        yield lambda conversations, how: loop.run(endpoint.answer(conversations, how))
    finally:
        for client in clients:
            loop.run(client.close())


class _Endpoint:
    """Replicas that are asked for judgements."""

    def __init__(self, teacher: Http, pool: Pool[Any], resources: Resources, *, key: str) -> None:
        per_minute = resources.requests_per_minute
        self._teacher, self._pool, self._key = teacher, pool, key
        self._retries = resources.retries
        self._requests = Rate(None if per_minute is None else per_minute / (resources.workers or 1))

    async def answer(self, conversations: Sequence[Conversation], how: Sampling) -> list[JudgeCompletion]:
        """All answers, in order. What cannot be had ends the batch and cancels what is under way."""
        asked = [asyncio.create_task(self._ask(conversation, how)) for conversation in conversations]
        try:
            return list(await asyncio.gather(*asked))
        finally:
            for task in asked:
                task.cancel()

    async def _ask(self, conversation: Conversation, how: Sampling) -> JudgeCompletion:
        began, failures, avoid = time.monotonic(), 0, None
        while True:
            await self._requests.take()
            client, pace = await self._pool.take(avoid=avoid)
            try:
                got = await self._attempt(client, pace, conversation, how)
            finally:
                await self._pool.give_back(pace)
            if isinstance(got, JudgeCompletion):
                return got
            failures += not got.retry_after_s
            if failures > self._retries or time.monotonic() - began > _PATIENCE_S:
                raise got
            avoid = None if got.retry_after_s else client

    async def _attempt(
        self, client: Any, pace: Pace, conversation: Conversation, how: Sampling
    ) -> JudgeCompletion | Busy:
        import openai

        sent_at = time.monotonic()
        try:
            answer = await client.chat.completions.create(**self._body(conversation, how))
            judgement = _reported(answer)
        except openai.APIStatusError as error:
            return self._refusal(error, pace, sent_at)
        except (openai.APIError, ValueError, TypeError, AttributeError, LookupError) as error:
            # Cut, hung, or not what the protocol says: a proxy's page, half a body.
            pace.failed(sent_at=sent_at)
            return self._busy(f"{type(error).__name__}: {error}")
        pace.went_well()
        return judgement

    def _refusal(self, error: Any, pace: Pace, sent_at: float) -> JudgeCompletion | Busy:
        if error.status_code in FORBIDDEN:
            raise Refused(str(self._busy(str(error))))
        if error.status_code in OVERLOADED:
            wait_s = retry_after_s(error.response.headers)
            pace.was_refused(sent_at=sent_at, retry_after_s=wait_s)
            return self._busy(str(error), retry_after_s=wait_s or 0.5)
        if error.status_code >= 500 or error.status_code in (408, 409):
            pace.failed(sent_at=sent_at)
            return self._busy(str(error))
        # The conversation itself is refused: too long, or against a policy.
        pace.went_well()
        return JudgeCompletion("")

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

    def _busy(self, message: str, *, retry_after_s: float | None = None) -> Busy:
        # Some endpoints repeat the key that they refuse.
        clean = " ".join(message.replace(self._key, "***").split())[:500]
        return Busy(f"judge '{self._teacher.name}': {clean}", retry_after_s=retry_after_s)


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
