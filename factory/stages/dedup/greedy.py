"""From pairs to removals: greedy keep in the order of rank, and clusters for the report."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.stages.dedup.keep_order import removals
from factory.stages.dedup.pair_search import Edges

__all__ = ["GreedyKeep", "Kept"]

I64 = npt.NDArray[np.int64]
_EDGE = np.dtype([("later", "<i8"), ("earlier", "<i8"), ("score", "<f4")])
_BUCKETS = 64


@dataclass(frozen=True, slots=True)
class Kept:
    """Outcome of a greedy keep."""

    removals: pa.Table
    """Schema `REMOVALS`."""
    clusters: I64
    """Per row, the best-ranked row of its connected group; a row without pairs is its own group."""

    def largest_share(self) -> float:
        """Share of all rows that the largest connected group holds: near 1 says the threshold is too low."""
        if self.clusters.size == 0:
            return 0.0
        return float(np.bincount(self.clusters).max() / self.clusters.size)


@dataclass(slots=True)
class GreedyKeep:
    """Collects pairs in any order, from anywhere, and then keeps greedily.

    Rows are visited by rank; a row goes when a kept row before it is its pair, so chains do not swallow rows
    that are like no kept row. The result depends on the set of pairs and the ranks alone. Beyond
    `max_edges` the pairs go to temporary files, so memory does not grow with them.
    """

    rank: I64
    max_edges: int = 8_000_000
    scratch: str | None = None
    """Folder of the temporary files; the system's own by default."""
    _parent: I64 = field(init=False)
    _held: list[list[npt.NDArray[np.void]]] = field(init=False)
    _files: list[IO[bytes] | None] = field(init=False)
    _count: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._parent = np.arange(self.rank.size, dtype=np.int64)
        self._held = [[] for _ in range(_BUCKETS)]
        self._files = [None] * _BUCKETS

    def add(self, edges: Edges) -> None:
        """Takes pairs over row numbers; the same pair may come more than once."""
        from factory.text.kernels import graph

        if edges.left.size == 0:
            return
        ranks = self.rank[edges.left], self.rank[edges.right]
        pairs = np.empty(edges.left.size, _EDGE)
        pairs["later"], pairs["earlier"] = np.maximum(*ranks), np.minimum(*ranks)
        pairs["score"] = edges.cosine
        graph.unite(self._parent, pairs["later"].copy(), pairs["earlier"].copy())
        bucket = pairs["later"] * _BUCKETS // self.rank.size
        for b in np.unique(bucket).tolist():
            self._held[b].append(pairs[bucket == b])
        self._count += pairs.size
        if self._count > self.max_edges:
            self._spill()

    def finish(self, *, reason: str, fixed: int = 0) -> Kept:
        """Decides all rows. The `fixed` best-ranked rows (earlier releases) stay whatever their pairs."""
        from factory.text.kernels import graph

        n = self.rank.size
        removed, best, score = np.zeros(n, np.int8), np.zeros(n, np.int64), np.zeros(n, np.float32)
        for pairs in self._buckets():
            open_ = pairs[pairs["later"] >= fixed]
            later, earlier = open_["later"].copy(), open_["earlier"].copy()
            graph.keep_greedily(later, earlier, open_["score"].copy(), removed, best, score)
        by_rank = np.empty(n, np.int64)
        by_rank[self.rank] = np.arange(n)
        gone = np.flatnonzero(removed)
        root = np.empty(n, np.int64)
        graph.roots(self._parent, root)
        table = removals(by_rank[gone], by_rank[best[gone]], reason=reason, score=score[gone])
        return Kept(table, by_rank[root[self.rank]])

    def _spill(self) -> None:
        for b, held in enumerate(self._held):
            if not held:
                continue
            file = self._files[b] or tempfile.TemporaryFile(dir=self.scratch)  # noqa: SIM115
            for pairs in held:
                file.write(pairs.tobytes())
            self._files[b] = file
            held.clear()
        self._count = 0

    def _buckets(self) -> Iterator[npt.NDArray[np.void]]:
        """All pairs, a range of ranks at a time, sorted by the later row."""
        for b in range(_BUCKETS):
            parts, file = list(self._held[b]), self._files[b]
            if file is not None:
                file.seek(0)
                parts.append(np.frombuffer(file.read(), _EDGE))
                file.seek(0, 2)
            if parts:
                pairs = np.concatenate(parts)
                yield pairs[np.lexsort((pairs["earlier"], pairs["later"]))]
