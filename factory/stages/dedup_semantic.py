"""Removes rows whose prompt says nearly the same as another's, by sentence embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from factory.core import GlobalStage, Site, Spread, Survey, prompt_texts
from factory.models import EMBEDDER
from factory.stages.embedding import Embed, model_digest, opened_embedder
from factory.stages.keeping import KEPT_COLUMNS, as_decision, keep_order, survey_columns
from factory.stages.semantic_pairs import spread_pairs

if TYPE_CHECKING:
    from factory.curation.greedy import Kept
    from factory.curation.guards import NumberGuard, TailGuard
    from factory.curation.vectors import Vectors

__all__ = ["DedupSemantic"]

_LONG_CHARS = 500
"""Texts from this length on are kept in the survey: they may reach beyond a window of 256 tokens."""
_ALARM_ROWS = 50
"""A smaller group is no alarm, however few rows there are."""
_AUDITED_ROWS = 1000
_LEAST_RECALL = 0.999


class DedupSemantic(GlobalStage):
    """Removes near-duplicates: prompts with a cosine of at least `min_cosine` to a kept one.

    Rows are kept greedily in order (tests, reference, preferred source, position), so a chain of similar rows
    does not vanish as a whole. The report has the recall of the pair search, measured by brute force over
    1,000 random rows, and an alarm when one connected group holds too many rows.
    """

    type: Literal["dedup-semantic"] = "dedup-semantic"
    requires: ClassVar[frozenset[str]] = KEPT_COLUMNS
    minimal: ClassVar[Mapping[str, Any]] = {}
    model: str = EMBEDDER
    """Sentence-transformers model: the packaged one, a folder, or a hub id."""
    min_cosine: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Least cosine of a near-duplicate. With MiniLM 0.9 means a near copy, 0.8 a paraphrase as well."""
    number_guard: bool = True
    """Whether prompts whose numbers differ both stay: embeddings hardly see numbers, and 79 % of problems
    that differ in numbers alone have a cosine above 0.9."""
    tail_guard: bool = True
    """Whether prompts longer than the model's window both stay unless the unread part occurs in the other."""
    sources: tuple[str, ...] = ()
    """Values of `source` in the order in which their copies are kept; the rest follow as they come."""
    max_cluster_share: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of all rows in one connected group above which the report raises an alarm: near-duplicates that
    chain up say that `min_cosine` is too low for this text."""
    cluster_margin: Annotated[float, Field(ge=0, le=1)] = 0.1
    """From 20,000 rows on, a row is also searched in clusters within this cosine of its nearest one."""

    def identity(self) -> dict[str, Any]:
        """Fields with the model's content in place of its name."""
        return super().identity() | {"model": model_digest(self.model)}

    @contextmanager
    def open_survey(self, site: Site) -> Iterator[Survey]:
        """Holds the embedder; vectors are cached by the content of text and model."""
        with opened_embedder(self.model, site=site) as embed:
            yield lambda batch: self._surveyed(batch, embed)

    def decide(self, surveys: Sequence[pa.Table], *, site: Site, spread: Spread) -> pa.Table:
        """Searches pairs, guards them, keeps greedily; evidence is the kept row and the cosine."""
        from factory.curation.audit import Audit
        from factory.curation.greedy import GreedyKeep
        from factory.curation.pairs import PairSearch

        rows = pa.concat_tables(surveys).combine_chunks()
        if rows.num_rows == 0:
            return as_decision(surveys, [], reason="near_duplicate", evidence=[], report={})
        vectors, guards = _vectors(rows), self._guards(rows)
        search = PairSearch(threshold=self.min_cosine, margin=self.cluster_margin)
        audit = Audit(rows.num_rows, sample=_AUDITED_ROWS)
        greedy = GreedyKeep(keep_order(rows, sources=self.sources))
        found = passed = 0
        for edges in spread_pairs(vectors, search=search, spread=spread):
            audit.observe(edges)
            found += edges.left.size
            for guard in guards:
                edges = edges.where(guard.passes(edges))
            passed += edges.left.size
            greedy.add(edges)
        kept = greedy.finish(reason="near_duplicate")
        recall = asdict(audit.report(vectors, threshold=self.min_cosine))
        report = {"rows": rows.num_rows, "pairs": found, "pairs_after_guards": passed, "search": recall}
        report |= self._largest(kept, recall)
        return self._decision(surveys, rows, kept, report)

    def _surveyed(self, batch: pa.Table, embed: Embed) -> pa.Table:
        from factory.curation.quantities import numbers

        texts = prompt_texts(batch["prompt"])
        embedded = embed(texts)
        codes = np.ascontiguousarray(embedded.vectors.values)
        long = [t if len(t) >= _LONG_CHARS else None for t in texts.to_pylist()]
        return pa.table(
            survey_columns(batch)
            | {
                "codes": pa.FixedSizeBinaryArray.from_buffers(
                    pa.binary(codes.shape[1]), len(texts), [None, pa.py_buffer(codes.tobytes())]
                ),
                "scale": pa.array(embedded.vectors.scales, pa.float32()),
                "tail_start": pa.array(embedded.tail_start, pa.int64()),
                "numbers": pa.array(numbers(texts).signature(), pa.uint64()),
                "long_text": pa.array(long, pa.string()),
            }
        )

    def _guards(self, rows: pa.Table) -> list[NumberGuard | TailGuard]:
        from factory.curation.guards import NumberGuard, TailGuard

        guards: list[NumberGuard | TailGuard] = []
        if self.number_guard:
            guards.append(NumberGuard(rows["numbers"].to_numpy()))
        if self.tail_guard:
            guards.append(TailGuard(rows["long_text"], rows["tail_start"].to_numpy()))
        return guards

    def _largest(self, kept: Kept, recall: Mapping[str, Any]) -> dict[str, Any]:
        sizes = np.bincount(kept.clusters)
        largest = int(sizes.max())
        alarms = []
        if largest >= _ALARM_ROWS and kept.largest_share() > self.max_cluster_share:
            alarms.append(
                f"one group of near-duplicates holds {largest} rows; raise min_cosine or look at them"
            )
        if recall["high"] < _LEAST_RECALL:
            alarms.append(f"the search found {recall['recall']:.4f} of all pairs; raise cluster_margin")
        return {"clusters": int((sizes > 1).sum()), "largest_cluster": largest, "alarms": alarms}

    def _decision(
        self, surveys: Sequence[pa.Table], rows: pa.Table, kept: Kept, report: dict[str, Any]
    ) -> pa.Table:
        removed = kept.removals.to_pydict()
        ids = rows["id"].to_pylist()
        evidence = [
            {"kept": ids[head], "cosine": round(score, 4), "cluster": ids[kept.clusters[row]]}
            for row, head, score in zip(removed["row"], removed["kept_row"], removed["score"], strict=True)
        ]
        return as_decision(surveys, removed["row"], reason="near_duplicate", evidence=evidence, report=report)


def _vectors(rows: pa.Table) -> Vectors:
    from factory.curation.vectors import Vectors

    codes = rows["codes"].combine_chunks()
    width = codes.type.byte_width
    values = np.frombuffer(codes.buffers()[1], np.int8, len(codes) * width, codes.offset * width)
    return Vectors(values.reshape(-1, width), rows["scale"].to_numpy())
