"""Removes rows whose prompt has nearly the same words as another's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from factory.core import Site, Spread, prompt_texts
from factory.stages.decisions import flat
from factory.stages.dedup.dedup_base import DedupStage, Ranking
from factory.stages.dedup.fuzzy_pairs import SketchRows, spread_fuzzy_pairs
from factory.stages.dedup.lazy_calls import fixed_binary

if TYPE_CHECKING:
    from factory.stages.dedup.minhash import MinHashSearch
    from factory.stages.dedup.pair_search import Edges

__all__ = ["DedupFuzzy"]

F32 = npt.NDArray[np.float32]


class DedupFuzzy(DedupStage):
    """Removes near copies by MinHash over word shingles: typos, inserted words, wrapped prompts.

    Needs no model, and runs before the semantic dedup so that less text is embedded. Kept is the row with
    tests, then with a reference, then the harder one, then of the preferred source, then the first. Each
    range of band keys is searched by itself; in memory stay some 120 bytes of each row, the rest on disk.
    """

    type: Literal["dedup-fuzzy"] = "dedup-fuzzy"
    version: ClassVar[int] = 2
    requires: ClassVar[frozenset[str]] = DedupStage.requires | {"domain"}
    min_jaccard: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Least Jaccard index of the 3-word shingles of a near copy; 0.5 finds all prompts with a typo in 6 % of
    their words, where 5-word shingles at 0.7 find a third."""
    domain_min_jaccard: dict[str, Annotated[float, Field(gt=0, le=1)]] = {"code": 0.7}  # noqa: RUF012
    """The same for some domains, the larger counts for a pair of two: code tasks share long phrases."""
    words: Annotated[int, Field(ge=1, le=20)] = 3
    """Words of a shingle."""
    number_guard: bool = True
    """Whether prompts whose numbers differ both stay."""

    def survey(self, batch: pa.Table) -> pa.Table:
        """One row per row: who it is, its MinHash signature, band keys and the signature of its numbers."""
        from factory.stages.dedup.minhash import sketch

        sketches = sketch(prompt_texts(batch["prompt"]), search=self._search())
        columns = {
            "domain": flat(batch["domain"]),
            "signature": fixed_binary(sketches.signatures),
            "keys": fixed_binary(sketches.keys.T),
            "numbers": pa.array(sketches.numbers),
        }
        return pa.table(self.surveyed(batch) | columns)

    def decide(self, surveys: Sequence[pa.Table], *, site: Site, spread: Spread) -> pa.Table:
        """Keeps greedily by rank; evidence is the kept row and the estimated Jaccard index."""
        from factory.stages.dedup.greedy import GreedyKeep

        ranking, sketches, least = self._read(surveys)
        if not ranking.new_rows:
            return ranking.decision(np.zeros(0, np.int64), reason="near_duplicate", evidence=[], report={})
        rank = ranking.rank()
        greedy = GreedyKeep(rank)
        for edges in spread_fuzzy_pairs(
            sketches, rank=rank, search=self._search(), new_from=ranking.fixed, spread=spread
        ):
            greedy.add(_above(edges, least))
        kept = greedy.finish(reason="near_duplicate", fixed=ranking.fixed)
        removed, heads = kept.removals["row"].to_numpy(), kept.removals["kept_row"].to_numpy()
        scores = kept.removals["score"].to_pylist()
        evidence: list[dict[str, Any]] = [
            proof | {"jaccard": round(score, 4)}
            for proof, score in zip(ranking.kept(heads), scores, strict=True)
        ]
        report = {"largest_cluster": int(np.bincount(kept.clusters).max())}
        return ranking.decision(removed, reason="near_duplicate", evidence=evidence, report=report)

    def _read(self, surveys: Sequence[pa.Table]) -> tuple[Ranking, SketchRows, F32]:
        """The rows, their sketches, and the least Jaccard index of each."""
        ranking, sketches = Ranking(), SketchRows(self._search().bands)
        least = [np.zeros(0, np.float32)]
        for label, batch in self.earlier_batches():
            survey = self.survey(batch)
            ranking.add_earlier(label, survey)
            sketches.add(survey)
            least.append(self._least(survey["domain"].to_pylist()))
        for survey in surveys:
            ranking.add(survey)
            sketches.add(survey)
            least.append(self._least(survey["domain"].to_pylist()))
        return ranking, sketches, np.concatenate(least)

    def _search(self) -> MinHashSearch:
        from factory.stages.dedup.minhash import MinHashSearch

        least = min([self.min_jaccard, *self.domain_min_jaccard.values()])
        return MinHashSearch(threshold=least, words=self.words, number_guard=self.number_guard)

    def _least(self, domains: Sequence[str | None]) -> F32:
        """Least Jaccard index of each row."""
        return np.array([self.domain_min_jaccard.get(d or "", self.min_jaccard) for d in domains], np.float32)


def _above(edges: Edges, least: F32) -> Edges:
    wanted = np.maximum(least[edges.left], least[edges.right])
    return edges.where(edges.cosine >= wanted)
