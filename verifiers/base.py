"""What a verifier is: a frozen configuration that opens into a judge of cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["Case", "Judge", "Outcome", "Verdict", "Verifier"]

Outcome = Literal["pass", "fail", "error", "timeout"]
"""Only `fail` says that the completion is wrong; `error` and `timeout` say that nothing is known."""


@dataclass(frozen=True, slots=True)
class Case:
    """One completion to judge, with what its problem knows about the right answer."""

    prompt: str
    content: str
    """The answer part of the completion; never contains the thinking."""
    reasoning_content: str | None = None
    reference: str | None = None
    tests: str | None = None
    """Code tests in the documented JSON form, or null."""
    domain: str | None = None
    finish_reason: str | None = None
    turns: tuple[tuple[str, str], ...] = ()
    """The conversation up to the completion as (role, text); empty where it is the prompt alone."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one verifier says of one case."""

    verifier: str
    version: str
    verdict: Outcome
    score: float | None = None
    """Between 0 and 1 for rule verifiers, a raw score for models, null when nothing was measured."""
    detail: str = ""
    """One short line: what was compared, or why nothing could be."""
    seconds: float = 0.0


Judge = Callable[[Sequence[Case]], list[Verdict]]
"""Judges a batch: one verdict per case, in order. Never raises for a bad case."""


class Verifier(BaseModel):
    """A configured verifier. Every field is part of its identity; workers and paths are not fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    version: ClassVar[str] = "1"
    """Bumped by hand whenever the same case could get another verdict."""
    type: str
    """Name of the verifier in a pipeline file."""

    def open(self) -> AbstractContextManager[Judge]:
        """Holds what is costly (worker processes, a model) while the judge is used."""
        raise NotImplementedError
