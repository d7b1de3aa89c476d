"""Keeps a share of the problems of each category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field, model_validator

from factory.core import Filter
from factory.core.choice import draw
from factory.stages.categories import categories, category_column, range_names

__all__ = ["Downsample"]

Share = Annotated[float, Field(ge=0, le=1)]


class Downsample(Filter):
    """Cuts problems at random so that each category's share stays; all completions of one share its fate.

    Whether a problem stays depends on its id and the seed alone: more rows, other shards or a smaller share
    elsewhere do not change it, and a smaller share keeps a subset.
    """

    type: Literal["downsample"] = "downsample"
    minimal: ClassVar[Mapping[str, Any]] = {"by": "domain", "shares": {"math": 0.5}, "seed": 0}
    examples: ClassVar[Sequence[tuple[Any, str | None]]] = (
        ({"id": "a", "domain": "chat"}, None),
        ({"id": "p2", "domain": "math"}, None),
        ({"id": "p1", "domain": "math"}, "downsampled"),
    )
    by: str
    """Column with the category, or `meta.KEY` for a key of what else the source had."""
    edges: tuple[float, ...] = ()
    """Rising numbers that make categories of a column of numbers: 2000 and 4000 make `-2000`, `2000-4000` and
    `4000-`, each with its start and without its end; none: the values are the categories."""
    shares: dict[str, Share]
    """Share kept, by category."""
    other_share: Share = 1.0
    """Share kept of the categories not named, and of rows without one."""
    seed: int | None = None
    """Seed of the choice; null: the pipeline's."""

    @model_validator(mode="after")
    def _check(self) -> Downsample:
        if any(low >= high for low, high in pairwise(self.edges)):
            raise ValueError(f"edges must rise, got {list(self.edges)}")
        unknown = sorted(set(self.shares) - set(range_names(self.edges)))
        if self.edges and unknown:
            raise ValueError(f"the edges make {range_names(self.edges)}; there is no '{unknown[0]}'")
        return self

    def needs(self) -> frozenset[str]:
        """`id` and the column of the category."""
        return frozenset({"id", category_column(self.by)})

    def reject(self, batch: pa.Table) -> pa.Array:
        """`downsampled` for the rows that go."""
        rows = zip(batch["id"].to_pylist(), categories(batch, self.by, edges=self.edges), strict=True)
        return pa.array([None if self._stays(i, c) else "downsampled" for i, c in rows], pa.string())

    def _stays(self, row_id: str, category: str | None) -> bool:
        share = self.other_share if category is None else self.shares.get(category, self.other_share)
        return draw(self.seed, row_id) < share * 2**64
