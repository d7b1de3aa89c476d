"""Removes rows whose prompt says nearly the same as another's, by sentence embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from factory.core import Site, Spread, Survey, prompt_texts
from factory.embeddings.embedder import Embed, model_digest, opened_embedder
from factory.models.resolve import EMBEDDER
from factory.stages.dedup.dedup_base import DedupStage, Ranking
from factory.stages.dedup.lazy_calls import fixed_binary
from factory.stages.dedup.semantic_search import LONG_CHARS, SemanticRows, searched

if TYPE_CHECKING:
    from factory.stages.dedup.greedy import Kept

__all__ = ["DedupSemantic"]

_ALARM_ROWS = 50
"""A smaller group is no alarm, however few rows there are."""


class DedupSemantic(DedupStage):
    """Removes near-duplicates: prompts with a cosine of at least `min_cosine` to a kept one.

    Rows are kept greedily in order (tests, reference, harder, preferred source, position), so a chain of
    similar rows does not vanish as a whole. The report has the recall of the pair search, measured by brute
    force over 1,000 random rows, and an alarm when one connected group holds too many rows; a search that
    finds less than 0.999 of the pairs is done again in more clusters per row. In memory stay some 150 bytes
    of each row, the vectors on disk.
    """

    type: Literal["dedup-semantic"] = "dedup-semantic"
    version: ClassVar[int] = 2
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
    max_cluster_share: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of all rows in one connected group above which the report raises an alarm: near-duplicates that
    chain up say that `min_cosine` is too low for this text."""
    clusters_from: Annotated[int, Field(ge=2)] = 20_000
    """Rows from which on clusters are searched in place of all pairs."""
    cluster_margin: Annotated[float, Field(ge=0, le=1)] = 0.1
    """A row is also searched in clusters within this cosine of its nearest one; wider where the measured
    recall is below 0.999."""

    def identity(self) -> dict[str, Any]:
        """Fields with the model's content in place of its name."""
        return super().identity() | {"model": model_digest(self.model)}

    @contextmanager
    def open_survey(self, site: Site) -> Iterator[Survey]:
        """Holds the embedder; vectors are cached by the content of text and model."""
        with opened_embedder(self.model, site=site) as embed:
            yield lambda batch: self._survey(batch, embed)

    def decide(self, surveys: Sequence[pa.Table], *, site: Site, spread: Spread) -> pa.Table:
        """Searches pairs, guards them, keeps greedily; evidence is the kept row and the cosine."""
        rows, read = self._read(surveys, site)
        ranking = rows.ranking
        if not ranking.new_rows:
            return ranking.decision(np.zeros(0, np.int64), reason="near_duplicate", evidence=[], report={})
        kept, report = searched(
            rows,
            threshold=self.min_cosine,
            margin=self.cluster_margin,
            flat_below=self.clusters_from,
            guards=(self.number_guard, self.tail_guard),
            spread=spread,
        )
        if self.against:
            report["earlier_rows_embedded"] = read
        report["alarms"] += self._alarms(kept)
        return self._decision(ranking, kept, report)

    def _survey(self, batch: pa.Table, embed: Embed) -> pa.Table:
        from factory.text.numbers import numbers

        texts = prompt_texts(batch["prompt"])
        embedded = embed(texts)
        long = [t if len(t) >= LONG_CHARS else None for t in texts.to_pylist()]
        return pa.table(
            self.surveyed(batch)
            | {
                "codes": fixed_binary(embedded.vectors.values),
                "scale": pa.array(embedded.vectors.scales, pa.float32()),
                "tail_start": pa.array(embedded.tail_start, pa.int64()),
                "numbers": pa.array(numbers(texts).signature(), pa.uint64()),
                "long_text": pa.array(long, pa.string()),
            }
        )

    def _read(self, surveys: Sequence[pa.Table], site: Site) -> tuple[SemanticRows, int]:
        """All rows, those of earlier releases first, and how many of the latter were embedded anew."""
        rows, read = SemanticRows(), 0
        if self.against:
            with opened_embedder(self.model, site=site) as embed:
                for label, batch in self.earlier_batches():
                    rows.add(self._survey(batch, embed), label=label)
                read = embed.read
        for survey in surveys:
            rows.add(survey)
        return rows, read

    def _alarms(self, kept: Kept) -> list[str]:
        largest = int(np.bincount(kept.clusters).max())
        if largest < _ALARM_ROWS or kept.largest_share() <= self.max_cluster_share:
            return []
        return [f"one group of near-duplicates holds {largest} rows; raise min_cosine or look at them"]

    def _decision(self, ranking: Ranking, kept: Kept, report: Mapping[str, Any]) -> pa.Table:
        removed, heads = kept.removals["row"].to_numpy(), kept.removals["kept_row"].to_numpy()
        clusters, scores = ranking.ids(kept.clusters[removed]), kept.removals["score"].to_pylist()
        evidence: list[dict[str, Any]] = [
            proof | {"cosine": round(score, 4), "cluster": cluster}
            for proof, score, cluster in zip(ranking.kept(heads), scores, clusters, strict=True)
        ]
        return ranking.decision(removed, reason="near_duplicate", evidence=evidence, report=report)
