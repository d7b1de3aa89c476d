"""How what leaves a stage is written down: conservation checked, both sides, then the receipt."""

from __future__ import annotations

import os
import platform
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from factory.core import (
    Flow,
    RowsLost,
    StageError,
)
from factory.engine.steps import Step
from factory.storage.files import write_signed
from factory.storage.tables import write_table

__all__ = ["as_written", "commit"]


def commit(
    step: Step,
    shard: int,
    flow: Flow,
    *,
    started: float,
    attempt: int,
    rows_in: int = 0,
    batch: pa.Table | None = None,
    used: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Checks conservation, writes both files, then the receipt."""
    expected, rows_in = flow.expected, rows_in if batch is None else batch.num_rows
    if expected is None:
        expected = rows_in if batch is None else step.stage.fan_out(batch)
    kept, rejected = _conserved(step, shard, flow, expected)
    reasons = _reasons(rejected, where=f"{step.label}, shard {shard}")
    receipt = {
        "shard": shard,
        "step": step.fingerprint,
        **(used or {}),
        "rows_in": rows_in,
        "rows_expected": expected,
        "kept": as_written(write_table(step.files.rows_url("kept", shard), kept)),
        "rejected": as_written(write_table(step.files.rows_url("rejected", shard), rejected)),
        **_side_tables(step, shard, flow),
        "reasons": reasons,
        "spent": dict(flow.spent or {}),
        "seconds": round(time.monotonic() - started, 4),
        "attempt": attempt,
        "run": step.site.run_id,
        "host": platform.node(),
        "pid": os.getpid(),
        "finished": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    write_signed(step.files.receipt_url(shard), receipt)
    return receipt


def _conserved(step: Step, shard: int, flow: Flow, expected: int) -> tuple[pa.Table, pa.Table]:
    """Kept and rejected rows in their schemas. Raises RowsLost where they are not as many as must leave."""
    kept = _conform(flow.kept, step.schema, where=step.label)
    rejected = _conform(flow.rejected, step.rejected_schema, where=step.label)
    if kept.num_rows + rejected.num_rows != expected:
        raise RowsLost(
            f"{step.label}, shard {shard}: {expected} rows must leave, {kept.num_rows} kept and "
            f"{rejected.num_rows} rejected did; the stage '{step.stage.type}' loses or doubles rows"
        )
    return kept, rejected


def _reasons(rejected: pa.Table, *, where: str) -> dict[str, int]:
    counts = Counter(rejected["reason"].to_pylist())
    if None in counts:
        raise RowsLost(f"{where}: {counts[None]} rejected rows have no reason")
    return dict(sorted(counts.items()))


def _side_tables(step: Step, shard: int, flow: Flow) -> dict[str, Any]:
    """Writes the tables that stand beside the kept rows, and gives their part of the receipt."""
    declared = step.stage.side_tables()
    if flow.side_tables.keys() != declared.keys():
        raise StageError(
            f"{step.label}: gave the side tables {sorted(flow.side_tables)}, declares {sorted(declared)}"
        )
    written = {
        name: as_written(
            write_table(
                step.files.side_table_url(name, shard),
                _conform(flow.side_tables[name], schema, where=step.label),
            )
        )
        for name, schema in declared.items()
    }
    return {"side_tables": written} if written else {}


def as_written(file: Any) -> dict[str, Any]:
    """What a receipt says of a file."""
    return {"rows": file.rows, "bytes": file.bytes, "sha256": file.sha256}


def _conform(table: pa.Table, schema: pa.Schema, *, where: str) -> pa.Table:
    """The table in the schema's order and types; columns it lacks are null, columns too many are an error."""
    extra = set(table.column_names) - set(schema.names)
    if extra:
        raise StageError(f"{where}: gave columns that it does not declare: {sorted(extra)}")
    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema.remove_metadata())
