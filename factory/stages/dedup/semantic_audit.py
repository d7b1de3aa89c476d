"""How many of all pairs a search found: a random sample of rows compared with every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from factory.embeddings.vectors import Vectors
    from factory.stages.dedup.pairs import Edges

__all__ = ["PairAudit", "Recall"]


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


class PairAudit:
    """All pairs of some rows, found by brute force once, against which any number of searches is held.

    Rows below `new_from` belong to earlier releases: none of them is sampled.
    """

    def __init__(
        self, vectors: Vectors, *, threshold: float, sample: int, new_from: int = 0, seed: int = 0
    ) -> None:
        from factory.stages.dedup.pair_search import cluster_pairs

        new = len(vectors) - new_from
        rng = np.random.default_rng(seed)
        self._sampled = np.zeros(len(vectors), bool)
        self._sampled[new_from + rng.choice(new, min(sample, new), replace=False)] = True
        rows = np.arange(len(vectors), dtype=np.int64)
        self._pairs: set[tuple[int, int]] = set()
        # "At home" is what a search asks about: here the sampled rows, against themselves and all others.
        for edges in cluster_pairs(vectors, rows, self._sampled, threshold=threshold, new_from=new_from):
            self._pairs |= _pairs(edges)
        self._found: set[tuple[int, int]] = set()

    def begin(self) -> None:
        """Forgets what an earlier search found."""
        self._found = set()

    def observe(self, edges: Edges) -> None:
        """Notes the found pairs that touch a sampled row; wants them before any guard."""
        touched: npt.NDArray[np.bool_] = self._sampled[edges.left] | self._sampled[edges.right]
        self._found |= _pairs(edges.where(touched))

    def recall(self) -> Recall:
        """Share of the sampled rows' pairs that the search found, with its 95 % interval."""
        from factory.core.intervals import wilson

        pairs, found = len(self._pairs), len(self._pairs & self._found)
        low, high = wilson(found, pairs)
        return Recall(int(self._sampled.sum()), pairs, found, found / pairs if pairs else 1.0, low, high)


def _pairs(edges: Edges) -> set[tuple[int, int]]:
    return set(zip(edges.left.tolist(), edges.right.tolist(), strict=True))
