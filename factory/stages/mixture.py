"""Cuts categories down until they stand in wanted proportions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import floor
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field, model_validator

from factory.core import GlobalStage, Site, Spread
from factory.stages.categories import categories, category_column, draw
from factory.stages.keeping import as_decision

__all__ = ["Mixture"]


class Mixture(GlobalStage):
    """Keeps as many problems as there can be with each category at its weight; counts problems, not rows.

    Sampling by problem, since sampling by row gives easy problems, with more right completions, more weight.
    """

    type: Literal["mixture"] = "mixture"
    minimal: ClassVar[Mapping[str, Any]] = {"by": "domain", "weights": {"math": 1, "code": 1}, "seed": 0}
    by: str
    """Column with the category, or `meta.KEY` for a key of what else the source had."""
    weights: Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(min_length=1)]
    """Relative weight of each category; a category that is not named is cut."""
    problems: Annotated[int, Field(ge=1)] | None = None
    """Problems kept at most, all categories together; null: as many as the scarcest category allows."""
    seed: int | None = None
    """Seed of the choice inside a category; null: the pipeline's."""

    @model_validator(mode="after")
    def _check(self) -> Mixture:
        if not sum(self.weights.values()) < float("inf"):
            raise ValueError("weights must be finite")
        return self

    def needs(self) -> frozenset[str]:
        """`id` and the column of the category."""
        return frozenset({"id", category_column(self.by)})

    def survey(self, batch: pa.Table) -> pa.Table:
        """Id and category of each row."""
        return pa.table(
            {
                "id": batch["id"].combine_chunks(),
                "category": pa.array(categories(batch, self.by), pa.string()),
            }
        )

    def decide(self, surveys: Sequence[pa.Table], *, site: Site, spread: Spread) -> pa.Table:
        """Cuts what is beyond the proportions; in a category the ids with the smallest seeded hash stay."""
        rows = [row for survey in surveys for row in survey.to_pylist()]
        members: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            if row["category"] in self.weights:
                members[row["category"]].add(row["id"])
        wanted = self._counts({name: len(members[name]) for name in self.weights})
        kept: set[str] = set()
        for name, ids in members.items():
            kept.update(sorted(ids, key=lambda i: (draw(self.seed, i), i))[: wanted[name]])
        cut = [place for place, row in enumerate(rows) if row["id"] not in kept]
        evidence = [{"category": rows[place]["category"]} for place in cut]
        report = {name: {"problems": len(members[name]), "kept": wanted[name]} for name in self.weights}
        return as_decision(surveys, cut, reason="not_in_mixture", evidence=evidence, report=report)

    def _counts(self, there: Mapping[str, int]) -> dict[str, int]:
        """Problems kept of each category: the largest total that no category falls short of."""
        whole = sum(self.weights.values())
        total = min(there[name] * whole / weight for name, weight in self.weights.items())
        if self.problems is not None:
            total = min(total, self.problems)
        # A share that is a whole number but for rounding must not lose a problem.
        return {name: floor(total * weight / whole + 1e-9) for name, weight in self.weights.items()}
