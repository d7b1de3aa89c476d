"""How a global stage writes down which rows it cuts, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.core import REVIEW

__all__ = ["as_decision", "flat", "with_notes"]

I64 = npt.NDArray[np.int64]

_DECISION = pa.schema(
    [("shard", pa.int32()), ("row", pa.int32()), ("reason", pa.string()), ("evidence", pa.string())]
)


def as_decision(
    sizes: Sequence[int],
    cut: Sequence[int] | I64,
    *,
    reason: str | Sequence[str | None],
    evidence: Sequence[Mapping[str, Any]],
    report: Mapping[str, Any],
) -> pa.Table:
    """The decision on the rows `cut`, counted through shards of these sizes, with the run's report.

    `reason` is one for all rows, or one for each; a row whose reason is null is kept, and its evidence is a
    note for whoever reviews it.
    """
    rows = np.asarray(cut, np.int64)
    ends = np.cumsum(np.array(sizes, np.int64))
    shard = np.searchsorted(ends, rows, side="right")
    first = np.concatenate((np.zeros(1, np.int64), ends))[shard]
    columns = [
        pa.array(shard, pa.int32()),
        pa.array(rows - first, pa.int32()),
        pa.array([reason] * rows.size if isinstance(reason, str) else list(reason), pa.string()),
        pa.array([json.dumps(e, ensure_ascii=False) for e in evidence], pa.string()),
    ]
    return pa.table(columns, schema=_DECISION.with_metadata({"report": json.dumps(report)}))


def flat(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column as one array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def with_notes(batch: pa.Table, notes: Sequence[str | None]) -> pa.Table:
    """The batch with a column `review`: for each row null, or a JSON list of what makes it doubtful.

    Notes of an earlier step stay in front, none is repeated; a note is a JSON object.
    """
    before = batch["review"].to_pylist() if "review" in batch.column_names else [None] * batch.num_rows
    joined = [_joined(old, new) for old, new in zip(before, notes, strict=True)]
    column = pa.array(joined, REVIEW.type)
    if "review" in batch.column_names:
        return batch.set_column(batch.column_names.index("review"), REVIEW, column)
    return batch.append_column(REVIEW, column)


def _joined(old: str | None, new: str | None) -> str | None:
    if new is None or old is None:
        return old if new is None else f"[{new}]"
    if new in old:
        return old
    return f"{old[:-1]}, {new}]"
