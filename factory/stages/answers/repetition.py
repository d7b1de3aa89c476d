"""Rejects completions that go round in circles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from factory.core import Filter
from verifiers.repetition import repetition_fault

__all__ = ["Repetition"]


class Repetition(Filter):
    """Rejects completions whose thinking or answer repeats itself, as the verifier of this name judges it."""

    type: Literal["repetition"] = "repetition"
    version: ClassVar[int] = 2
    requires: ClassVar[frozenset[str]] = frozenset({"content", "reasoning_content"})
    examples: ClassVar[Sequence[tuple[Any, str | None]]] = (
        ({"content": "The answer is 5.", "reasoning_content": "2 and 3 is 5."}, None),
        ({"content": "5", "reasoning_content": "wait, let me check that again now, " * 12}, "repetitive"),
        ({"content": "所以我要再检查一遍这个答案。" * 300, "reasoning_content": None}, "repetitive"),
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
    min_zlib_ratio: Annotated[float, Field(ge=0, le=1)] = 0.12
    """Smallest compressed size over plain size, for texts above 2,000 characters."""

    def reject(self, batch: pa.Table) -> pa.Array:
        """`repetitive` where thinking or answer repeats."""
        pairs = zip(batch["reasoning_content"].to_pylist(), batch["content"].to_pylist(), strict=True)
        circles = ["repetitive" if self._circles(a) or self._circles(b) else None for a, b in pairs]
        return pa.array(circles, pa.string())

    def _circles(self, text: str | None) -> bool:
        fault = repetition_fault(
            text or "", ngram=self.ngram, max_share=self.max_share, run_ngram=self.run_ngram,
            max_run=self.max_run, min_zlib_ratio=self.min_zlib_ratio,
        )  # fmt: skip
        return fault is not None
