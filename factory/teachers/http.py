"""The teacher behind an endpoint that speaks the OpenAI chat protocol, on one replica or several."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from factory.core import Busy, Refused, Resources
from factory.models.endpoint_clients import FORBIDDEN, OVERLOADED, api_key, clients_of, retry_after_s
from factory.models.rate_control import Pace, Pool, Rate
from factory.teachers.base import (
    Completion,
    FinishReason,
    LiveTeacher,
    Request,
    Teacher,
    split_reasoning,
)
from factory.teachers.chat import request_body, require_continued, schema_format, stop_text, token_logprobs

__all__ = ["Http", "schema_format"]

_TIMEOUT_S = 1200.0
_PATIENCE_S = 600.0
"""Time without one answer from any replica after which a request is given up, in seconds."""
_MOST_AT_ONCE = 256
_HOPELESS = 16
"""Refused prompts, with not one answered, after which it is the parameters and not the prompts."""
_CHARACTERS_PER_TOKEN = 4.0


class Http(Teacher):
    """A model behind any OpenAI-compatible endpoint.

    Address, key and limits are run options: `base_url`, `api_key_env`, `requests_per_minute`,
    `tokens_per_minute`, `max_in_flight`, `timeout_s` of one request, `retries`.
    """

    type: Literal["http"] = "http"
    model: str
    """Name of the model at the endpoint."""
    revision: str | None = None
    """Which state of the model answers, in words of your own: nobody else can tell two apart."""
    label: str | None = None
    """Name that completions carry; null: the model's name."""
    seeded: bool = False
    """Whether the endpoint makes a text a function of the request's seed; then the seed is sent."""
    token_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the endpoint calls the limit on completion tokens."""
    extra_body: Mapping[str, Any] = Field(default_factory=dict)
    """More fields of the request, e.g. `{reasoning_effort: high}`."""
    reasoning_tags: tuple[str, str] | None = ("<think>", "</think>")
    """Tags around thinking inside the content, where the endpoint does not give it apart; null: none."""

    @property
    def name(self) -> str:
        """The label, or the model's name."""
        return self.label or self.model

    def identity(self) -> dict[str, Any]:
        """The fields: an endpoint's address is none of them."""
        return self.model_dump(mode="json", exclude={"label", "token_limit"})

    @asynccontextmanager
    async def open(self, resources: Resources) -> AsyncIterator[LiveTeacher]:
        """Connect. Raises PipelineError when no address is given or the key's variable is not set."""
        key, who = api_key(resources.api_key_env), f"teacher '{self.name}'"
        clients = clients_of(resources, key=key, timeout_s=_TIMEOUT_S, who=who)
        most = resources.max_in_flight or _MOST_AT_ONCE
        async with AsyncExitStack() as stack:
            replicas = [(await stack.enter_async_context(client), Pace(most=most)) for client in clients]
            yield _Endpoint(self, Pool(replicas), resources=resources, key=key, slots=most * len(clients))


@dataclass(frozen=True, slots=True)
class _Setback:
    """An attempt that gave no answer but says nothing against the request."""

    message: str
    overloaded: bool
    retry_after_s: float | None = None


