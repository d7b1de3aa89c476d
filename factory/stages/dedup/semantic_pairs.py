"""The pair search of semantic dedup, cut into calls that an engine can spread."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from factory.core import Spread
from factory.stages.dedup.lazy_calls import LazyCalls

if TYPE_CHECKING:
    from factory.embeddings.vectors import Vectors
    from factory.stages.dedup.pair_search import Membership, PairSearch
    from factory.stages.dedup.pairs import Edges

__all__ = ["spread_pairs"]

I64 = npt.NDArray[np.int64]
_CALL_ROWS = 50_000
"""Rows, or memberships of clusters, in one call: 20 MB of vectors, some seconds of work."""


def spread_pairs(
    vectors: Vectors, *, search: PairSearch, spread: Spread, new_from: int = 0
) -> Iterator[Edges]:
    """All pairs at or above the threshold, but those of two rows below `new_from`.

    From `flat_below` rows on, both the assignment to clusters and the search inside ranges of clusters are
    spread; the pairs found are the same for any way of spreading.
    """
    from factory.stages.dedup.pair_search import cluster_pairs

    if len(vectors) < search.flat_below:
        rows, home = np.arange(len(vectors), dtype=np.int64), np.ones(len(vectors), bool)
        yield from cluster_pairs(vectors, rows, home, threshold=search.threshold, new_from=new_from)
        return
    centroids = _trained(vectors, search)
    members = _assigned(vectors, centroids, search=search, spread=spread)
    order = np.argsort(members.clusters, kind="stable")
    cuts = np.searchsorted(members.clusters[order], np.arange(len(centroids) + 1))
    runs = _runs(cuts.tolist())

    def call(run: int) -> tuple[Any, ...]:
        edges = runs[run]
        chosen = order[edges[0] : edges[-1]]
        rows = members.rows[chosen]
        local = [edge - edges[0] for edge in edges]
        return vectors.select(rows), rows, members.home[chosen], local, search.threshold, new_from

    for found in spread(_searched, LazyCalls(len(runs), call)):
        yield from found


def _trained(vectors: Vectors, search: PairSearch) -> npt.NDArray[np.float32]:
    """Centroids, by one thread: sums by several depend on how many there are."""
    from threadpoolctl import threadpool_limits

    from factory.stages.dedup.pair_search import train_centroids

    with threadpool_limits(1):
        return train_centroids(vectors, search=search)


def _assigned(
    vectors: Vectors, centroids: npt.NDArray[np.float32], *, search: PairSearch, spread: Spread
) -> Membership:
    from factory.stages.dedup.pair_search import Membership

    starts = range(0, len(vectors), _CALL_ROWS)
    calls = LazyCalls(
        len(starts),
        lambda i: (vectors.select(slice(starts[i], starts[i] + _CALL_ROWS)), centroids, search, starts[i]),
    )
    parts = list(spread(_members, calls))
    return Membership(
        np.concatenate([p.rows for p in parts]),
        np.concatenate([p.clusters for p in parts]),
        np.concatenate([p.home for p in parts]),
    )


def _members(
    vectors: Vectors, centroids: npt.NDArray[np.float32], search: PairSearch, first_row: int
) -> Membership:
    from factory.stages.dedup.pair_search import assign

    return assign(vectors, centroids, search=search, first_row=first_row)


def _searched(
    vectors: Vectors, rows: I64, home: npt.NDArray[np.bool_], cuts: list[int], threshold: float, new_from: int
) -> list[Edges]:
    """Pairs inside each of some clusters; cluster i is the vectors from cuts[i] to cuts[i + 1]."""
    from factory.stages.dedup.pair_search import cluster_pairs

    found: list[Edges] = []
    for first, last in pairwise(cuts):
        part = slice(first, last)
        found += cluster_pairs(
            vectors.select(part), rows[part], home[part], threshold=threshold, new_from=new_from
        )
    return found


def _runs(cuts: list[int]) -> list[list[int]]:
    """Neighbouring clusters gathered into runs of about `_CALL_ROWS` memberships."""
    runs, run = [], [cuts[0]]
    for cut in cuts[1:]:
        run.append(cut)
        if cut - run[0] >= _CALL_ROWS:
            runs.append(run)
            run = [cut]
    return [*runs, run] if len(run) > 1 else runs
