"""Removes rows whose prompt says the same as another's in nearly or wholly other words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from factory.core import Site, Spread, Survey
from factory.core.extras import lacking
from factory.embeddings.embedder import Embed, model_digest, opened_embedder
from factory.embeddings.embedding_model import EmbeddingModel
from factory.models.resolve import EMBEDDER
from factory.stages.dedup.compared_rows import compared_columns
from factory.stages.dedup.decided import decided
from factory.stages.dedup.dedup_base import DedupStage
from factory.stages.dedup.lazy_calls import fixed_binary
from factory.stages.dedup.semantic_search import SemanticRows, searched

__all__ = ["DedupSemantic"]


class DedupSemantic(DedupStage):
    """Removes near-duplicates and paraphrases among prompts with a cosine of at least `min_cosine`.

    Each pair is judged: edits that change nothing make a copy; other words with the same numbers and signs
    where the answers agree; pairs that nothing decides are for review. Rows that the model cannot read are
    compared with none, and counted by script. Rows are kept greedily in order (tests, reference, harder,
    preferred source, position), so a chain of similar rows does not vanish as a whole. The report has the
    recall of the pair search, measured by brute force over 1,000 random rows; a search that finds less than
    0.999 of the pairs is done again in more clusters per row. In memory stay some 200 bytes of each row, the
    vectors on disk.
    """

    type: Literal["dedup-semantic"] = "dedup-semantic"
    version: ClassVar[int] = 3
    minimal: ClassVar[Mapping[str, Any]] = {}
    model: str | EmbeddingModel = EMBEDDER
    """Sentence-transformers model: the packaged one, a folder, a hub id, or its name with how it reads
    (`revision`, `prompt`, `dtype`, `device`, `max_tokens`, `trust_remote_code`)."""
    min_cosine: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Least cosine of a pair that is judged. With MiniLM 0.9 means a near copy, 0.8 a paraphrase as well."""
    max_unread: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Largest share of its letters that the model's vocabulary may lack for a row to be compared."""
    clusters_from: Annotated[int, Field(ge=2)] = 20_000
    """Rows from which on clusters are searched in place of all pairs."""
    cluster_margin: Annotated[float, Field(ge=0, le=1)] = 0.1
    """A row is also searched in clusters within this cosine of its nearest one; wider where the measured
    recall is below 0.999."""

    def identity(self) -> dict[str, Any]:
        """Fields with the model's content in place of its name."""
        return super().identity() | {"model": model_digest(self.model)}

    def lacks(self, site: Site) -> str | None:
        """The search and the embedder."""
        return lacking("curation", "faiss", "sentence_transformers")

    @contextmanager
    def open_survey(self, site: Site) -> Iterator[Survey]:
        """Holds the embedder; vectors are cached by the content of text and model."""
        with opened_embedder(self.model, site=site) as embed:
            yield lambda batch: self._survey(batch, embed)

    def decide(self, surveys: Sequence[pa.Table], *, site: Site, spread: Spread) -> pa.Table:
        """Searches pairs, judges them, keeps greedily; evidence is the kept row, the cosine and the harmless
        difference."""
        rows, read = self._read(surveys, site)
        ranking = rows.ranking
        if not ranking.new_rows:
            return ranking.decision(np.zeros(0, np.int64), reason="near_duplicate", evidence=[], report={})
        found, report = searched(
            rows,
            threshold=self.min_cosine,
            margin=self.cluster_margin,
            flat_below=self.clusters_from,
            max_unread=self.max_unread,
            doubtful=self.doubtful,
            spread=spread,
        )
        if self.against:
            report["earlier_rows_embedded"] = read
        return decided(
            ranking, rows.compared, found, doubtful=self.doubtful, report=report, score_name="cosine"
        )

    def _survey(self, batch: pa.Table, embed: Embed) -> pa.Table:
        compared = compared_columns(batch)
        embedded = embed(compared["text"])
        return pa.table(
            self.surveyed(batch)
            | compared
            | {
                "codes": fixed_binary(embedded.vectors.values),
                "scale": pa.array(embedded.vectors.scales, pa.float32()),
                "unread": pa.array(embedded.unread, pa.float32()),
                "cut": pa.array(embedded.tail_start >= 0),
            }
        )

    def _read(self, surveys: Sequence[pa.Table], site: Site) -> tuple[SemanticRows, int]:
        """All rows, those of earlier releases first, and how many of the latter were embedded anew."""
        rows = SemanticRows()
        if not self.against:
            for survey in surveys:
                rows.add(survey)
            return rows, 0
        with opened_embedder(self.model, site=site) as embed:
            for label, survey in self.labelled(surveys, survey=lambda batch: self._survey(batch, embed)):
                rows.add(survey, label=label)
            return rows, embed.read
