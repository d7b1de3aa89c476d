"""One pass over a file: its number of records, its content digest, and where each shard begins."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from factory.core import DataError, digest
from factory.stages.source.files import DataFile
from factory.stages.source.records import Mark, records
from factory.storage.content_cache import cache_home, cached
from factory.storage.files import join

__all__ = ["Scan", "scan"]

_CHUNK_BYTES = 4 << 20
_FORMAT = 1
"""Bumped when the same file could get another scan."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a source must know of a file before it is read."""

    rows: int
    """Records, good and bad; blank lines are none."""
    sha256: str
    """Digest of the stored bytes."""
    marks: tuple[Mark, ...]
    """Places where a reader may start: every `shard_rows` records; empty where only the start will do."""
    group_rows: int = 0
    """Rows of the largest Parquet row group, which is decoded as a whole."""


@lru_cache(maxsize=4096)
def scan(file: DataFile, *, shard_rows: int, max_bytes: int) -> Scan:
    """Scans a file, or takes the result of an earlier scan from `cache_home()/inputs`.

    An earlier scan counts while path, size and time of change are the same. Raises DataError for a file that
    cannot be read as a whole.
    """
    if not file.stamp:
        return _scan(file, shard_rows, max_bytes)
    key = digest([_FORMAT, file.plain(), shard_rows, max_bytes])
    note = join(str(cache_home()), "inputs", key[:2], f"{key}.json")
    return cached(note, lambda: _scan(file, shard_rows, max_bytes), dump=_dump, load=_load)


def _dump(done: Scan) -> bytes:
    return json.dumps(asdict(done) | {"marks": [[m.offset, m.line] for m in done.marks]}).encode()


def _load(content: bytes) -> Scan:
    known = json.loads(content)
    marks = tuple(Mark(*m) for m in known["marks"])
    return Scan(known["rows"], known["sha256"], marks, known["group_rows"])


def _scan(file: DataFile, shard_rows: int, max_bytes: int) -> Scan:
    if file.form == "parquet":
        return _scan_parquet(file, shard_rows)
    whole = hashlib.sha256()
    if file.form != "jsonl":
        with file.raw() as stream:
            _chunks(stream, whole.update)
        return Scan(sum(1 for _ in records(file, max_bytes=max_bytes)), whole.hexdigest(), ())
    lines = _Lines(shard_rows)
    if file.compression:
        with file.raw() as stream:
            _chunks(stream, whole.update)
        with file.plain_bytes() as stream:
            _chunks(stream, lines.take)
        lines.close()
        return Scan(lines.rows, whole.hexdigest(), ())
    with file.raw() as stream:
        _chunks(stream, whole.update, lines.take)
    lines.close()
    return Scan(lines.rows, whole.hexdigest(), tuple(lines.marks))


def _chunks(stream: BinaryIO, *sinks: Callable[[bytes], Any]) -> None:
    while chunk := stream.read(_CHUNK_BYTES):
        for sink in sinks:
            sink(chunk)


class _Lines:
    """Counts the lines that are not blank and marks where each run of `shard_rows` of them begins.

    A line is blank when it holds nothing but carriage returns; so says the reader of JSON lines too.
    """

    def __init__(self, shard_rows: int) -> None:
        self.rows = 0
        self.marks: list[Mark] = []
        self._shard_rows = shard_rows
        self._lines = 0
        self._offset = 0
        self._tail = b""

    def take(self, chunk: bytes) -> None:
        """Counts the lines that end in `chunk`."""
        if b"\n" not in chunk:
            self._tail += chunk
            return
        text = self._tail + chunk
        ends = np.flatnonzero(np.frombuffer(text, np.uint8) == 10)
        starts = np.concatenate(([0], ends[:-1] + 1))
        self._count(text, starts, ends)
        done = int(ends[-1]) + 1
        self._offset += done
        self._tail = text[done:]

    def close(self) -> None:
        """Counts a last line that no newline ends."""
        if self._tail:
            self._count(self._tail, np.array([0]), np.array([len(self._tail)]))
            self._tail = b""

    def _count(self, text: bytes, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> None:
        full = ends > starts
        for i in np.flatnonzero(full & (ends - starts < 8)):
            full[i] = bool(text[starts[i] : ends[i]].strip(b"\r"))
        if self._lines == 0 and text[starts[0] : ends[0]].rstrip(b"\r") == b"\xef\xbb\xbf":
            full[0] = False
        rows = np.flatnonzero(full)
        first = -self.rows % self._shard_rows
        for i in rows[first :: self._shard_rows].tolist():
            self.marks.append(Mark(self._offset + int(starts[i]), self._lines + i + 1))
        self.rows += rows.size
        self._lines += starts.size


def _scan_parquet(file: DataFile, shard_rows: int) -> Scan:
    whole = hashlib.sha256()
    with file.raw() as stream:
        _chunks(stream, whole.update)
        stream.seek(0)
        try:
            meta = pq.ParquetFile(stream).metadata
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"input file '{file.url}' is not a whole Parquet file ({error})") from error
        groups = [meta.row_group(g).num_rows for g in range(meta.num_row_groups)]
    marks = tuple(Mark(row, row + 1) for row in range(0, meta.num_rows, shard_rows))
    return Scan(meta.num_rows, whole.hexdigest(), marks, max(groups, default=0))
