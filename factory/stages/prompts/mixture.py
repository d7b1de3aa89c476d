"""Cuts categories down until they stand in wanted proportions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from factory.core import GlobalStage, Site, Spread
from factory.core.choice import draw
from factory.stages.categories import categories, category_column
from factory.stages.decisions import as_decision

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
        """Category of each row, and the place of its problem in the seeded order."""
        places = [draw(self.seed, row_id) for row_id in batch["id"].to_pylist()]
        category = pa.array(categories(batch, self.by), pa.string())
        return pa.table({"category": category, "place": pa.array(places, pa.uint64())})

    def decide(self, surveys: Sequence[pa.Table], *, site: Site, spread: Spread) -> pa.Table:
        """Cuts what is beyond the proportions; in a category the problems first in the seeded order stay."""
        names, codes, places = list(self.weights), [np.zeros(0, np.int16)], [np.zeros(0, np.uint64)]
        sizes: list[int] = []
        for survey in surveys:
            sizes.append(survey.num_rows)
            found = pc.index_in(survey["category"], pa.array(names, pa.string()))
            codes.append(pc.fill_null(found, -1).to_numpy().astype(np.int16))
            places.append(survey["place"].to_numpy())
        category, place = np.concatenate(codes), np.concatenate(places)
        problems = [np.unique(place[category == code]) for code in range(len(names))]
        there = {name: int(found.size) for name, found in zip(names, problems, strict=True)}
        wanted = self._counts(there)
        kept = np.zeros(category.size, bool)
        for code, name in enumerate(names):
            if wanted[name]:
                kept |= (category == code) & (place <= problems[code][wanted[name] - 1])
        cut = np.flatnonzero(~kept)
        evidence = [{"category": names[code] if code >= 0 else None} for code in category[cut].tolist()]
        report = {name: {"problems": there[name], "kept": wanted[name]} for name in names}
        return as_decision(sizes, cut, reason="not_in_mixture", evidence=evidence, report=report)

    def _counts(self, there: Mapping[str, int]) -> dict[str, int]:
        """Problems kept of each category: the largest total that no category falls short of."""
        whole = sum(self.weights.values())
        total = min(there[name] * whole / weight for name, weight in self.weights.items())
        if self.problems is not None:
            total = min(total, self.problems)
        # A share that is a whole number but for rounding must not lose a problem.
        return {name: floor(total * weight / whole + 1e-9) for name, weight in self.weights.items()}
