"""Rejects completions that go round in circles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from factory.core import Filter
from verifiers.repetition import longest_run, repeated_share

__all__ = ["Repetition"]


class Repetition(Filter):
    """Rejects completions whose thinking or answer repeats itself, by words that blanks separate."""

    type: Literal["repetition"] = "repetition"
    requires: ClassVar[frozenset[str]] = frozenset({"content", "reasoning_content"})
    examples: ClassVar[Sequence[tuple[Any, str | None]]] = (
        ({"content": "The answer is 5.", "reasoning_content": "2 and 3 is 5."}, None),
        ({"content": "5", "reasoning_content": "wait, let me check that again now, " * 12}, "repetitive"),
        ({"content": None, "reasoning_content": None}, None),
    )
    ngram: Annotated[int, Field(ge=1)] = 20
    """Words of the stretches that are counted; 20, as in AM-DeepSeek-Distilled-40M (2504.17565)."""
    max_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Largest share of stretches that may have stood before in the same text."""
    run_ngram: Annotated[int, Field(ge=1)] = 6
    """Words of a stretch that may not be said many times in a row."""
    max_run: Annotated[int, Field(ge=1)] = 8
    """How many times in a row such a stretch may stand."""

    def reject(self, batch: pa.Table) -> pa.Array:
        """`repetitive` where thinking or answer repeats."""
        pairs = zip(batch["reasoning_content"].to_pylist(), batch["content"].to_pylist(), strict=True)
        circles = ["repetitive" if self._circles(a) or self._circles(b) else None for a, b in pairs]
        return pa.array(circles, pa.string())

    def _circles(self, text: str | None) -> bool:
        words = (text or "").split()
        if longest_run(words, length=self.run_ngram) > self.max_run:
            return True
        return repeated_share(words, length=self.ngram) > self.max_share
