"""Turns measured completions back into problems, so that another teacher can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from factory.core import COMPLETION_COLUMNS, MEASURED_COLUMNS, REJECTION_COLUMNS, Flow, Stage
from factory.stages.sampling.perplexity import PERPLEXITY_COLUMNS
from factory.stages.sampling.sample import OPTIONAL_COLUMNS
from factory.stages.verification.verify import Verify

__all__ = ["Fold"]

_KEPT = [field for field in MEASURED_COLUMNS if field.name not in ("pass_rate_low", "pass_rate_high")]
_DROPPED = frozenset(
    name
    for schema in (COMPLETION_COLUMNS, MEASURED_COLUMNS, OPTIONAL_COLUMNS, PERPLEXITY_COLUMNS, Verify.adds)
    for name in schema.names
)
"""What the stages behind `sample` say of a completion, by their own declarations."""


class Fold(Stage):
    """Keeps each problem once, with its measured pass rate under a prefix, and sets its completions aside.

    The completions are among the rejected rows with the reason `folded`: nothing that was paid for is lost,
    and a wrong one may still serve as the rejected side of a pair. Of n completions of a problem n rows are
    rejected and one problem is kept, so n + 1 rows leave.
    """

    type: Literal["fold"] = "fold"
    version: ClassVar[int] = 2
    requires: ClassVar[frozenset[str]] = frozenset({"id", "completion_id", *(f.name for f in _KEPT)})
    minimal: ClassVar[Mapping[str, Any]] = {"prefix": "student"}
    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """Who was measured: `student` gives the columns `student_pass_rate`, `student_n_samples`, and so on."""

    def provides(self) -> pa.Schema:
        """The measured columns under their new names."""
        return pa.schema([(f"{self.prefix}_{field.name}", field.type) for field in _KEPT])

    def schema_out(self, schema: pa.Schema) -> pa.Schema:
        """The problem's columns and the measured ones; the completion's are gone."""
        return pa.schema([*(f for f in schema if f.name not in _DROPPED), *self.provides()])

    def apply(self, batch: pa.Table) -> Flow:
        """Folds one batch; all completions of a problem are in it."""
        _, first = np.unique(np.array(batch["id"].to_pylist(), dtype=object).astype(str), return_index=True)
        problems = batch.take(pa.array(np.sort(first)))
        for field in _KEPT:
            problems = problems.append_column(f"{self.prefix}_{field.name}", problems[field.name])
        kept = problems.select(self.schema_out(batch.schema).names)
        reasons = pa.array(["folded"] * batch.num_rows, pa.string())
        rejected = batch.append_column(REJECTION_COLUMNS.field("reason"), reasons).append_column(
            REJECTION_COLUMNS.field("evidence"), pa.nulls(batch.num_rows, pa.string())
        )
        return Flow(kept, rejected, expected=batch.num_rows + kept.num_rows)
