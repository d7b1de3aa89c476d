"""Keeps rows by an expression over their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import polars as pl
import pyarrow as pa
from pydantic import Field, field_validator

from factory.core import DataError, Filter

__all__ = ["FilterRows"]


class FilterRows(Filter):
    """Keeps rows for which an SQL expression is true; what is false or null is rejected."""

    type: Literal["filter"] = "filter"
    minimal: ClassVar[Mapping[str, Any]] = {"keep": "domain = 'math'"}
    examples: ClassVar[Sequence[tuple[Any, str | None]]] = (
        ({"domain": "math"}, None),
        ({"domain": "code"}, "filtered"),
        ({"domain": None}, "filtered"),
    )
    keep: Annotated[str, Field(min_length=1)]
    """Condition in the SQL of Polars over the columns of a row, e.g. `pass_rate between 0.2 and 0.8`,
    `finish_reason = 'stop' and length(content) > 20`. Each column that it names must be there."""
    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = "filtered"
    """What rejected rows say: one word."""

    @field_validator("keep")
    @classmethod
    def _readable(cls, keep: str) -> str:
        try:
            columns = pl.sql_expr(keep).meta.root_names()
        except pl.exceptions.PolarsError as error:
            raise ValueError(f"no SQL expression: {str(error).splitlines()[0]}") from error
        if not columns:
            raise ValueError("names no column; write a condition such as `pass_rate > 0.2`")
        return keep

    @cached_property
    def _condition(self) -> pl.Expr:
        return pl.sql_expr(self.keep)

    def needs(self) -> frozenset[str]:
        """The columns that the expression names."""
        return frozenset(self._condition.meta.root_names())

    def reject(self, batch: pa.Table) -> pa.Array:
        """The reason where the condition is not true. DataError where these columns make no condition."""
        frame = pl.from_arrow(batch.select(sorted(self.needs())))
        assert isinstance(frame, pl.DataFrame)
        try:
            kept = frame.select(self._condition.cast(pl.Boolean).alias("kept"))["kept"].fill_null(value=False)
        except pl.exceptions.PolarsError as error:
            said = str(error).splitlines()[0]
            raise DataError(f"`keep: {self.keep}` cannot be computed over this shard: {said}") from error
        return pa.array([None if keep else self.reason for keep in kept.to_list()], pa.string())
