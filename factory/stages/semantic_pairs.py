"""The pair search of semantic dedup, cut into calls that an engine can spread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from factory.core import Spread

if TYPE_CHECKING:
    from factory.curation.pairs import Edges, Membership, PairSearch
    from factory.curation.vectors import Vectors

__all__ = ["spread_pairs"]

_CALL_ROWS = 50_000
"""Memberships in one call: 20 MB of vectors, some seconds of work."""


def spread_pairs(vectors: Vectors, *, search: PairSearch, spread: Spread) -> Iterator[Edges]:
    """All pairs at or above the threshold; above `flat_below` rows the clusters are searched by `spread`."""
    from factory.curation.pairs import assign, find_pairs, train_centroids

    if len(vectors) < search.flat_below:
        yield from find_pairs(vectors, search=search)
        return
    centroids = train_centroids(vectors, search=search)
    members = assign(vectors, centroids, search=search)
    for found in spread(
        _searched, _Calls(vectors, members, clusters=len(centroids), threshold=search.threshold)
    ):
        yield from found


def _searched(
    vectors: Vectors,
    rows: npt.NDArray[np.int64],
    home: npt.NDArray[np.bool_],
    cuts: list[int],
    threshold: float,
) -> list[Edges]:
    """Pairs inside each of some clusters; cluster i is the vectors from cuts[i] to cuts[i + 1]."""
    from factory.curation.pairs import cluster_pairs

    found: list[Edges] = []
    for first, last in pairwise(cuts):
        part = slice(first, last)
        found += cluster_pairs(vectors.select(part), rows[part], home[part], threshold=threshold)
    return found


class _Calls(Sequence[tuple[Any, ...]]):
    """Arguments of `_searched`, made when they are asked for: the vectors are never all copied at once."""

    def __init__(self, vectors: Vectors, members: Membership, *, clusters: int, threshold: float) -> None:
        self._vectors, self._members, self._threshold = vectors, members, threshold
        self._order = np.argsort(members.clusters, kind="stable")
        cuts = np.searchsorted(members.clusters[self._order], np.arange(clusters + 1))
        self._runs = _runs(cuts.tolist())

    def __len__(self) -> int:
        return len(self._runs)

    @overload
    def __getitem__(self, index: int) -> tuple[Any, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[tuple[Any, ...]]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        cuts = self._runs[index]
        chosen = self._order[cuts[0] : cuts[-1]]
        rows = self._members.rows[chosen]
        local = [cut - cuts[0] for cut in cuts]
        return self._vectors.select(rows), rows, self._members.home[chosen], local, self._threshold


def _runs(cuts: list[int]) -> list[list[int]]:
    """Neighbouring clusters gathered into runs of about `_CALL_ROWS` memberships."""
    runs, run = [], [cuts[0]]
    for cut in cuts[1:]:
        run.append(cut)
        if cut - run[0] >= _CALL_ROWS:
            runs.append(run)
            run = [cut]
    return [*runs, run] if len(run) > 1 else runs
