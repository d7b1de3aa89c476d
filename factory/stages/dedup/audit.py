"""Measured recall of a pair search: brute force over a random sample of rows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from factory.core.intervals import wilson
from factory.embeddings.vectors import Vectors
from factory.stages.dedup.pair_search import Edges, cluster_pairs

__all__ = ["Audit", "Recall"]

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Recall:
    """Pairs that touch the sampled rows: how many exist, how many the search found."""

    rows: int
    pairs: int
    found: int
    recall: float
    low: float
    high: float
    """95 % Wilson interval of the recall; 0 to 1 when no pair exists."""


@dataclass(slots=True)
class Audit:
    """Watches a search, then checks it: `observe` all pairs before any guard, then `report`."""

    total_rows: int
    sample: int = 1000
    seed: int = 0
    _rows: I64 = field(init=False)
    _seen: set[tuple[int, int]] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        size = min(self.sample, self.total_rows)
        self._rows = np.sort(rng.choice(self.total_rows, size, replace=False))

    def observe(self, edges: Edges) -> None:
        """Notes the found pairs that touch a sampled row."""
        touched = np.isin(edges.left, self._rows) | np.isin(edges.right, self._rows)
        chosen = edges.where(touched)
        self._seen.update(zip(chosen.left.tolist(), chosen.right.tolist(), strict=True))

    def report(self, vectors: Vectors, *, threshold: float) -> Recall:
        """Compares the sampled rows with all rows."""
        rows = np.arange(len(vectors), dtype=np.int64)
        sampled = np.zeros(len(vectors), bool)
        sampled[self._rows] = True
        pairs: set[tuple[int, int]] = set()
        # "At home" is what a search asks about: here the sampled rows, against themselves and all others.
        for edges in cluster_pairs(vectors, rows, sampled, threshold=threshold):
            pairs.update(zip(edges.left.tolist(), edges.right.tolist(), strict=True))
        found = len(pairs & self._seen)
        low, high = wilson(found, len(pairs))
        return Recall(self._rows.size, len(pairs), found, found / len(pairs) if pairs else 1.0, low, high)
