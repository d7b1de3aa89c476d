"""Removes rows whose prompt has nearly the same words as another's and says the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from factory.core import Site, Spread, prompt_texts
from factory.stages.dedup.compared_rows import ComparedRows, compared_columns
from factory.stages.dedup.decided import decided
from factory.stages.dedup.dedup_base import DedupStage, Ranking
from factory.stages.dedup.fuzzy_pairs import SketchRows, spread_fuzzy_pairs
from factory.stages.dedup.judged import keep_greedily
from factory.stages.dedup.lazy_calls import fixed_binary
from factory.stages.dedup.pairs import Edges, PairStore

if TYPE_CHECKING:
    from factory.stages.dedup.minhash import MinHashSearch

__all__ = ["DedupFuzzy"]

F32 = npt.NDArray[np.float32]


class DedupFuzzy(DedupStage):
    """Removes near copies that MinHash over word shingles proposes: typos, other LaTeX, wrapped prompts.

    Each proposed pair is judged: only edits that change nothing make a copy, other words where the answers
    agree, and pairs that nothing decides are for review. Needs no model, and runs before the semantic dedup
    so that less text is embedded. Kept is the row with tests, then with a reference, then the harder one,
    then of the preferred source, then the first. Each range of band keys is searched by itself; in memory
    stay some 160 bytes of each row, the rest on disk.
    """

    type: Literal["dedup-fuzzy"] = "dedup-fuzzy"
    version: ClassVar[int] = 3
    min_jaccard: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Least Jaccard index of the 3-word shingles of a pair that is judged; 0.5 proposes all prompts with a
    typo in 6 % of their words, where 5-word shingles at 0.7 propose a third."""
    domain_min_jaccard: dict[str, Annotated[float, Field(gt=0, le=1)]] = {"code": 0.6}  # noqa: RUF012
    """The same for some domains, the larger counts for a pair of two: code tasks share long phrases."""
    words: Annotated[int, Field(ge=1, le=20)] = 3
    """Words of a shingle."""

    def survey(self, batch: pa.Table) -> pa.Table:
        """One row per row: who it is, its MinHash signature, band keys, and what it is judged by."""
        from factory.stages.dedup.minhash import sketch

        sketches = sketch(prompt_texts(batch["prompt"]), search=self._search())
        columns = {
            "signature": fixed_binary(sketches.signatures),
            "keys": fixed_binary(sketches.keys.T),
            "numbers": pa.array(sketches.numbers),
        }
        return pa.table(self.surveyed(batch) | compared_columns(batch) | columns)

    def decide(self, surveys: Sequence[pa.Table], *, site: Site, spread: Spread) -> pa.Table:
        """Keeps greedily by rank; evidence is the kept row, the Jaccard index and the harmless difference."""
        ranking, rows, sketches = Ranking(), ComparedRows(), SketchRows(self._search().bands)
        for label, survey in self.labelled(surveys):
            ranking.append(survey, label)
            rows.add(survey)
            sketches.add(survey)
        if not ranking.new_rows:
            return ranking.decision(np.zeros(0, np.int64), reason="near_duplicate", evidence=[], report={})
        rank, least = ranking.rank(), self._least(rows)
        pairs = PairStore(rank)
        for edges in spread_fuzzy_pairs(
            sketches, rank=rank, search=self._search(), new_from=ranking.fixed, spread=spread
        ):
            pairs.add(_comparable(edges, least, rows.settings))
        found = keep_greedily(pairs, rows.problem, fixed=ranking.fixed, doubtful=self.doubtful)
        return decided(
            ranking, rows, found, doubtful=self.doubtful, score_name="jaccard",
            report={"pairs_proposed": pairs.added},
        )  # fmt: skip

    def _search(self) -> MinHashSearch:
        from factory.stages.dedup.minhash import MinHashSearch

        least = min([self.min_jaccard, *self.domain_min_jaccard.values()])
        return MinHashSearch(threshold=least, words=self.words)

    def _least(self, rows: ComparedRows) -> F32:
        """Least Jaccard index of each row."""
        codes, names = rows.codes("domain")
        of = np.array([self.domain_min_jaccard.get(n, self.min_jaccard) for n in names], np.float32)
        return of[codes]


def _comparable(edges: Edges, least: F32, settings: npt.NDArray[np.uint64]) -> Edges:
    """Pairs that are alike enough, of one domain and with the same other turns."""
    wanted = np.maximum(least[edges.left], least[edges.right])
    return edges.where((edges.score >= wanted) & (settings[edges.left] == settings[edges.right]))
