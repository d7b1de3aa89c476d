"""Rows of a single file, for running a stage alone."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from factory.core import COMPLETION_COLUMNS, PROBLEM_SCHEMA, DataError, problem_id
from factory.storage.tables import read_table

__all__ = ["read_rows"]

_KNOWN = {f.name: f.type for f in [*PROBLEM_SCHEMA, *COMPLETION_COLUMNS]}


def read_rows(path: str) -> pa.Table:
    """Rows of a Parquet or JSONL file with the factory's own column names.

    A `prompt` that is text becomes one user turn, a missing `id` the prompt's content id. Raises DataError.
    """
    if path.endswith(".parquet"):
        return read_table(path)
    try:
        rows = pl.read_ndjson(path, infer_schema_length=None).to_dicts()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"{path}: cannot be read as JSONL ({str(error).splitlines()[0]}); wanted Parquet or JSONL"
        ) from error
    for row in rows:
        if isinstance(row.get("prompt"), str):
            row["prompt"] = [{"role": "user", "content": row["prompt"]}]
        if "prompt" in row and "id" not in row:
            row["id"] = problem_id(row["prompt"], str(row.get("domain") or "other"))
    table = pa.Table.from_pylist(rows)
    fields = [pa.field(f.name, _KNOWN.get(f.name, f.type)) for f in table.schema]
    try:
        return table.cast(pa.schema(fields))
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: a column has the wrong type ({error})") from error