class _Endpoint:
    """Connected replicas."""

    def __init__(self, teacher: Http, pool: Pool[Any], *, resources: Resources, key: str, slots: int) -> None:
        workers = resources.workers or 1
        self.slots = slots
        self._teacher = teacher
        self._pool = pool
        self._key = key
        self._retries = resources.retries
        self._requests = Rate(_share(resources.requests_per_minute, workers))
        self._tokens = Rate(_share(resources.tokens_per_minute, workers))
        self._mean_tokens: float | None = None
        self._answered_at = time.monotonic()
        self._answers = 0
        self._hopeless = 0

    async def complete(self, request: Request) -> Completion:
        """Ask until there is an answer; what one replica keeps too long is asked of another."""
        began, failures, avoid = time.monotonic(), 0, None
        while True:
            await self._requests.take()
            guess = self._guess(request)
            await self._tokens.take(guess)
            client, pace = await self._pool.take(avoid=avoid)
            try:
                got = await self._attempt(client, pace, request)
            finally:
                await self._pool.give_back(pace)
            if isinstance(got, Completion):
                self._tokens.correct((got.prompt_tokens or 0) + (got.completion_tokens or 0) - guess)
                return got
            self._tokens.correct(-guess)
            waited_s = time.monotonic() - max(began, self._answered_at)
            failures += not got.overloaded
            if failures > self._retries or waited_s > _PATIENCE_S:
                raise Busy(f"teacher '{self._teacher.name}': {got.message}", retry_after_s=got.retry_after_s)
            avoid = None if got.overloaded else client

    async def _attempt(self, client: Any, pace: Pace, request: Request) -> Completion | _Setback:
        import openai

        sent_at = time.monotonic()
        try:
            completion = self._completion(
                await client.chat.completions.create(**request_body(self._teacher, request)), request
            )
        except openai.APIStatusError as error:
            return self._refusal(error, pace, sent_at)
        except (openai.APIError, ValueError, TypeError, AttributeError, LookupError) as error:
            # Cut, hung, or not what the protocol says: a proxy's page, half a body.
            pace.failed(sent_at=sent_at)
            return _Setback(self._clean(f"{type(error).__name__}: {error}"), overloaded=False)
        pace.went_well()
        self._answered_at = time.monotonic()
        self._answers += 1
        return completion

    def _refusal(self, error: Any, pace: Pace, sent_at: float) -> Completion | _Setback:
        status, message = error.status_code, self._clean(f"{error.status_code}: {error}")
        if status in FORBIDDEN:
            raise Refused(f"teacher '{self._teacher.name}': {message}")
        if status in OVERLOADED:
            wait_s = retry_after_s(error.response.headers)
            pace.was_refused(sent_at=sent_at, retry_after_s=wait_s)
            return _Setback(message, overloaded=True, retry_after_s=wait_s)
        if status >= 500 or status in (408, 409):
            pace.failed(sent_at=sent_at)
            return _Setback(message, overloaded=False)
        pace.went_well()
        self._answered_at = time.monotonic()
        self._hopeless += 1
        if self._answers == 0 and self._hopeless >= _HOPELESS:
            raise Refused(
                f"teacher '{self._teacher.name}' refuses every request, the last one with {message}; check "
                "the sampling parameters and `extra_body`"
            )
        return self._error({"message": message})

    def split(self, turn: str, request: Request) -> tuple[str | None, str]:
        """Thinking and answer of a whole turn, by the teacher's tags."""
        tags = self._teacher.reasoning_tags
        return (None, turn) if tags is None else split_reasoning(turn, tags=tags)

    def _completion(self, answer: Any, request: Request) -> Completion:
        choice, usage = answer.choices[0], answer.usage
        if choice.finish_reason not in ("stop", "length"):
            if choice.finish_reason is None:
                raise ValueError("the answer has no finish_reason")
            return self._error({"message": f"finish_reason {choice.finish_reason}"})
        finish: FinishReason = choice.finish_reason
        said = choice.message
        more = said.model_extra or {}
        reasoning, content = more.get("reasoning_content") or more.get("reasoning"), said.content or ""
        if not isinstance(content, str) or not isinstance(reasoning, str | None):
            raise ValueError("the answer's content is not text")
        if request.prefix is not None:
            require_continued(choice, reasoning, who=self._teacher.name)
        elif reasoning is None:
            reasoning, content = self.split(content, request)
        spent = int(usage.completion_tokens)
        self._mean_tokens = spent if self._mean_tokens is None else 0.95 * self._mean_tokens + 0.05 * spent
        return Completion(
            teacher=self._teacher.name,
            reasoning_content=reasoning,
            content=content,
            finish_reason=finish,
            prompt_tokens=int(usage.prompt_tokens),
            completion_tokens=spent,
            seeded=self._teacher.seeded,
            logprobs=token_logprobs(choice, who=self._teacher.name) if request.sampling.logprobs else None,
            stopped_by=stop_text(choice),
        )

    def _error(self, detail: Mapping[str, Any]) -> Completion:
        return Completion(self._teacher.name, "", "error", paid=False, error="teacher_error", detail=detail)

    def _guess(self, request: Request) -> float:
        """Tokens that the request will cost, as far as one can tell before."""
        characters = sum(len(m["content"]) for m in request.messages) + len(request.prefix or "")
        prompt = characters / _CHARACTERS_PER_TOKEN
        return prompt + (
            self._mean_tokens if self._mean_tokens is not None else request.sampling.max_tokens or 0
        )

    def _clean(self, message: str) -> str:
        # Some endpoints repeat the key that they refuse.
        return " ".join(message.replace(self._key, "***").split())[:500]


def _share(cap: int | None, workers: int) -> float | None:
    return None if cap is None else cap / workers
