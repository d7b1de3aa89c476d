"""The rows of a semantic dedup, and the search for pairs among them until enough are found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.core import Spread
from factory.stages.dedup.compared_rows import ComparedRows
from factory.stages.dedup.dedup_base import Ranking
from factory.stages.dedup.judged import Doubtful, Outcome, keep_greedily
from factory.stages.dedup.lazy_calls import matrix_of
from factory.stages.dedup.pairs import Edges, PairStore
from factory.stages.dedup.semantic_audit import PairAudit
from factory.stages.dedup.semantic_pairs import spread_pairs
from factory.stages.dedup.spill import ScratchRows

if TYPE_CHECKING:
    from factory.embeddings.vectors import Vectors

__all__ = ["SemanticRows", "searched"]

_AUDITED_ROWS = 1000
_LEAST_RECALL = 0.999
_WIDER = ((1, 8), (2, 16), (4, 32))
"""Factor of the margin, and most clusters of a row, of each search until the recall is reached."""


class SemanticRows:
    """Who the rows are, their vectors, how much of them was read, and what they are judged by."""

    def __init__(self) -> None:
        self.ranking, self.compared = Ranking(), ComparedRows()
        self._codes = ScratchRows(np.int8)
        self._small: dict[str, list[npt.NDArray[Any]]] = {"scale": [], "unread": [], "cut": []}

    def add(self, survey: pa.Table, *, label: str | None = None) -> None:
        """Appends the rows of a survey: of an earlier release with this label, or of the next shard."""
        self.ranking.append(survey, label)
        self.compared.add(survey)
        self._codes.add(matrix_of(survey["codes"], np.int8))
        for name, parts in self._small.items():
            parts.append(survey[name].to_numpy())

    def column(self, name: str) -> npt.NDArray[Any]:
        """`scale`, `unread` or `cut` of all rows."""
        self._small[name] = [np.concatenate(self._small[name])]
        return self._small[name][0]

    def vectors(self) -> Vectors:
        """The vectors of all rows."""
        from factory.embeddings.vectors import Vectors

        return Vectors(self._codes.mapped(), self.column("scale"))

    def comparable(self, edges: Edges, readable: npt.NDArray[np.bool_]) -> Edges:
        """Pairs of rows that the model could read, of one domain and with the same other turns."""
        settings = self.compared.settings
        same = settings[edges.left] == settings[edges.right]
        return edges.where(same & readable[edges.left] & readable[edges.right])

    def unreadable(self, readable: npt.NDArray[np.bool_]) -> dict[str, Any]:
        """What the report says of rows that were not read, or not to their end."""
        fixed = self.ranking.fixed
        lost = np.flatnonzero(~readable[fixed:]) + fixed
        report: dict[str, Any] = {
            "unreadable": int(lost.size),
            "unreadable_by_script": self.compared.counts("script", lost),
            "truncated": int(self.column("cut")[fixed:].sum()),
        }
        scripts = self.compared.counts("script", np.arange(fixed, len(readable)))
        report["alarms"] = [
            f"the model cannot read {count} of {scripts[name]} rows in {name} script, which are compared "
            "with none; name a model that reads it"
            for name, count in report["unreadable_by_script"].items()
        ]
        return report


def searched(
    rows: SemanticRows,
    *,
    threshold: float,
    margin: float,
    flat_below: int,
    max_unread: float,
    doubtful: Doubtful,
    spread: Spread,
) -> tuple[Outcome, dict[str, Any]]:
    """What becomes of each row, and the report.

    Searches again, wider, while the audit finds less than 0.999 of the pairs; the last search counts.
    """
    from factory.stages.dedup.pair_search import PairSearch

    vectors, fixed, rank = rows.vectors(), rows.ranking.fixed, rows.ranking.rank()
    readable = rows.column("unread") <= max_unread
    audit = PairAudit(vectors, threshold=threshold, sample=_AUDITED_ROWS, new_from=fixed)
    searches: list[dict[str, Any]] = []
    for factor, most in _WIDER:
        wide = min(1.0, max(margin * factor, 0.1 * factor if factor > 1 else 0.0))
        search = PairSearch(threshold=threshold, margin=wide, max_clusters=most, flat_below=flat_below)
        pairs, found = PairStore(rank), 0
        audit.begin()
        for edges in spread_pairs(vectors, search=search, spread=spread, new_from=fixed):
            audit.observe(edges)
            found += edges.left.size
            pairs.add(rows.comparable(edges, readable))
        recall = audit.recall()
        searches.append({"margin": wide, "max_clusters": most, **asdict(recall)})
        if recall.recall >= _LEAST_RECALL:
            break
    outcome = keep_greedily(pairs, rows.compared.problem, fixed=fixed, doubtful=doubtful)
    return outcome, _report(searches, found, rows.unreadable(readable))


def _report(searches: list[dict[str, Any]], found: int, unread: dict[str, Any]) -> dict[str, Any]:
    alarms = [*_too_few(searches), *unread["alarms"]]
    last = {"pairs_proposed": found, "search": searches[-1], "searches": len(searches)}
    return {**last, **unread, "alarms": alarms}


def _too_few(searches: list[dict[str, Any]]) -> Iterator[str]:
    last = searches[-1]
    if last["recall"] < _LEAST_RECALL:
        yield f"{len(searches)} searches found {last['recall']:.4f} of all pairs; raise clusters_from"
