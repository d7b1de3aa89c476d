"""Clients of an endpoint's replicas: addresses, the key, and what their errors say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from factory.core import PipelineError, Resources
from factory.core.extras import lacking

__all__ = ["address_of", "api_key", "clients_of", "endpoint_lacks", "reason_of", "retry_after_s"]

_CONNECT_S = 5.0
"""Time in which an endpoint that is there takes a connection, in seconds."""


def clients_of(resources: Resources, *, key: str, who: str) -> list[Any]:
    """One `AsyncOpenAI` per address that retries nothing itself.

    Raises PipelineError when something is missing, as `endpoint_lacks` says.
    """
    if missing := endpoint_lacks(resources):
        raise PipelineError(f"{who} {missing}")
    from openai import AsyncOpenAI, Timeout

    urls = [resources.base_url] if isinstance(resources.base_url, str) else resources.base_url or ()
    limit = Timeout(resources.timeout_s, connect=min(_CONNECT_S, resources.timeout_s))
    return [AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=limit) for url in urls]


def endpoint_lacks(resources: Resources) -> str | None:
    """Why no endpoint can be asked: no package, no address, no key; null where it can."""
    if missing := lacking("http", "openai"):
        return missing
    if not resources.base_url:
        return "has no address; set `base_url` in the step's `resources`, as in http://localhost:8000/v1"
    variable = resources.api_key_env
    if variable is not None and not os.environ.get(variable):
        return (
            f"has no key: the environment variable {variable}, named by `api_key_env`, is not set; "
            f"`export {variable}=...` sets it"
        )
    return None


def api_key(resources: Resources) -> str:
    """The key in the environment variable that is named; `none` where none is named."""
    return os.environ.get(resources.api_key_env or "") or "none"


def address_of(client: Any) -> str:
    """Where a client asks, without a name and password that the address may hold."""
    parts = urlsplit(str(client.base_url))
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")


def reason_of(error: BaseException) -> str:
    """Kind and text of what lies at the bottom of an error of the client."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {error}"


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that an endpoint asks to wait; a date, which needs clocks that agree, counts as not said."""
    try:
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return None
