"""Pairs of rows that a search proposes, held until all are known; on disk beyond a number of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
import numpy.typing as npt

__all__ = ["Edges", "PairStore"]

I64 = npt.NDArray[np.int64]
_EDGE = np.dtype([("later", "<i8"), ("earlier", "<i8"), ("score", "<f4")])
_BUCKETS = 64


@dataclass(frozen=True, slots=True)
class Edges:
    """Pairs of rows with `left < right` and how alike they are: a cosine, or a Jaccard index."""

    left: I64
    right: I64
    score: npt.NDArray[np.float32]

    def where(self, chosen: npt.NDArray[np.bool_]) -> Edges:
        """The chosen pairs."""
        return Edges(self.left[chosen], self.right[chosen], self.score[chosen])


class PairStore:
    """Collects pairs in any order, from anywhere, and gives them by the rank of their later row.

    Beyond `max_edges` the pairs go to temporary files, so memory does not grow with them.
    """

    def __init__(self, rank: I64, *, max_edges: int = 8_000_000) -> None:
        self.rank = rank
        self.added = 0
        """Pairs that were added, with repetitions."""
        self._max_edges = max_edges
        self._held: list[list[npt.NDArray[np.void]]] = [[] for _ in range(_BUCKETS)]
        self._files: list[IO[bytes] | None] = [None] * _BUCKETS
        self._count = 0

    def add(self, edges: Edges) -> None:
        """Takes pairs over row numbers; the same pair may come more than once."""
        if edges.left.size == 0:
            return
        ranks = self.rank[edges.left], self.rank[edges.right]
        pairs = np.empty(edges.left.size, _EDGE)
        pairs["later"], pairs["earlier"] = np.maximum(*ranks), np.minimum(*ranks)
        pairs["score"] = edges.score
        bucket = pairs["later"] * _BUCKETS // self.rank.size
        for b in np.unique(bucket).tolist():
            self._held[b].append(pairs[bucket == b])
        self._count += pairs.size
        self.added += pairs.size
        if self._count > self._max_edges:
            self._spill()

    def by_later(self, *, fixed: int = 0) -> Iterator[tuple[int, list[int], list[float]]]:
        """For each rank from `fixed` on with pairs: the ranks before it that it is paired with, the most
        alike first, each once, and their scores."""
        for pairs in self._buckets():
            open_ = pairs[pairs["later"] >= fixed]
            order = np.lexsort((open_["earlier"], -open_["score"], open_["later"]))
            later, earlier, score = (open_[name][order] for name in ("later", "earlier", "score"))
            cuts = np.flatnonzero(np.diff(later, prepend=-1, append=-1))
            for first, last in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
                best = dict(
                    zip(
                        reversed(earlier[first:last].tolist()),
                        reversed(score[first:last].tolist()),
                        strict=True,
                    )
                )
                order_of = sorted(best, key=lambda rank: (-best[rank], rank))
                yield int(later[first]), order_of, [best[rank] for rank in order_of]

    def _spill(self) -> None:
        for b, held in enumerate(self._held):
            if not held:
                continue
            file = self._files[b] or tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the store
            for pairs in held:
                file.write(pairs.tobytes())
            self._files[b] = file
            held.clear()
        self._count = 0

    def _buckets(self) -> Iterator[npt.NDArray[np.void]]:
        """All pairs, a range of ranks at a time."""
        for b in range(_BUCKETS):
            parts, file = list(self._held[b]), self._files[b]
            if file is not None:
                file.seek(0)
                parts.append(np.frombuffer(file.read(), _EDGE))
                file.seek(0, 2)
            if parts:
                yield np.concatenate(parts)
