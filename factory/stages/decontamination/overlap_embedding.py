"""Overlap with benchmark items by meaning: sentence embeddings with a check of the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from factory.embeddings.embedder import Embed, model_digest
from factory.models.resolve import EMBEDDER
from factory.stages.decontamination.benchmarks import BenchmarkItem
from factory.stages.decontamination.overlap import Hit, Overlap

__all__ = ["EmbeddingOverlap", "EmbeddingRule"]


class EmbeddingRule(BaseModel):
    """Finds rephrased items: with MiniLM a cosine of 0.8 finds 97 % of rephrased GSM8K items, 8-grams 6 %."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    model: str = EMBEDDER
    """Sentence-transformers model: the packaged one, a folder, or a hub id."""
    min_cosine: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Least cosine of a contaminated prompt to an item."""
    min_number_overlap: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Least Jaccard index of the two texts' numbers: a cosine alone hardly sees them."""
    review_cosine: Annotated[float, Field(gt=0, le=1)] = 0.65
    """Least cosine of a prompt that is marked for review where the stage does so."""

    @model_validator(mode="after")
    def _check(self) -> EmbeddingRule:
        if self.review_cosine > self.min_cosine:
            raise ValueError(f"review_cosine {self.review_cosine} is above min_cosine {self.min_cosine}")
        return self

    def identity(self) -> dict[str, Any]:
        """Fields with the model's content in place of its name."""
        return self.model_dump(mode="json") | {"model": model_digest(self.model)}


class EmbeddingOverlap(Overlap):
    """Compares every row with every item; the items' vectors are held as one matrix."""

    def __init__(
        self, rule: EmbeddingRule, items: Sequence[BenchmarkItem], embed: Embed, *, review: bool
    ) -> None:
        from factory.stages.decontamination.meaning_rule import MeaningRule
        from factory.text.numbers import numbers

        # An item without words has a vector too, near that of every short text.
        self._texts = {(i.benchmark, i.item): i.text for i in items if any(map(str.isalnum, i.text))}
        self._unseen = {(i.benchmark, i.item) for i in items} - set(self._texts)
        texts = pa.array(list(self._texts.values()), pa.string())
        self._vectors, self._numbers = embed(texts).vectors, numbers(texts)
        self._embed, self._review = embed, review
        self._rule = MeaningRule(
            cosine=rule.min_cosine,
            number_jaccard=rule.min_number_overlap,
            review_from=rule.review_cosine if review else rule.min_cosine,
        )

    def find(self, texts: pa.Array) -> Iterator[Hit]:
        """Hits of every row; below the least cosine, or with other numbers, they are for review."""
        from factory.stages.decontamination.meaning_rule import close_items
        from factory.text.numbers import numbers

        if not len(texts) or not self._texts:
            return
        mine = self._embed(texts).vectors
        found = close_items(
            mine, numbers(texts), self._vectors, self._numbers, list(self._texts), rule=self._rule
        )
        for near in found.to_pylist():
            if not near["same"] and not self._review:
                continue
            item, text = (near["benchmark"], near["item_id"]), texts[near["row"]].as_py()
            more = {
                "rule": "embedding",
                "cosine": round(near["cosine"], 4),
                "number_overlap": round(near["number_jaccard"], 4),
                "item_text": self._texts[item][:300],
            }
            yield Hit(near["row"], near["cosine"], near["same"], *item, (0, len(text)), text, more)

    def unseen_rows(self, texts: pa.Array) -> int:
        """Rows without a letter or digit."""
        return sum(not any(map(str.isalnum, t)) for t in texts.to_pylist())

    def unseen_items(self) -> set[tuple[str, str]]:
        """Items without a letter or digit."""
        return self._unseen
