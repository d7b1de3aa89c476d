"""Every pair of rows whose cosine reaches a threshold: exact below 20,000 rows, by soft clusters above.

Spherical k-means cuts the rows into clusters. Each row goes to its nearest cluster (its home) and to the
next nearest within a cosine margin; inside a cluster the search is exact. On real sentence embeddings a
margin of 0.1 with at most 8 clusters per row finds 0.9998 of all pairs; one cluster per row, 0.79 to 0.98.

The pieces are separate so that an engine can spread them: `train_centroids` once, `assign` per shard of rows,
`cluster_pairs` per cluster, in any order and anywhere. Pairs are rescored in a fixed order of summation, so
neither shards nor blocks change the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from factory.embeddings.vectors import Vectors
from factory.stages.dedup.pairs import Edges

__all__ = ["Membership", "PairSearch", "assign", "cluster_pairs", "train_centroids"]

I64 = npt.NDArray[np.int64]
F32 = npt.NDArray[np.float32]
_TILE_ROWS, _TILE_COLUMNS = 512, 4096  # 8 MB of scores: stays in the processor's cache
_ASSIGN_ROWS = 4096
_SLACK = 1e-4  # a float32 product of unit vectors errs by less; candidates are rescored


@dataclass(frozen=True, slots=True)
class PairSearch:
    """How pairs are searched: what `DedupSemantic` sets, and constants."""

    threshold: float
    """Least cosine of a pair."""
    margin: float
    """A row also joins clusters whose cosine is within this of its home's."""
    flat_below: int
    """Fewer rows than this are compared one with all."""
    max_clusters: int = 8
    """Most clusters a row joins."""
    cluster_rows: int = 2500
    """Mean rows at home in a cluster."""
    sample_per_cluster: int = 64
    """Rows per cluster that k-means learns from."""
    iterations: int = 10
    """Rounds of k-means."""
    seed: int = 0
    """Seeds k-means and its sample."""

    def clusters(self, rows: int) -> int:
        """How many clusters that many rows are cut into."""
        return max(1, rows // self.cluster_rows)


@dataclass(frozen=True, slots=True)
class Membership:
    """Which row is in which cluster; a row has one membership that is its home, and maybe others."""

    rows: I64
    clusters: npt.NDArray[np.int32]
    home: npt.NDArray[np.bool_]


def train_centroids(vectors: Vectors, *, search: PairSearch) -> F32:
    """Centroids (k, d) of length 1 by spherical k-means over a seeded sample of the rows."""
    import faiss

    k = search.clusters(len(vectors))
    rng = np.random.default_rng(search.seed)
    size = min(len(vectors), k * search.sample_per_cluster)
    sample = vectors.take(np.sort(rng.choice(len(vectors), size, replace=False)))
    # faiss keeps 256 points per centroid and warns below 39 unless told otherwise.
    kmeans = faiss.Kmeans(
        vectors.dimension, k, niter=search.iterations, spherical=True, seed=search.seed,
        min_points_per_centroid=1, max_points_per_centroid=search.sample_per_cluster,
    )  # fmt: skip
    kmeans.train(sample)
    return np.asarray(kmeans.centroids, np.float32)


def assign(vectors: Vectors, centroids: F32, *, search: PairSearch, first_row: int = 0) -> Membership:
    """The clusters of each row; rows are numbered from `first_row` on.

    The nearest clusters are rescored in a fixed order of summation and ties go to the lower cluster, so that
    blocks and shards of any size agree.
    """
    rows: list[I64] = [np.zeros(0, np.int64)]
    clusters: list[npt.NDArray[np.int32]] = [np.zeros(0, np.int32)]
    home: list[npt.NDArray[np.bool_]] = [np.zeros(0, bool)]
    for first in range(0, len(vectors), _ASSIGN_ROWS):
        row, cluster, at_home = _nearest(vectors.take(slice(first, first + _ASSIGN_ROWS)), centroids, search)
        rows.append(row + first + first_row)
        clusters.append(cluster.astype(np.int32))
        home.append(at_home)
    return Membership(np.concatenate(rows), np.concatenate(clusters), np.concatenate(home))


def _nearest(block: F32, centroids: F32, search: PairSearch) -> tuple[I64, I64, npt.NDArray[np.bool_]]:
    """(row, cluster, is home) of each membership of a block of rows, sorted by row, nearest first."""
    from factory.text.kernels import graph

    most = search.max_clusters + 4  # spare places for clusters that rescoring moves
    row, cluster = np.empty(len(block) * most, np.int64), np.empty(len(block) * most, np.int64)
    count = graph.near_columns(block @ centroids.T, most, search.margin + _SLACK, row, cluster)
    row, cluster = row[:count], cluster[:count]
    cosine = np.empty(count, np.float32)
    graph.rescore_floats(block, row, centroids, cluster, cosine)
    order = np.lexsort((cluster, -cosine, row))
    row, cluster, cosine = row[order], cluster[order], cosine[order]
    opens = np.flatnonzero(np.diff(row, prepend=-1))
    head = np.repeat(opens, np.diff(opens, append=count))
    place = np.arange(count) - head
    joined = (place < search.max_clusters) & (cosine >= cosine[head] - np.float32(search.margin))
    return row[joined], cluster[joined], (place == 0)[joined]


def cluster_pairs(
    vectors: Vectors, rows: I64, home: npt.NDArray[np.bool_], *, threshold: float, new_from: int = 0
) -> Iterator[Edges]:
    """Pairs inside one cluster of which one row at least is at home; exact.

    `vectors[i]` belongs to row number `rows[i]`. Rows below `new_from` belong to earlier releases: they are
    not compared with each other. A pair whose rows share two clusters may come twice.
    """
    new = rows >= new_from
    asked = np.flatnonzero(home & new)
    others = np.flatnonzero(~(home & new))
    yield from _half(vectors, rows, asked, threshold)
    yield from _rectangle(vectors, rows, asked, others, threshold)
    yield from _rectangle(vectors, rows, np.flatnonzero(home & ~new), np.flatnonzero(~home & new), threshold)


def _half(vectors: Vectors, rows: I64, chosen: I64, threshold: float) -> Iterator[Edges]:
    """Pairs among the chosen rows, each once."""
    for top in range(0, chosen.size, _TILE_ROWS):
        above = chosen[top : top + _TILE_ROWS]
        block = vectors.take(above)
        yield from _tile(vectors, rows, above, block, above, block, threshold, 0)
        yield from _strip(vectors, rows, above, block, chosen[top + _TILE_ROWS :], threshold)


def _rectangle(vectors: Vectors, rows: I64, above: I64, across: I64, threshold: float) -> Iterator[Edges]:
    """Pairs of one row from `above` with one from `across`, which share none."""
    for top in range(0, above.size if across.size else 0, _TILE_ROWS):
        chosen = above[top : top + _TILE_ROWS]
        yield from _strip(vectors, rows, chosen, vectors.take(chosen), across, threshold)


def _strip(
    vectors: Vectors, rows: I64, above: I64, block: F32, across: I64, threshold: float
) -> Iterator[Edges]:
    for side in range(0, across.size, _TILE_COLUMNS):
        columns = across[side : side + _TILE_COLUMNS]
        yield from _tile(vectors, rows, above, block, columns, vectors.take(columns), threshold, -1)


def _tile(
    vectors: Vectors, rows: I64, above: I64, block: F32, across: I64, other: F32, threshold: float,
    diagonal: int,
) -> Iterator[Edges]:  # fmt: skip
    """Pairs of one tile: candidates by matrix product, then rescored."""
    from factory.text.kernels import graph

    scores = block @ other.T
    left, right = np.empty(1 << 14, np.int32), np.empty(1 << 14, np.int32)
    count = graph.pick(scores, threshold - _SLACK, diagonal, left, right)
    if count > left.size:
        left, right = np.empty(count, np.int32), np.empty(count, np.int32)
        graph.pick(scores, threshold - _SLACK, diagonal, left, right)
    if count == 0:
        return
    a, b = above[left[:count]], across[right[:count]]
    cosine = np.empty(a.size, np.float32)
    codes: Any = vectors.values
    if codes.dtype == np.int8:
        graph.rescore_codes(codes, vectors.scales, a, b, cosine)
    else:
        places = left[:count].astype(np.int64), right[:count].astype(np.int64)
        graph.rescore_floats(block, places[0], other, places[1], cosine)
    kept = cosine >= np.float32(threshold)
    one, two = rows[a[kept]], rows[b[kept]]
    yield Edges(np.minimum(one, two), np.maximum(one, two), cosine[kept])
