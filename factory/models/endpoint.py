"""An endpoint that speaks the OpenAI chat protocol, on one replica or several: asked until it answers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from factory.core import Busy, Refused, Resources
from factory.models.endpoint_clients import address_of, api_key, clients_of, reason_of, retry_after_s
from factory.models.rate_control import Pace, Place, Pool, Rate

__all__ = ["Answer", "Endpoint", "PromptRefused", "opened_endpoint"]

T = TypeVar("T")

_OVERLOADED = (429, 503, 529)
"""Statuses of an endpoint that wants less for a while."""
_FORBIDDEN = (401, 403, 404)
"""Statuses of one that answers nothing of ours at all."""
_PATIENCE_S = 600.0
"""Time without one answer from any replica after which a request is given up, in seconds."""
_DEAF_S = 3.0
"""Time in which an endpoint that is there has said something, in seconds: the first requests are repeated
after 0.5, 1 and 2 s."""
_SILENCE_S = 30.0
"""Time without any answer after which a person is told, and told again, in seconds."""
_MOST_AT_ONCE = 256
_HOPELESS = 16
"""Refused prompts, with not one answered, after which it is the parameters and not the prompts."""
_CHARACTERS_PER_TOKEN = 4.0

_log = logging.getLogger("factory.endpoint")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What was made of an answer, and what it cost."""

    value: T
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class PromptRefused:
    """The endpoint takes no such prompt: it is too long, or against a policy."""

    message: str


@dataclass(frozen=True, slots=True)
class _Setback:
    """An attempt that gave no answer but says nothing against the request."""

    message: str
    overloaded: bool = False
    retry_after_s: float | None = None


@asynccontextmanager
async def opened_endpoint(resources: Resources, *, who: str) -> AsyncIterator[Endpoint]:
    """Connect, for as long as the context lasts; `who` begins every message.

    Raises PipelineError when no address is given or the key's variable is not set.
    """
    key = api_key(resources)
    clients = clients_of(resources, key=key, who=who)
    most = resources.max_in_flight or _MOST_AT_ONCE
    async with AsyncExitStack() as stack:
        replicas = [(await stack.enter_async_context(client), Pace(most=most)) for client in clients]
        endpoint = Endpoint(Pool(replicas), who=who, resources=resources, key=key, slots=most * len(clients))
        watch = asyncio.create_task(endpoint.tell_of_silence())
        try:
            yield endpoint
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch


