"""Overlap with benchmark items by word n-grams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from factory.stages.decontamination.gram_rule import GramRule
from factory.stages.decontamination.likeness import LEAST_TOLD, Likeness, likeness, told
from factory.stages.decontamination.overlap import Hit, Overlap
from factory.stages.decontamination.passages import Segments, densest
from factory.stages.decontamination.reading import Reading, Weights

if TYPE_CHECKING:
    from factory.stages.decontamination.ngrams import NgramIndex

__all__ = ["GramOverlap"]

_MOSTLY = 0.5
_NUMBERS_ALIKE = 0.7
_LONG = 0.6
_COVERED, _ROOMY = 0.97, 1.7


class GramOverlap(Overlap):
    """Finds overlaps by one rule. What covers enough of an item is compared with it word by word."""

    def __init__(
        self, rule: GramRule, index: NgramIndex, readings: Sequence[Reading], *, weights: Weights
    ) -> None:
        self._rule, self._index, self._weights = rule, index, weights
        self._readings = readings

    def find(self, texts: Segments) -> Iterator[Hit]:
        """Hits of every text."""
        for hit in self._index.match(texts.plain, min_coverage=self._rule.threshold).to_pylist():
            text = texts.plain[hit["row"]].as_py()
            found = self._judged(hit, text)
            if found is None:
                continue
            like, span = found
            more = {"rule": hit["kind"], "n": self._rule.n, "coverage": round(hit["coverage"], 4)}
            forced = self._rule.rule == "any" or hit["kind"] == "digit_stripped"
            yield Hit(hit["row"], hit["benchmark"], hit["item_id"], span, like, more, forced)

    def _judged(self, hit: dict[str, Any], text: str) -> tuple[Likeness, tuple[int, int]] | None:
        """What the text is to the item; a rule without coverage takes every hit for a copy."""
        span = (hit["span_start"], hit["span_end"])
        if hit["kind"] == "digit_stripped":
            return Likeness("number_twin", True, 1.0, {}), span
        item, whole = self._readings[hit["item"]], Reading(text)
        place = self._passage(hit, whole, item)
        passage = Reading(text[slice(*place)])
        found = likeness(passage, item, weights=self._weights, inside=len(passage.text) < _LONG * len(text))
        if found is not None and (found.kind == "copy" or hit["kind"] != "whole"):
            return found, place
        if self._rule.rule == "any":
            return Likeness("near_copy", True, hit["coverage"], {}), span
        return self._by_coverage(hit, Reading(text[slice(*span)]), item, span, whole)

    def _passage(self, hit: dict[str, Any], whole: Reading, item: Reading) -> tuple[int, int]:
        """What to compare with the item: the matched span where it covers the item, else what lies around."""
        span = (hit["span_start"], hit["span_end"])
        if hit["coverage"] >= _COVERED and hit["kind"] != "short_row":
            return span
        if len(whole.words) <= _ROOMY * len(item.words):
            return 0, len(whole.text)
        return densest(whole, item, weights=self._weights) or span

    def _by_coverage(
        self, hit: dict[str, Any], passage: Reading, item: Reading, span: tuple[int, int], whole: Reading
    ) -> tuple[Likeness, tuple[int, int]] | None:
        """A part of the item, word by word: certain where it is most of it, or all that the text says."""
        if told(passage, weights=self._weights) < LEAST_TOLD:
            return None
        alone = hit["kind"] == "short_row"
        if hit["kind"] == "whole":
            alone = len(passage.words) >= _LONG * len(whole.words)
            if not alone:
                return None
        certain = alone or (hit["coverage"] >= _MOSTLY and _shared(item, whole) >= _NUMBERS_ALIKE)
        return Likeness("near_copy", certain, hit["coverage"], {}), span

    def unseen(self, texts: Segments) -> npt.NDArray[np.bool_]:
        """Texts that the rule cannot see."""
        return self._index.unseen(texts.plain)

    def unseen_items(self) -> set[tuple[str, str]]:
        """Items (benchmark, item) that the rule cannot see."""
        lost = self._index.uncheckable()
        return set(zip(lost["benchmark"].to_pylist(), lost["item_id"].to_pylist(), strict=True))


def _shared(item: Reading, text: Reading) -> float:
    """Share of the item's numbers that the text holds."""
    mine = set(item.numbers)
    return len(mine & set(text.numbers)) / len(mine) if mine else 1.0
