"""Turns measured completions back into problems, so that another teacher can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from factory.core import COMPLETION_COLUMNS, REJECTION_COLUMNS, Flow, Stage

__all__ = ["Fold"]

_MEASURED = {
    "n_samples": pa.int32(),
    "n_judged": pa.int32(),
    "n_passed": pa.int32(),
    "pass_rate": pa.float64(),
}
_DROPPED = frozenset(
    {
        *COMPLETION_COLUMNS.names,
        *_MEASURED,
        "token_logprobs",
        "segments",
        "verdicts",
        "verdict",
        "pass_rate_low",
        "pass_rate_high",
    }
)


class Fold(Stage):
    """Keeps each problem once, with its measured pass rate under a prefix, and sets its completions aside.

    The completions are among the rejected rows with the reason `folded`: nothing that was paid for is lost,
    and a wrong one may still serve as the rejected side of a pair. Of n completions of a problem n rows are
    rejected and one problem is kept, so n + 1 rows leave.
    """

    type: Literal["fold"] = "fold"
    requires: ClassVar[frozenset[str]] = frozenset({"id", "completion_id", *_MEASURED})
    minimal: ClassVar[Mapping[str, Any]] = {"prefix": "student"}
    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """Who was measured: `student` gives the columns `student_pass_rate`, `student_n_samples`, and so on."""

    def provides(self) -> pa.Schema:
        """The measured columns under their new names."""
        return pa.schema([(f"{self.prefix}_{name}", kind) for name, kind in _MEASURED.items()])

    def schema_out(self, schema: pa.Schema) -> pa.Schema:
        """The problem's columns and the measured ones; the completion's are gone."""
        return pa.schema([*(f for f in schema if f.name not in _DROPPED), *self.provides()])

    def apply(self, batch: pa.Table) -> Flow:
        """Folds one batch; all completions of a problem are in it."""
        _, first = np.unique(np.array(batch["id"].to_pylist(), dtype=object).astype(str), return_index=True)
        problems = batch.take(pa.array(np.sort(first)))
        for name in _MEASURED:
            problems = problems.append_column(f"{self.prefix}_{name}", problems[name])
        kept = problems.select(self.schema_out(batch.schema).names)
        reasons = pa.array(["folded"] * batch.num_rows, pa.string())
        rejected = batch.append_column(REJECTION_COLUMNS.field("reason"), reasons).append_column(
            REJECTION_COLUMNS.field("evidence"), pa.nulls(batch.num_rows, pa.string())
        )
        return Flow(kept, rejected, expected=batch.num_rows + kept.num_rows)
