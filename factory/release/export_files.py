"""The data files of an export: Parquet parts, JSON lines or one JSON array per split."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Literal

import pyarrow as pa

from factory.release.shards import Series
from factory.release.store import Folder

__all__ = ["Form", "without_nulls", "write_rows"]

Form = Literal["parquet", "json", "jsonl"]

_CHUNK = 1000  # rows turned into Arrow or JSON at a time
_FILE_ROWS = 50_000


def write_rows(
    folder: Folder, rows: Iterator[dict[str, Any]], *, form: Form, schema: pa.Schema, name: str, split: str
) -> tuple[list[str], int]:
    """Writes one split; gives its files below the folder, and the number of rows."""
    if form == "parquet":
        return _write_parquet(folder, schema, rows, split=split)
    file = f"{name}-{split}.{form}"
    written = 0
    with folder.open_sink(file) as sink:
        for row in rows:
            mark = "" if form == "jsonl" else "[\n" if written == 0 else ",\n"
            text = json.dumps(without_nulls(row), ensure_ascii=False)
            sink.write(f"{mark}{text}{chr(10) if form == 'jsonl' else ''}".encode())
            written += 1
        if form == "json":
            sink.write(b"\n]\n" if written else b"[]\n")
    return [file], written


def _write_parquet(
    folder: Folder, schema: pa.Schema, rows: Iterator[dict[str, Any]], *, split: str
) -> tuple[list[str], int]:
    series = Series(folder, "data", schema)
    written = 0
    while chunk := list(islice(rows, _CHUNK)):
        series.write(pa.Table.from_pylist(chunk, schema=schema))
        written += len(chunk)
        if written % _FILE_ROWS == 0:
            series.roll()
    return [file.path for file in series.finish(stem=split)], written


def without_nulls(value: Any) -> Any:
    """A row without its nulls, so that no template is shown a key without a value."""
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value
