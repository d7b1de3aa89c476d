"""Clients of an endpoint's replicas, and what their refusals mean."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from factory.core import PipelineError, Resources

__all__ = ["FORBIDDEN", "OVERLOADED", "api_key", "clients_of", "retry_after_s"]

OVERLOADED = (429, 503, 529)
"""Statuses of an endpoint that wants less for a while."""
FORBIDDEN = (401, 403, 404)
"""Statuses of one that answers nothing of ours at all."""


def clients_of(resources: Resources, *, key: str, timeout_s: float, who: str) -> list[Any]:
    """One `AsyncOpenAI` per address that retries nothing itself; `timeout_s` where the options say nothing.

    Raises PipelineError when the package is missing or no address is given.
    """
    try:
        from openai import AsyncOpenAI
    except ImportError as error:
        raise PipelineError(f"{who} needs the package openai; run `pip install openai`") from error
    urls = [resources.base_url] if isinstance(resources.base_url, str) else resources.base_url
    if not urls:
        raise PipelineError(f"{who} has no address; set `base_url` in the step's `resources`")
    limit_s = resources.timeout_s or timeout_s
    return [AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=limit_s) for url in urls]


def api_key(variable: str | None) -> str:
    """The key in an environment variable. Raises PipelineError when it is named but not set."""
    if variable is None:
        return "none"
    key = os.environ.get(variable)
    if not key:
        raise PipelineError(f"the environment variable {variable}, named by `api_key_env`, is not set")
    return key


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that an endpoint asks to wait; a date, which needs clocks that agree, counts as not said."""
    try:
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return None
