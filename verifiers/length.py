"""Whether a completion's parts keep within limits of length."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from pydantic import Field, model_validator

from verifiers.base import Case, Judge, Verdict, Verifier
from verifiers.words import words

__all__ = ["Length", "length_fault", "size_of"]

Unit = Literal["words", "characters"]


class Length(Verifier):
    """Limits on characters of the answer and of the thinking; a limit that is null does not apply."""

    type: Literal["length"] = "length"
    min_answer_chars: int = Field(default=1, ge=0)
    """Fewest characters of the answer, space at its ends not counted."""
    max_answer_chars: int | None = Field(default=None, ge=1)
    """Most characters of the answer."""
    min_thinking_chars: int = Field(default=0, ge=0)
    """Fewest characters of the thinking."""
    max_thinking_chars: int | None = Field(default=None, ge=1)
    """Most characters of the thinking."""

    @model_validator(mode="after")
    def _limits_leave_room(self) -> Length:
        for part in ("answer", "thinking"):
            low, high = getattr(self, f"min_{part}_chars"), getattr(self, f"max_{part}_chars")
            if high is not None and high < low:
                raise ValueError(f"max_{part}_chars={high} is below min_{part}_chars={low}: nothing can pass")
        return self

    @contextmanager
    def open(self) -> Iterator[Judge]:
        """Holds nothing."""
        yield lambda cases: [self._verdict(case) for case in cases]

    def _verdict(self, case: Case) -> Verdict:
        start = time.perf_counter()
        fault = _fault("answer", case.content, self.min_answer_chars, self.max_answer_chars) or _fault(
            "thinking", case.reasoning_content or "", self.min_thinking_chars, self.max_thinking_chars
        )
        outcome: Literal["pass", "fail"] = "fail" if fault else "pass"
        seconds = time.perf_counter() - start
        return Verdict("length", self.version, outcome, 0.0 if fault else 1.0, fault or "", seconds)


def size_of(text: str, *, unit: Unit) -> int:
    """Length of a text: characters without blanks at its ends, or words in any script."""
    return len(words(text)) if unit == "words" else len(text.strip())


def length_fault(
    size: int, *, least: int | None = None, most: int | None = None
) -> Literal["too_short", "too_long"] | None:
    """Which limit a length breaks, ends included; a limit that is null does not apply."""
    if least is not None and size < least:
        return "too_short"
    return "too_long" if most is not None and size > most else None


def _fault(part: str, text: str, low: int, high: int | None) -> str | None:
    size = size_of(text, unit="characters")
    match length_fault(size, least=low, most=high):
        case "too_short":
            return f"{size} characters of {part}, fewer than {low}"
        case "too_long":
            return f"{size} characters of {part}, more than {high}"
    return None
