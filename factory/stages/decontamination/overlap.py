"""What every way of finding an overlap with a benchmark gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

__all__ = ["Hit", "Overlap"]

_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Hit:
    """One row and the benchmark item that it overlaps with."""

    row: int
    strength: float
    """Between 0 and 1: coverage of the item, or cosine to it."""
    certain: bool
    """Whether this is contamination; otherwise it is for a judge to review."""
    benchmark: str
    item: str
    span: tuple[int, int]
    """Matched characters of the row's text."""
    text: str
    more: dict[str, Any]
    """What else the rule measured."""

    def evidence(self) -> str:
        """The hit as a JSON object; the matched text is cut at 300 characters."""
        start, end = self.span
        proof = {"benchmark": self.benchmark, "item": self.item, **self.more, "span": [start, end]}
        return json.dumps(proof | {"text": self.text[start:end][:_SHOWN]}, ensure_ascii=False)


class Overlap(Protocol):
    """A rule, opened over the items of all benchmarks."""

    def find(self, texts: pa.Array) -> Iterator[Hit]:
        """Hits of a column of texts, in any order; a row may have several."""
        ...

    def unseen_rows(self, texts: pa.Array) -> int:
        """Rows that the rule cannot see at all."""
        ...

    def unseen_items(self) -> set[tuple[str, str]]:
        """Items, as (benchmark, item), that the rule cannot see at all."""
        ...
