"""How a global stage writes down which rows it cuts, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["as_decision", "flat"]

I64 = npt.NDArray[np.int64]

_DECISION = pa.schema(
    [("shard", pa.int32()), ("row", pa.int32()), ("reason", pa.string()), ("evidence", pa.string())]
)


def as_decision(
    sizes: Sequence[int],
    cut: Sequence[int] | I64,
    *,
    reason: str,
    evidence: Sequence[Mapping[str, Any]],
    report: Mapping[str, Any],
) -> pa.Table:
    """The decision that cuts the rows `cut`, counted through shards of these sizes, with the run's report."""
    rows = np.asarray(cut, np.int64)
    ends = np.cumsum(np.array(sizes, np.int64))
    shard = np.searchsorted(ends, rows, side="right")
    first = np.concatenate((np.zeros(1, np.int64), ends))[shard]
    columns = [
        pa.array(shard, pa.int32()),
        pa.array(rows - first, pa.int32()),
        pa.array([reason] * rows.size, pa.string()),
        pa.array([json.dumps(e, ensure_ascii=False) for e in evidence], pa.string()),
    ]
    return pa.table(columns, schema=_DECISION.with_metadata({"report": json.dumps(report)}))


def flat(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column as one array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
