"""What the dedup stages share: which of several copies stays, and how a removal is written down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["KEPT_COLUMNS", "as_decision", "keep_order", "positions", "survey_columns"]

KEPT_COLUMNS = frozenset({"id", "source", "origin", "prompt", "reference", "tests"})
"""Columns that a dedup stage reads."""

_DECISION = pa.schema(
    [("shard", pa.int32()), ("row", pa.int32()), ("reason", pa.string()), ("evidence", pa.string())]
)


def survey_columns(batch: pa.Table) -> dict[str, pa.Array]:
    """Columns of a survey that say who a row is and what speaks for keeping it."""
    return {
        "id": _flat(batch["id"]),
        "source": _flat(batch["source"]),
        "origin": _flat(batch["origin"]),
        "has_tests": _flat(pc.is_valid(batch["tests"])),
        "has_reference": _flat(pc.is_valid(batch["reference"])),
    }


def keep_order(rows: pa.Table, *, sources: Sequence[str]) -> npt.NDArray[np.int64]:
    """Rank of each surveyed row; 0 is kept before all others.

    A row with tests goes before one without, then a row with a reference, then the sources in the order
    given, then the row that comes first.
    """
    places = {name: place for place, name in enumerate(sources)}
    source = np.array([places.get(s, len(places)) for s in rows["source"].to_pylist()], np.int64)
    without_reference = ~np.asarray(rows["has_reference"].to_numpy(), bool)
    without_tests = ~np.asarray(rows["has_tests"].to_numpy(), bool)
    order = np.lexsort((np.arange(rows.num_rows), source, without_reference, without_tests))
    rank = np.empty(rows.num_rows, np.int64)
    rank[order] = np.arange(rows.num_rows)
    return rank


def positions(surveys: Sequence[pa.Table]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Shard and row within the shard of every surveyed row, in the order of the concatenated surveys."""
    sizes = np.array([s.num_rows for s in surveys], np.int64)
    shard = np.repeat(np.arange(len(surveys)), sizes)
    first = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))
    return shard.astype(np.int32), (np.arange(int(first[-1])) - first[shard]).astype(np.int32)


def as_decision(
    surveys: Sequence[pa.Table],
    cut: Sequence[int],
    *,
    reason: str,
    evidence: Sequence[dict[str, Any]],
    report: dict[str, Any],
) -> pa.Table:
    """The decision that cuts the rows `cut` (places in the concatenated surveys), with the run's report."""
    shard, row = positions(surveys)
    columns = [
        pa.array(shard[list(cut)], pa.int32()),
        pa.array(row[list(cut)], pa.int32()),
        pa.array([reason] * len(cut), pa.string()),
        pa.array([json.dumps(e, ensure_ascii=False) for e in evidence], pa.string()),
    ]
    return pa.table(columns, schema=_DECISION.with_metadata({"report": json.dumps(report)}))


def _flat(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
