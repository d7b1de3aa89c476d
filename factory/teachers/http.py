"""The teacher behind an endpoint that speaks the OpenAI chat protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

from pydantic import Field

from factory.core import Resources
from factory.models.endpoint import Endpoint, PromptRefused, opened_endpoint
from factory.models.endpoint_clients import endpoint_lacks
from factory.teachers.base import (
    Completion,
    FinishReason,
    LiveTeacher,
    Request,
    Teacher,
    split_reasoning,
)
from factory.teachers.chat import request_body, require_continued, stop_text, token_logprobs

__all__ = ["Http"]


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

    def lacks(self, resources: Resources) -> str | None:
        """The client's package, an address or the key."""
        missing = endpoint_lacks(resources)
        return None if missing is None else f"teacher '{self.name}' {missing}"

    @asynccontextmanager
    async def open(self, resources: Resources) -> AsyncIterator[LiveTeacher]:
        """Connect. Raises PipelineError when no address is given or the key's variable is not set."""
        async with opened_endpoint(resources, who=f"teacher '{self.name}'") as endpoint:
            yield _Live(self, endpoint)


class _Live:
    """The teacher behind its connected endpoint."""

    def __init__(self, teacher: Http, endpoint: Endpoint) -> None:
        self.slots = endpoint.slots
        self._teacher, self._endpoint = teacher, endpoint

    async def complete(self, request: Request) -> Completion:
        """One completion; a prompt that the endpoint refuses is an error completion."""
        got = await self._endpoint.ask(
            request_body(self._teacher, request),
            lambda said: self._completion(said, request),
            characters=sum(len(m["content"]) for m in request.messages) + len(request.prefix or ""),
            max_tokens=request.sampling.max_tokens,
        )
        return self._error({"message": got.message}) if isinstance(got, PromptRefused) else got.value

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
        return Completion(
            teacher=self._teacher.name,
            reasoning_content=reasoning,
            content=content,
            finish_reason=finish,
            prompt_tokens=int(usage.prompt_tokens),
            completion_tokens=int(usage.completion_tokens),
            seeded=self._teacher.seeded,
            logprobs=token_logprobs(choice, who=self._teacher.name) if request.sampling.logprobs else None,
            stopped_by=stop_text(choice),
        )

    def _error(self, detail: Mapping[str, Any]) -> Completion:
        return Completion(self._teacher.name, "", "error", paid=False, error="teacher_error", detail=detail)
