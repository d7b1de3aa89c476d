"""The OpenAI chat protocol and what vLLM's server adds to it: what a request says, what a choice means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from factory.core import Refused
from factory.teachers.base import Request

if TYPE_CHECKING:
    from factory.teachers.http import Http

__all__ = ["request_body", "require_continued", "schema_format", "stop_text", "token_logprobs"]


def request_body(teacher: Http, request: Request) -> dict[str, Any]:
    """Arguments of the client's `chat.completions.create`."""
    how = request.sampling
    extra: dict[str, Any] = dict(teacher.extra_body)
    extra |= {"top_k": how.top_k} if how.top_k else {}
    extra |= {"min_p": how.min_p} if how.min_p else {}
    messages = [dict(m) for m in request.messages]
    if request.prefix:
        messages.append({"role": "assistant", "content": request.prefix})
        extra |= {"continue_final_message": True, "add_generation_prompt": False}
    body: dict[str, Any] = {
        "model": teacher.model,
        "messages": messages,
        "temperature": how.temperature,
        "top_p": how.top_p,
        "extra_body": extra,
    }
    if how.max_tokens is not None:
        body[teacher.token_limit] = how.max_tokens
    if how.stop:
        body["stop"] = list(how.stop)
    if how.logprobs:
        body["logprobs"] = True
    if how.structure:
        body |= _structured(how.structure, extra)
    if teacher.seeded and request.seed is not None:
        body["seed"] = request.seed
    return body


def _structured(structure: Mapping[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """The form of the answer: a JSON schema as the protocol has it, the rest as vLLM's server takes it."""
    if "json_schema" in structure:
        return schema_format(structure["json_schema"])
    extra["structured_outputs"] = dict(structure)
    return {}


def schema_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What a request's body says to hold the answer to a JSON schema."""
    named = {"name": "answer", "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def token_logprobs(choice: Any, *, who: str) -> tuple[float, ...]:
    """Raises Refused when the endpoint gives none: a row without them is not what was asked for."""
    if choice.logprobs is None or choice.logprobs.content is None:
        raise Refused(f"teacher '{who}' gives no log-probabilities; set `logprobs: false` or ask another one")
    return tuple(float(token.logprob) for token in choice.logprobs.content)


def require_continued(choice: Any, reasoning: str | None, *, who: str) -> None:
    """Raises Refused when the endpoint does not say how a piece of a turn ended, or takes the piece apart."""
    if reasoning is not None:
        raise Refused(
            f"teacher '{who}' gives its thinking apart, so nothing can go on after it; start the server "
            "without a reasoning parser and set `reasoning_tags`"
        )
    if "stop_reason" not in (choice.model_extra or {}):
        raise Refused(
            f"teacher '{who}' does not say which stop text ended its answer (`stop_reason`); an interpreter "
            "wants vLLM's server or a teacher of type vllm"
        )


def stop_text(choice: Any) -> str | None:
    """The stop text that ended an answer; null: none did, or the endpoint does not say."""
    found = (choice.model_extra or {}).get("stop_reason")
    # A number is a token that ends a completion, and no text.
    return found if isinstance(found, str) else None
