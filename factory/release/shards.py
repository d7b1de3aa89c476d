"""Streams the rows of a release into files: memory holds one batch, never a shard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factory.core import MESSAGE, REJECTION_COLUMNS, STORED_SYSTEM, DataError
from factory.release.layouts import LAYOUTS, arrange
from factory.release.release_gate import data_schema, hold_back
from factory.release.release_stats import Tally
from factory.release.spec import FinishedStep, ReleaseSpec
from factory.release.store import File, Folder, HashingSink
from factory.storage.tables import read_batches, read_schema

__all__ = ["RELEASE_STEP", "Series", "copy_rejected", "copy_side_tables", "write_rows"]

RELEASE_STEP = "release"
"""Name under which the rows that the release itself holds back are filed among the rejected ones."""


class Series:
    """Numbered Parquet files of one schema in one folder, filled one behind the other."""

    def __init__(self, folder: Folder, below: str, schema: pa.Schema) -> None:
        self._folder, self._below, self._schema = folder, below, schema
        self._stack: ExitStack | None = None
        self._sink: HashingSink | None = None
        self._writer: pq.ParquetWriter | None = None
        self._rows = self._memory = 0
        self._done: list[File] = []

    def write(self, table: pa.Table) -> None:
        """Appends rows to the open file, opening one when there is none."""
        if table.num_rows == 0:
            return
        if self._writer is None:
            self._stack = ExitStack()
            self._sink = self._stack.enter_context(self._folder.open_sink(self._name(len(self._done))))
            self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._writer.write_table(table.cast(self._schema))
        self._rows += table.num_rows
        self._memory += table.nbytes

    def roll(self) -> None:
        """Closes the open file; the next row begins another."""
        if self._writer is None or self._stack is None or self._sink is None:
            return
        self._writer.close()
        self._stack.close()
        name, sink = self._name(len(self._done)), self._sink
        self._done.append(File(name, self._rows, sink.bytes, sink.sha256, self._memory))
        self._stack = self._sink = self._writer = None
        self._rows = self._memory = 0

    def finish(self, *, stem: str | None = None) -> list[File]:
        """Closes the last file. With a stem, gives every file its final name `STEM-00000-of-0000N`."""
        self.roll()
        if stem is None:
            return self._done
        total, named = len(self._done), []
        for number, file in enumerate(self._done):
            path = f"{self._below}/{stem}-{number:05d}-of-{total:05d}.parquet"
            self._folder.move(file.path, path)
            named.append(replace(file, path=path))
        return named

    def _name(self, number: int) -> str:
        return f"{self._below}/part-{number:05d}.parquet"


class _Cutter:
    """Decides where files end: after `shard_rows` rows, or once they pass `max_shard_mb`."""

    def __init__(self, spec: ReleaseSpec) -> None:
        self._most_rows, self._most_bytes = spec.shard_rows, spec.max_shard_mb << 20
        self._rows = self._bytes = 0

    def pieces(self, table: pa.Table) -> Iterator[tuple[pa.Table, bool]]:
        """Parts of the table in order, each with whether the file ends behind it."""
        start = 0
        while start < table.num_rows:
            piece = table.slice(start, self._most_rows - self._rows)
            start += piece.num_rows
            self._rows += piece.num_rows
            self._bytes += piece.nbytes
            full = self._rows >= self._most_rows or self._bytes >= self._most_bytes
            if full:
                self._rows = self._bytes = 0
            yield piece, full


def _rejected_schema(schema: pa.Schema) -> pa.Schema:
    added = {"step", *REJECTION_COLUMNS.names}
    own = [field for field in schema if field.name not in added]
    return pa.schema([*own, ("step", pa.string()), *REJECTION_COLUMNS])


def write_rows(
    folder: Folder, last: FinishedStep, *, spec: ReleaseSpec, schema: pa.Schema, tally: Tally
) -> tuple[list[File], Counter[str]]:
    """Writes `data/` and `rows/` side by side, and what is held back to `rejected/release/`.

    File k of `data/` and file k of `rows/` hold the same rows in the same order. Gives the files and the
    number of rows held back per reason.
    """
    data = Series(folder, "data", data_schema(spec, schema))
    rows = Series(folder, "rows", schema)
    held = Series(folder, f"rejected/{RELEASE_STEP}", _rejected_schema(schema))
    cutter, reasons = _Cutter(spec), Counter[str]()
    for path, _ in last.parts("kept"):
        for batch in map(_as_students_see_it, read_batches(path)):
            reason, evidence = hold_back(batch, spec)
            reasons.update(word for word in reason.to_pylist() if word is not None)
            out = pc.is_valid(reason)
            tally.hold_back(batch.filter(out))
            held.write(_mark(batch.filter(out), RELEASE_STEP, reason.filter(out), evidence.filter(out)))
            admitted = batch.filter(pc.invert(out))
            tally.add(admitted)
            for piece, full in cutter.pieces(admitted):
                rows.write(piece)
                data.write(_shaped(piece, spec))
                if full:
                    rows.roll()
                    data.roll()
    files = [*data.finish(stem="train"), *rows.finish(stem="train"), *held.finish(stem="part")]
    return files, reasons


def _as_students_see_it(rows: pa.Table) -> pa.Table:
    """The rows with the system turn that is stored for training, where there is one, in their prompts."""
    if STORED_SYSTEM.name not in rows.column_names:
        return rows
    place = rows.schema.get_field_index("prompt")
    prompts = [
        turns
        if system is None
        else [{"role": "system", "content": system}, *(t for t in turns or () if t["role"] != "system")]
        for turns, system in zip(
            rows["prompt"].to_pylist(), rows[STORED_SYSTEM.name].to_pylist(), strict=True
        )
    ]
    return rows.set_column(place, rows.schema.field(place), pa.array(prompts, pa.list_(MESSAGE)))


def copy_rejected(
    folder: Folder, steps: Sequence[FinishedStep], *, spec: ReleaseSpec, tally: Tally
) -> list[File]:
    """Copies every rejected row of every step to `rejected/STEP/`, with the step's name in a column."""
    files: list[File] = []
    for step in steps:
        series: Series | None = None
        cutter = _Cutter(spec)
        for path, promised in step.parts("rejected"):
            for batch in read_batches(path) if promised else ():
                marked = _mark(batch.drop_columns(REJECTION_COLUMNS.names), step.name, *_why(batch, path))
                tally.add_rejected(marked)
                series = series or Series(folder, f"rejected/{step.name}", marked.schema)
                for piece, full in cutter.pieces(marked):
                    series.write(piece)
                    if full:
                        series.roll()
        files.extend(series.finish(stem="part") if series else ())
    return files


