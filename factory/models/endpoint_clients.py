"""Clients of an endpoint's replicas: addresses, the key, and what their errors say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from factory.core import PipelineError, Resources

__all__ = ["address_of", "api_key", "clients_of", "reason_of", "retry_after_s"]

_CONNECT_S = 5.0
"""Time in which an endpoint that is there takes a connection, in seconds."""


def clients_of(resources: Resources, *, key: str, who: str) -> list[Any]:
    """One `AsyncOpenAI` per address that retries nothing itself.

    Raises PipelineError when the package is missing or no address is given.
    """
    try:
        from openai import AsyncOpenAI, Timeout
    except ImportError as error:
        raise PipelineError(f"{who} needs the package openai; run `pip install openai`") from error
    urls = [resources.base_url] if isinstance(resources.base_url, str) else resources.base_url
    if not urls:
        raise PipelineError(f"{who} has no address; set `base_url` in the step's `resources`")
    limit = Timeout(resources.timeout_s, connect=min(_CONNECT_S, resources.timeout_s))
    return [AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=limit) for url in urls]


def api_key(variable: str | None) -> str:
    """The key in an environment variable. Raises PipelineError when it is named but not set."""
    if variable is None:
        return "none"
    key = os.environ.get(variable)
    if not key:
        raise PipelineError(f"the environment variable {variable}, named by `api_key_env`, is not set")
    return key


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
