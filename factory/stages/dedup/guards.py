"""What a pair must pass before a row is removed: equal numbers, and alike unread tails."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.stages.dedup.pair_search import Edges
from factory.text.numbers import numbers
from factory.text.shingles import shingle_sets
from factory.text.strings import Texts

__all__ = ["NumberGuard", "TailGuard"]

U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class NumberGuard:
    """Passes pairs whose texts have the same multiset of numbers.

    Without it a threshold of 0.9 takes 79 to 96 % of problems that differ in their numbers alone for copies.
    """

    signatures: U64
    """From `Numbers.signature`, one per row."""

    @classmethod
    def of(cls, texts: Texts) -> NumberGuard:
        """Reads the numbers of all rows."""
        return cls(numbers(texts).signature())

    def passes(self, edges: Edges) -> npt.NDArray[np.bool_]:
        """True where the numbers are equal."""
        return np.asarray(self.signatures[edges.left] == self.signatures[edges.right])


@dataclass(frozen=True, slots=True)
class TailGuard:
    """Passes pairs in which what the model did not read of one text is found in the other.

    A model with a window of 256 tokens gives two long texts with the same passage and different questions a
    cosine of 1. For each text that is longer than the window, at least `least` of the 3-word shingles of its
    unread tail must occur in the other text.
    """

    texts: pa.Array | pa.ChunkedArray
    tail_start: npt.NDArray[np.int64]
    """From `Embedded.tail_start`: characters, -1 for a text that was read whole."""
    least: float = 0.5

    def passes(self, edges: Edges) -> npt.NDArray[np.bool_]:
        """True where every unread tail is covered."""
        good = np.ones(edges.left.size, bool)
        long = np.flatnonzero((self.tail_start[edges.left] >= 0) | (self.tail_start[edges.right] >= 0))
        if long.size == 0:
            return good
        rows = np.unique(np.concatenate([edges.left[long], edges.right[long]]))
        texts = self.texts.take(pa.array(rows)).to_pylist()
        starts = self.tail_start[rows].tolist()
        whole = shingle_sets(pa.array([t or "" for t in texts], pa.large_string()))
        tails = shingle_sets(
            pa.array([(t or "")[s:] if s >= 0 else "" for t, s in zip(texts, starts, strict=True)])
        )
        left, right = np.searchsorted(rows, edges.left[long]), np.searchsorted(rows, edges.right[long])
        for k, a, b in zip(long.tolist(), left.tolist(), right.tolist(), strict=True):
            good[k] = self._covered(tails[a], whole[b]) and self._covered(tails[b], whole[a])
        return good

    def _covered(self, tail: U64, other: U64) -> bool:
        """A text read whole, or with a tail too short for a shingle, has nothing to find."""
        return tail.size == 0 or np.isin(tail, other).mean() >= self.least
