"""Overlap with benchmark items by meaning: passages that share words or come close are compared in full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from factory.embeddings.embedder import Embed, model_digest
from factory.models.resolve import EMBEDDER
from factory.stages.decontamination.likeness import Likeness, could_match, likeness
from factory.stages.decontamination.overlap import Hit, Overlap
from factory.stages.decontamination.passages import (
    Segments,
    chunks,
    densest,
    prose_of_code,
    sentence_windows,
    trimmed,
)
from factory.stages.decontamination.reading import Reading, Weights
from factory.stages.decontamination.shared_words import SharedWords
from factory.stages.decontamination.units import Unit

__all__ = ["EmbeddingOverlap", "EmbeddingRule"]

F32 = npt.NDArray[np.float32]

_SIZES = (14, 28, 55, 110)
_NEAREST = 3
_BLOCK = 2048
_ROOMY = 1.7
_INSIDE = 0.6
_QUESTION_TOLD = 3.0
"""Least weight of the words of a question that stands for a passage with it."""


class EmbeddingRule(BaseModel):
    """Finds rephrased items, wherever they stand in a text.

    A passage is proposed by the words that it shares with an item, or by the cosine of their embeddings; then
    cosine, content words and ordered numbers decide together (see `likeness`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    model: str = EMBEDDER
    """Sentence-transformers model: the packaged one, a folder, or a hub id."""
    min_cosine: Annotated[float, Field(gt=0, le=1)] = 0.6
    """Least cosine of a paraphrase to its item; the decision is weighed for the packaged model."""
    min_shared_words: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Least share of an item's content words, by weight, at which a passage is compared with it."""
    max_windows: Annotated[int, Field(ge=1)] = 64
    """Most windows of whole sentences embedded of one text; beyond them shared words alone propose."""

    def identity(self) -> dict[str, Any]:
        """Fields with the model's content in place of its name."""
        return self.model_dump(mode="json") | {"model": model_digest(self.model)}


@dataclass(frozen=True, slots=True)
class _View:
    """A text to look through: one of the segments, or what the comments of a program in it say."""

    segment: int
    reading: Reading
    offset: int | None
    """Where it begins in the segment; null for what is put together from comments."""


_Pair: TypeAlias = tuple[int, int, int, int]
"""View, unit, first and last character of the passage in the view."""


class EmbeddingOverlap(Overlap):
    """Compares the passages of every text with every item; the items' vectors are held as one matrix."""

    def __init__(self, rule: EmbeddingRule, units: Sequence[Unit], embed: Embed, *, weights: Weights) -> None:
        self._rule, self._embed, self._weights = rule, embed, weights
        self._units = [unit for unit in units if unit.reading.words and _tells(unit, weights)]
        self._unseen = {unit.name for unit in units} - {unit.name for unit in self._units}
        readings = [unit.reading for unit in self._units]
        self._words = SharedWords(readings, weights=weights, least=rule.min_shared_words)
        parts = [chunks(reading.text) for reading in readings]
        self._owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        vectors = self._vectors([text for part in parts for text in part])
        self._chunks, self.truncated = vectors
        lengths = [len(reading.words) for reading in readings] or [1]
        low, high = np.percentile(lengths, [5, 95])
        self._sizes = [size for size in _SIZES if low / 1.5 <= size <= high * 1.5] or [_SIZES[1]]

    def find(self, texts: Segments) -> Iterator[Hit]:
        """Hits of every text; the strongest of each passage, and doubtful ones."""
        if not self._units or not len(texts):
            return
        views = list(_views(texts))
        pairs = dict.fromkeys(self._trimmed(views, self._by_words(views)))
        pairs |= dict.fromkeys(self._trimmed(views, self._by_cosine(views)))
        asked: list[tuple[_Pair, Reading]] = []
        for pair in pairs:
            view, unit, start, end = pair
            passage = Reading(views[view].reading.text[start:end])
            sure = self._likeness(views[view], passage, unit, cosine=None)
            if sure is not None:
                yield self._hit(views[view], pair, sure)
            elif could_match(passage, self._units[unit].reading, weights=self._weights):
                asked.append((pair, passage))
        yield from self._compared(views, asked)

    def _compared(self, views: Sequence[_View], asked: Sequence[tuple[_Pair, Reading]]) -> Iterator[Hit]:
        """Hits among the pairs that only their embeddings can tell."""
        parts = [chunks(passage.text) for _, passage in asked]
        vectors, _ = self._vectors([text for part in parts for text in part])
        first = 0
        for (pair, passage), part in zip(asked, parts, strict=True):
            mine = vectors[first : first + len(part)]
            first += len(part)
            theirs = self._chunks[self._owner == pair[1]]
            cosine = float((mine @ theirs.T).max(axis=0).mean())
            if cosine < self._rule.min_cosine:
                continue
            found = self._likeness(views[pair[0]], passage, pair[1], cosine=cosine)
            if found is not None:
                yield self._hit(views[pair[0]], pair, found)

    def _likeness(self, view: _View, passage: Reading, unit: int, *, cosine: float | None) -> Likeness | None:
        inside = len(passage.text) < _INSIDE * len(view.reading.text)
        item = self._units[unit].reading
        return likeness(passage, item, weights=self._weights, cosine=cosine, inside=inside)

    def _hit(self, view: _View, pair: _Pair, found: Likeness) -> Hit:
        _, unit, start, end = pair
        benchmark, item = self._units[unit].name
        span = (start, end) if view.offset is not None else (0, len(view.reading.text))
        more = {"rule": "embedding", "item_part": self._units[unit].part}
        more["item_text"] = self._units[unit].reading.text[:300]
        return Hit(view.segment, benchmark, item, span, found, more)

    def _by_words(self, views: Sequence[_View]) -> Iterator[_Pair]:
        """Passages that share telling words with an item."""
        for view, unit, start, end in self._words.find([view.reading for view in views]):
            block = Reading(views[view].reading.text[start:end])
            item = self._units[unit].reading
            if len(block.words) <= _ROOMY * len(item.words):
                yield view, unit, start, end
                continue
            span = densest(block, item, weights=self._weights)
            if span is not None:
                yield view, unit, start + span[0], start + span[1]

    def _trimmed(self, views: Sequence[_View], pairs: Iterator[_Pair]) -> Iterator[_Pair]:
        for view, unit, start, end in pairs:
            text, item = views[view].reading.text, self._units[unit].reading
            yield view, unit, *trimmed(text, start, end, item=item, weights=self._weights)

    def _by_cosine(self, views: Sequence[_View]) -> Iterator[_Pair]:
        """Windows whose embedding is near an item's."""
        spans = [
            (number, start, end)
            for number, view in enumerate(views)
            for start, end in sentence_windows(
                view.reading.text, sizes=self._sizes, most=self._rule.max_windows
            )
        ]
        windows = [views[number].reading.text[start:end] for number, start, end in spans]
        vectors, _ = self._vectors(windows)
        for first in range(0, len(spans), _BLOCK):
            scores = vectors[first : first + _BLOCK] @ self._chunks.T
            rows, columns = np.nonzero(scores >= self._rule.min_cosine)
            for row in np.unique(rows).tolist():
                near = columns[rows == row]
                best = near[np.argsort(-scores[row, near], kind="stable")[:_NEAREST]]
                number, start, end = spans[first + row]
                for unit in dict.fromkeys(self._owner[best].tolist()):
                    yield number, unit, start, end

    def _vectors(self, texts: Sequence[str]) -> tuple[F32, int]:
        """Vectors of texts, and how many of these the model did not read to the end."""
        if not texts:
            return np.zeros((0, 1), np.float32), 0
        found = self._embed(pa.array(texts, pa.large_string()))
        return found.vectors.take(slice(None)), int((found.tail_start >= 0).sum())

    def unseen(self, texts: Segments) -> npt.NDArray[np.bool_]:
        """Texts without a letter or digit."""
        return np.array([not any(map(str.isalnum, text)) for text in texts.plain.to_pylist()], bool)

    def unseen_items(self) -> set[tuple[str, str]]:
        """Items without a letter or digit."""
        return self._unseen


def _tells(unit: Unit, weights: Weights) -> bool:
    """Whether a part may stand for its item: a bare question must say what it is about."""
    return unit.part != "question" or weights.sum(unit.reading.stems) >= _QUESTION_TOLD


def _views(texts: Segments) -> Iterator[_View]:
    for segment, text in enumerate(texts.plain.to_pylist()):
        yield _View(segment, Reading(text), 0)
        said = prose_of_code(texts.original[segment].as_py())
        if said is not None and len(said) < len(text):
            yield _View(segment, Reading(said), None)