class Endpoint:
    """Connected replicas."""

    def __init__(self, pool: Pool[Any], *, who: str, resources: Resources, key: str, slots: int) -> None:
        workers = resources.workers or 1
        self.slots = slots
        """Requests worth having under way at once."""
        self._pool, self._who = pool, who
        self._key = key if resources.api_key_env else None
        self._retries, self._limit_s = resources.retries, resources.timeout_s
        self._requests = Rate(_share(resources.requests_per_minute, workers))
        self._tokens = Rate(_share(resources.tokens_per_minute, workers))
        self._mean_tokens: float | None = None
        self._answered_at = time.monotonic()
        self._answers = self._hopeless = self._waiting = 0
        self._heard = False
        self._deaf_since: float | None = None
        self._trouble = "none"

    async def ask(
        self,
        body: Mapping[str, Any],
        read: Callable[[Any], T],
        *,
        characters: int,
        max_tokens: int | None,
    ) -> Answer[T] | PromptRefused:
        """Ask until there is an answer; what one replica keeps too long is asked of another.

        `body` are the arguments of the client's `chat.completions.create`, `characters` the length of its
        prompt, `max_tokens` the most of its answer; `read` makes of the answer what is wanted, and raises
        ValueError, TypeError, AttributeError or LookupError where it is not what the protocol says.
        Raises Busy when the same request may be tried again, and Refused when the endpoint takes none.
        """
        if self._waiting == 0:
            self._answered_at = max(self._answered_at, time.monotonic())
        self._waiting += 1
        try:
            return await self._ask(body, read, prompt=characters / _CHARACTERS_PER_TOKEN, most=max_tokens)
        finally:
            self._waiting -= 1

    async def _ask(
        self, body: Mapping[str, Any], read: Callable[[Any], T], *, prompt: float, most: int | None
    ) -> Answer[T] | PromptRefused:
        began, failures, avoid = time.monotonic(), 0, None
        while True:
            await self._requests.take()
            guess = prompt + (self._mean_tokens if self._mean_tokens is not None else most or 0)
            await self._tokens.take(guess)
            place = await self._pool.take(avoid=avoid)
            try:
                got = await self._attempt(place, body, read)
            finally:
                await self._pool.give_back(place)
            if isinstance(got, Answer):
                self._tokens.correct(got.prompt_tokens + got.completion_tokens - guess)
                return got
            self._tokens.correct(-guess)
            if isinstance(got, PromptRefused):
                return got
            waited_s = time.monotonic() - max(began, self._answered_at)
            failures += not got.overloaded
            if failures > self._retries or waited_s > _PATIENCE_S:
                raise Busy(f"{self._who}: {got.message}", retry_after_s=got.retry_after_s)
            avoid = None if got.overloaded else place.replica

    async def _attempt(
        self, place: Place[Any], body: Mapping[str, Any], read: Callable[[Any], T]
    ) -> Answer[T] | PromptRefused | _Setback:
        import openai

        sent_at, address = time.monotonic(), address_of(place.replica)
        try:
            # The client's own limit begins anew with every byte.
            async with asyncio.timeout(self._limit_s):
                said = await place.replica.chat.completions.create(**body)
            answer = Answer(read(said), *_usage(said))
        except openai.APIStatusError as error:
            self._heard = True
            return self._refusal(error, place, sent_at, address)
        except (TimeoutError, openai.APITimeoutError) as error:
            place.pace.failed(sent_at=sent_at)
            connecting = type(error.__cause__).__name__ == "ConnectTimeout"
            return self._setback(
                f"{address} does not take a connection" if connecting
                else f"{address} gave no answer within {self._limit_s:g} s (`timeout_s`)",
                deaf=connecting,
            )  # fmt: skip
        except (openai.APIError, ValueError, TypeError, AttributeError, LookupError) as error:
            # Cut, or not what the protocol says: a proxy's page, half a body.
            place.pace.failed(sent_at=sent_at)
            return self._setback(f"{address}: {reason_of(error)}", deaf=True)
        place.pace.went_well(took_s=time.monotonic() - sent_at)
        self._note_answer(answer.completion_tokens)
        return answer

    def _note_answer(self, tokens: int) -> None:
        self._heard = True
        self._answered_at = time.monotonic()
        self._answers += 1
        self._mean_tokens = tokens if self._mean_tokens is None else 0.95 * self._mean_tokens + 0.05 * tokens

    def _setback(
        self, message: str, *, overloaded: bool = False, retry_s: float | None = None, deaf: bool = False
    ) -> _Setback:
        """Raises Refused where it is `deaf`: nobody has ever spoken the protocol at the address."""
        self._trouble = message = self._clean(message)
        if deaf and not self._heard:
            now = time.monotonic()
            self._deaf_since = self._deaf_since or now
            if now - self._deaf_since >= _DEAF_S:
                raise Refused(
                    f"{self._who}: no model answers at {message}; check that the server runs, and `base_url` "
                    "in the step's `resources`, which mostly ends in /v1"
                )
        return _Setback(message, overloaded, retry_s)

    def _refusal(
        self, error: Any, place: Place[Any], sent_at: float, address: str
    ) -> PromptRefused | _Setback:
        status, message = error.status_code, f"{address}: {error}"
        if status in _FORBIDDEN:
            raise Refused(f"{self._who}: {self._clean(message)}")
        if status in _OVERLOADED:
            wait_s = retry_after_s(error.response.headers)
            place.pace.was_refused(sent_at=sent_at, retry_after_s=wait_s)
            return self._setback(message, overloaded=True, retry_s=wait_s)
        if status >= 500 or status in (408, 409):
            place.pace.failed(sent_at=sent_at)
            return self._setback(message)
        place.pace.went_well()
        self._answered_at = time.monotonic()
        self._hopeless += 1
        if self._answers == 0 and self._hopeless >= _HOPELESS:
            raise Refused(
                f"{self._who}: every request is refused, the last one by {self._clean(message)}; check "
                "the sampling parameters and `extra_body`"
            )
        return PromptRefused(self._clean(message))

    async def tell_of_silence(self) -> None:
        """Writes a line to the log for every 30 s without any answer while one is waited for."""
        told_at = float("-inf")
        while True:
            await asyncio.sleep(_SILENCE_S / 30)
            now = time.monotonic()
            silent_s = now - self._answered_at
            if self._waiting and silent_s >= _SILENCE_S and now - told_at >= _SILENCE_S:
                told_at = now
                where = ", ".join(address_of(replica) for replica, _ in self._pool.replicas)
                _log.warning(
                    "%s: no answer from %s for %.0f s; %d requests wait; last trouble: %s",
                    *(self._who, where, silent_s, self._waiting, self._trouble),
                )

    def _clean(self, message: str) -> str:
        # Some endpoints repeat the key that they refuse.
        return " ".join((message.replace(self._key, "***") if self._key else message).split())[:500]


def _usage(said: Any) -> tuple[int, int]:
    """Tokens of prompt and completion; nothing for an answer that was refused inside."""
    return (
        (0, 0) if said.usage is None else (int(said.usage.prompt_tokens), int(said.usage.completion_tokens))
    )


def _share(cap: int | None, workers: int) -> float | None:
    return None if cap is None else cap / workers
