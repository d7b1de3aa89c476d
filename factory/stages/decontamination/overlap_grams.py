"""Overlap with benchmark items by word n-grams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from factory.stages.decontamination.benchmarks import BenchmarkItem
from factory.stages.decontamination.overlap import Hit, Overlap

if TYPE_CHECKING:
    from factory.stages.decontamination.ngrams import NgramIndex

__all__ = ["GramOverlap", "GramRule"]


class GramRule(BaseModel):
    """One rule of overlap by word n-grams.

    In use: 8 words, any (s1, open-r1); 9, any (AceReason); 13, any (OpenThoughts3); 32, any, with digits
    stripped (Light-R1). The default finds 8-grams that cover 0.3 of the benchmark item: on real prompts any
    shared 8-gram flags 1.5 % of clean rows, most for a common phrase, and coverage 0.3 flags 0.3 %.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    n: Annotated[int, Field(ge=1, le=100)] = 8
    """Tokens of an n-gram."""
    tokens: Literal["alnum", "symbols", "whitespace"] = "alnum"
    """How texts are cut: runs of letters and digits, the same with operators, or what blanks separate."""
    rule: Literal["coverage", "any"] = "coverage"
    """Whether n-grams must cover a share of the item, or one shared n-gram is enough."""
    min_coverage: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Smallest share of the item's n-grams that a contaminated prompt holds; for the rule `coverage`."""
    short_items: Literal["whole", "unseen"] = "whole"
    """Whether texts with fewer than n tokens are compared whole, or not at all as in most scripts."""
    digits_stripped: bool = False
    """Whether a prompt that equals an item but for digits and punctuation is contaminated too (Light-R1)."""
    min_letters: Annotated[int, Field(ge=1)] = 12
    """Fewest letters of an item that is compared without digits: "Compute 3+4" would meet every "Compute".
    Light-R1 has no such limit: 1."""

    def index(self, items: Sequence[BenchmarkItem]) -> NgramIndex:
        """The items, indexed for this rule."""
        from factory.stages.decontamination.ngrams import NgramIndex, NgramRule

        rule = NgramRule(
            n=self.n,
            tokens=self.tokens,
            short=self.short_items,
            digit_stripped=self.digits_stripped,
            min_letters=self.min_letters,
        )
        return NgramIndex.build([(i.benchmark, i.item, i.text) for i in items], rule=rule)

    @property
    def threshold(self) -> float:
        """Smallest coverage of a hit; 0 stands for any shared n-gram."""
        return self.min_coverage if self.rule == "coverage" else 0.0


class GramOverlap(Overlap):
    """Finds overlaps by one rule."""

    def __init__(self, rule: GramRule, index: NgramIndex, *, review: bool) -> None:
        self._rule, self._index = rule, index
        self._least = 0.0 if review else rule.threshold

    def find(self, texts: pa.Array) -> Iterator[Hit]:
        """Hits of every row; below the rule's coverage they are for review."""
        for hit in self._index.match(texts, min_coverage=self._least).to_pylist():
            text: str = texts[hit["row"]].as_py()
            span = (hit["span_start"], hit["span_end"])
            more: dict[str, Any] = {
                "rule": hit["kind"],
                "n": self._rule.n,
                "coverage": round(hit["coverage"], 4),
            }
            certain = hit["kind"] != "ngram" or hit["coverage"] >= self._rule.threshold
            yield Hit(
                hit["row"], hit["coverage"], certain, hit["benchmark"], hit["item_id"], span, text, more
            )

    def unseen_rows(self, texts: pa.Array) -> int:
        """Rows that the rule cannot see."""
        return self._index.unseen_rows(texts)

    def unseen_items(self) -> set[tuple[str, str]]:
        """Items (benchmark, item) that the rule cannot see."""
        lost = self._index.uncheckable()
        return set(zip(lost["benchmark"].to_pylist(), lost["item_id"].to_pylist(), strict=True))
