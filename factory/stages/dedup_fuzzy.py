"""Removes rows whose prompt has nearly the same words as another's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from factory.core import GlobalStage, Site, Spread, prompt_texts
from factory.stages.keeping import KEPT_COLUMNS, as_decision, keep_order, survey_columns

if TYPE_CHECKING:
    from factory.curation.minhash import MinHashSearch, Sketches
    from factory.curation.pairs import Edges

__all__ = ["DedupFuzzy"]


class DedupFuzzy(GlobalStage):
    """Removes near copies by MinHash over word shingles: typos, inserted words, wrapped prompts.

    Needs no model, and runs before the semantic dedup so that less text is embedded. Kept is the row with
    tests, then with a reference, then of the preferred source, then the first.
    """

    type: Literal["dedup-fuzzy"] = "dedup-fuzzy"
    requires: ClassVar[frozenset[str]] = KEPT_COLUMNS | {"domain"}
    min_jaccard: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Least Jaccard index of the 3-word shingles of a near copy; 0.5 finds all prompts with a typo in 6 % of
    their words, where 5-word shingles at 0.7 find a third."""
    domain_min_jaccard: dict[str, Annotated[float, Field(gt=0, le=1)]] = {"code": 0.7}  # noqa: RUF012
    """The same for some domains, the larger counts for a pair of two: code tasks share long phrases."""
    words: Annotated[int, Field(ge=1, le=20)] = 3
    """Words of a shingle."""
    number_guard: bool = True
    """Whether prompts whose numbers differ both stay."""
    sources: tuple[str, ...] = ()
    """Values of `source` in the order in which their copies are kept; the rest follow as they come."""

    def survey(self, batch: pa.Table) -> pa.Table:
        """One row per row: who it is, its MinHash signature and the signature of its numbers."""
        from factory.curation.minhash import sketch

        sketches = sketch(prompt_texts(batch["prompt"]), search=self._search())
        signatures = np.ascontiguousarray(sketches.signatures)
        packed = pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(4 * signatures.shape[1]), batch.num_rows, [None, pa.py_buffer(signatures.tobytes())]
        )
        domain = batch["domain"].combine_chunks()
        columns = {"domain": domain, "signature": packed, "numbers": pa.array(sketches.numbers)}
        return pa.table(survey_columns(batch) | columns)

    def decide(self, surveys: Sequence[pa.Table], *, site: Site, spread: Spread) -> pa.Table:
        """Keeps greedily by rank; evidence is the kept row and the estimated Jaccard index."""
        from factory.curation.greedy import GreedyKeep
        from factory.curation.minhash import fuzzy_pairs

        rows = pa.concat_tables(surveys).combine_chunks()
        if rows.num_rows == 0:
            return as_decision(surveys, [], reason="near_duplicate", evidence=[], report={})
        rank = keep_order(rows, sources=self.sources)
        greedy = GreedyKeep(rank)
        least = self._least(rows["domain"].to_pylist())
        pairs = 0
        for edges in fuzzy_pairs(_sketches(rows), rank=rank, search=self._search()):
            near = _above(edges, least)
            pairs += near.left.size
            greedy.add(near)
        kept = greedy.finish(reason="near_duplicate")
        removed, ids = kept.removals.to_pydict(), rows["id"].to_pylist()
        evidence = [
            {"kept": ids[head], "jaccard": round(score, 4)}
            for head, score in zip(removed["kept_row"], removed["score"], strict=True)
        ]
        report = {
            "rows": rows.num_rows,
            "pairs": pairs,
            "largest_cluster": int(np.bincount(kept.clusters).max()),
        }
        return as_decision(surveys, removed["row"], reason="near_duplicate", evidence=evidence, report=report)

    def _search(self) -> MinHashSearch:
        from factory.curation.minhash import MinHashSearch

        least = min([self.min_jaccard, *self.domain_min_jaccard.values()])
        return MinHashSearch(threshold=least, words=self.words, number_guard=self.number_guard)

    def _least(self, domains: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Least Jaccard index of each row."""
        by_domain: Mapping[str, float] = self.domain_min_jaccard
        return np.array([by_domain.get(d, self.min_jaccard) for d in domains], np.float32)


def _above(edges: Edges, least: np.ndarray[Any, np.dtype[np.float32]]) -> Edges:
    wanted = np.maximum(least[edges.left], least[edges.right])
    return edges.where(edges.cosine >= wanted)


def _sketches(rows: pa.Table) -> Sketches:
    from factory.curation.minhash import Sketches

    packed = rows["signature"].combine_chunks()
    width = packed.type.byte_width // 4
    flat = np.frombuffer(packed.buffers()[1], np.uint32, len(packed) * width, packed.offset * width)
    return Sketches(flat.reshape(-1, width), rows["numbers"].to_numpy())
