"""Whether a completion goes round in circles."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from pydantic import Field

from verifiers.base import Case, Judge, Verdict, Verifier
from verifiers.words import words

__all__ = ["Repetition", "longest_run", "repeated_share", "repetition_fault"]

ZLIB_MIN_CHARS = 2_000
"""Short texts compress badly whatever they say, so the ratio means nothing below this."""


class Repetition(Verifier):
    """Fails a completion whose thinking or answer repeats itself. The score is 1 minus the repeated share."""

    type: Literal["repetition"] = "repetition"
    ngram: int = Field(default=20, ge=1)
    """Words in the stretches whose share of repeats is measured."""
    max_share: float = Field(default=0.2, ge=0, le=1)
    """Largest share of stretches that may have been seen before in the same text."""
    run_ngram: int = Field(default=6, ge=1)
    """Words in the stretches that may not be said many times in a row."""
    max_run: int = Field(default=8, ge=1)
    """How many times in a row such a stretch may stand."""
    min_zlib_ratio: float = Field(default=0.12, ge=0, le=1)
    """Smallest compressed size over plain size, for texts above 2,000 characters."""

    @contextmanager
    def open(self) -> Iterator[Judge]:
        """Holds nothing."""
        yield lambda cases: [self._verdict(case) for case in cases]

    def _verdict(self, case: Case) -> Verdict:
        start = time.perf_counter()
        texts = {"answer": case.content, "thinking": case.reasoning_content or ""}
        share = 0.0
        fault = None
        for part, text in texts.items():
            found = words(text)
            share = max(share, repeated_share(found, length=self.ngram))
            if fault is None:
                said = repetition_fault(
                    text, ngram=self.ngram, max_share=self.max_share, run_ngram=self.run_ngram,
                    max_run=self.max_run, min_zlib_ratio=self.min_zlib_ratio, found=found,
                )  # fmt: skip
                fault = said and f"the {part} {said}"
        outcome: Literal["pass", "fail"] = "fail" if fault else "pass"
        seconds = time.perf_counter() - start
        return Verdict("repetition", self.version, outcome, 1.0 - share, fault or "", seconds)


def repetition_fault(
    text: str, *, ngram: int, max_share: float, run_ngram: int, max_run: int, min_zlib_ratio: float,
    found: Sequence[str] | None = None,
) -> str | None:  # fmt: skip
    """How a text repeats itself, as the end of a sentence; null when it does not. `found` are its words.

    Words are those of `verifiers.words`, so that a text without blanks is judged like any other. Signs are no
    words: a long sum or a table of numbers does not repeat itself by its operators.
    """
    found = words(text) if found is None else found
    share = repeated_share(found, length=ngram)
    if share > max_share:
        return f"holds {share:.2f} of its {ngram}-grams more than once, above {max_share}"
    run = longest_run(found, length=run_ngram)
    if run > max_run:
        return f"says {run_ngram} words {run} times in a row, more than {max_run}"
    if len(text) > ZLIB_MIN_CHARS:
        plain = text.encode("utf-8", "replace")
        ratio = len(zlib.compress(plain)) / len(plain)
        if ratio < min_zlib_ratio:
            return f"compresses to {ratio:.3f} of its size, below {min_zlib_ratio}"
    return None


def repeated_share(found: Sequence[str], *, length: int) -> float:
    """1 - unique / total over all stretches of `length` words; 0 for a text without any."""
    total = len(found) - length + 1
    if total <= 0:
        return 0.0
    return 1.0 - len({tuple(found[i : i + length]) for i in range(total)}) / total


def longest_run(found: Sequence[str], *, length: int) -> int:
    """How many times in a row the text says some stretch of `length` words; 0 for a text without any.

    What stands between two times is part of the run when it is the same each time, so a sentence of any
    length said over and over counts. Overlapping stretches, as in a word said alone, count once.
    """
    seen: dict[tuple[str, ...], tuple[int, int, int]] = {}
    longest = 0
    for i in range(len(found) - length + 1):
        stretch = tuple(found[i : i + length])
        last, gap, steps = seen.get(stretch, (i, 0, 0))
        steps = steps + 1 if gap and i - last == gap else int(i != last)
        gap = i - last
        seen[stretch] = (i, gap, steps)
        longest = max(longest, 1 + steps * gap // max(gap, length))
    return longest