def copy_side_tables(
    folder: Folder, steps: Sequence[FinishedStep], *, spec: ReleaseSpec, rows: Sequence[File]
) -> list[File]:
    """Copies what stands beside the steps' rows to a folder by its name, as far as its rows are in `rows`."""
    tables: dict[str, list[str]] = {}
    for step in steps:
        for name, parts in step.side_tables().items():
            tables.setdefault(name, []).extend(path for path, _ in parts)
    if not tables or "completion_id" not in read_schema(f"{folder.url}/{rows[0].path}").names:
        return []
    released = pa.concat_arrays(
        [
            chunk
            for file in rows
            for batch in read_batches(f"{folder.url}/{file.path}", columns=["completion_id"])
            for chunk in batch["completion_id"].chunks
        ]
    )
    files: list[File] = []
    for name, paths in tables.items():
        series, cutter = Series(folder, name, read_schema(paths[0])), _Cutter(spec)
        for batch in (batch for path in paths for batch in read_batches(path)):
            wanted = batch.filter(pc.is_in(batch["completion_id"], value_set=released))
            for piece, full in cutter.pieces(wanted):
                series.write(piece)
                if full:
                    series.roll()
        files.extend(series.finish(stem="train"))
    return files


def _why(batch: pa.Table, path: str) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    missing = [name for name in REJECTION_COLUMNS.names if name not in batch.column_names]
    if missing:
        raise DataError(f"{path}: rejected rows lack {missing}; run the pipeline again")
    return batch["reason"], batch["evidence"]


def _mark(batch: pa.Table, step: str, reason: pa.Array, evidence: pa.Array) -> pa.Table:
    schema = _rejected_schema(batch.schema)
    own = [batch[name] for name in schema.names[: -1 - len(REJECTION_COLUMNS)]]
    named = pa.array([step] * batch.num_rows, pa.string())
    return pa.Table.from_arrays([*own, named, reason, evidence], schema=schema)


def _shaped(piece: pa.Table, spec: ReleaseSpec) -> pa.Table:
    if spec.layout != "rows":
        return arrange(piece, LAYOUTS[spec.layout])
    return piece if spec.columns is None else piece.select(spec.columns)
