"""The rows of a semantic dedup, and the search for near-duplicates among them until enough are found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.core import Spread
from factory.stages.dedup.dedup_base import Ranking
from factory.stages.dedup.lazy_calls import matrix_of
from factory.stages.dedup.semantic_audit import PairAudit
from factory.stages.dedup.semantic_pairs import spread_pairs
from factory.stages.dedup.spill import ScratchRows, ScratchTexts

if TYPE_CHECKING:
    from factory.embeddings.vectors import Vectors
    from factory.stages.dedup.greedy import Kept
    from factory.stages.dedup.pair_search import Edges

__all__ = ["LONG_CHARS", "SemanticRows", "searched"]

LONG_CHARS = 500
"""Texts from this length on are kept in the survey: they may reach beyond a window of 256 tokens."""
_AUDITED_ROWS = 1000
_LEAST_RECALL = 0.999
_WIDER = ((1, 8), (2, 16), (4, 32))
"""Factor of the margin, and most clusters of a row, of each search until the recall is reached."""


class SemanticRows:
    """Who the rows are, their vectors and what the guards look at; vectors and texts are on disk."""

    def __init__(self) -> None:
        self.ranking = Ranking()
        self._codes, self._texts = ScratchRows(np.int8), ScratchTexts()
        self._small: dict[str, list[npt.NDArray[Any]]] = {"scale": [], "tail_start": [], "numbers": []}

    def add(self, survey: pa.Table, *, label: str | None = None) -> None:
        """Appends the rows of a survey: of an earlier release with this label, or of the next shard."""
        if label is None:
            self.ranking.add(survey)
        else:
            self.ranking.add_earlier(label, survey)
        self._codes.add(matrix_of(survey["codes"], np.int8))
        self._texts.add(survey["long_text"])
        for name, parts in self._small.items():
            parts.append(survey[name].to_numpy())

    def column(self, name: str) -> npt.NDArray[Any]:
        """`scale`, `tail_start` or `numbers` of all rows."""
        self._small[name] = [np.concatenate(self._small[name])]
        return self._small[name][0]

    def vectors(self) -> Vectors:
        """The vectors of all rows."""
        from factory.embeddings.vectors import Vectors

        return Vectors(self._codes.mapped(), self.column("scale"))

    def equal_numbers(self, edges: Edges) -> Edges:
        """The pairs whose texts have the same numbers."""
        from factory.stages.dedup.guards import NumberGuard

        return edges.where(NumberGuard(self.column("numbers")).passes(edges))

    def alike_tails(self, edges: Edges) -> Edges:
        """The pairs in which what the model did not read of one text is found in the other."""
        from factory.stages.dedup.guards import TailGuard
        from factory.stages.dedup.pair_search import Edges

        tails = self.column("tail_start")
        long = np.flatnonzero((tails[edges.left] >= 0) | (tails[edges.right] >= 0))
        if long.size == 0:
            return edges
        left, right = edges.left[long], edges.right[long]
        rows = np.unique(np.concatenate([left, right]))
        guard = TailGuard(pa.array(self._texts.take(rows), pa.large_string()), tails[rows])
        good = np.ones(edges.left.size, bool)
        good[long] = guard.passes(
            Edges(np.searchsorted(rows, left), np.searchsorted(rows, right), edges.cosine[long])
        )
        return edges.where(good)


def searched(
    rows: SemanticRows,
    *,
    threshold: float,
    margin: float,
    flat_below: int,
    guards: tuple[bool, bool],
    spread: Spread,
) -> tuple[Kept, dict[str, Any]]:
    """The rows kept greedily, and the report; `guards` says whether numbers and tails are compared.

    Searches again, wider, while the audit finds less than 0.999 of the pairs; the last search counts.
    """
    from factory.stages.dedup.greedy import GreedyKeep
    from factory.stages.dedup.pair_search import PairSearch

    vectors, fixed, rank = rows.vectors(), rows.ranking.fixed, rows.ranking.rank()
    audit = PairAudit(vectors, threshold=threshold, sample=_AUDITED_ROWS, new_from=fixed)
    searches: list[dict[str, Any]] = []
    for factor, most in _WIDER:
        wide = min(1.0, max(margin * factor, 0.1 * factor if factor > 1 else 0.0))
        search = PairSearch(threshold=threshold, margin=wide, max_clusters=most, flat_below=flat_below)
        greedy, found, passed = GreedyKeep(rank), 0, 0
        audit.begin()
        for edges in spread_pairs(vectors, search=search, spread=spread, new_from=fixed):
            audit.observe(edges)
            found += edges.left.size
            edges = rows.equal_numbers(edges) if guards[0] else edges
            edges = rows.alike_tails(edges) if guards[1] else edges
            passed += edges.left.size
            greedy.add(edges)
        recall = audit.recall()
        searches.append({"margin": wide, "max_clusters": most, **asdict(recall)})
        if recall.recall >= _LEAST_RECALL:
            break
    kept = greedy.finish(reason="near_duplicate", fixed=fixed)
    pairs = {"pairs": found, "pairs_after_guards": passed}
    return kept, pairs | _report(kept, searches)


def _report(kept: Kept, searches: list[dict[str, Any]]) -> dict[str, Any]:
    sizes = np.bincount(kept.clusters)
    return {
        "search": searches[-1],
        "searches": len(searches),
        "clusters": int((sizes > 1).sum()),
        "largest_cluster": int(sizes.max()),
        "alarms": list(_too_few(searches)),
    }


def _too_few(searches: list[dict[str, Any]]) -> Iterator[str]:
    last = searches[-1]
    if last["recall"] < _LEAST_RECALL:
        yield f"{len(searches)} searches found {last['recall']:.4f} of all pairs; raise clusters_from"
