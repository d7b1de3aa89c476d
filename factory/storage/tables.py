"""Parquet files: written whole with their digest, read whole, by columns or in batches."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from factory.core import DamagedFile, DataError
from factory.storage.files import open_read, read_bytes, sha256, stat, write_bytes

__all__ = [
    "Written",
    "check_digest",
    "read_batches",
    "read_schema",
    "read_table",
    "read_table_as_written",
    "row_count",
    "write_table",
]

_ROW_GROUP = 64_000
"""Rows; a reader that wants one shard's part of a decision skips the groups of the others."""
_BATCH_BYTES = 32 << 20
"""Rows in memory at once while streaming: small beside one shard."""
_MAX_BATCH_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Written:
    """A file as it was written."""

    rows: int
    bytes: int
    sha256: str


def write_table(url: str, table: pa.Table) -> Written:
    """Commits a Parquet file (zstd) and gives its size and SHA-256."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=_ROW_GROUP)
    content = sink.getbuffer()
    write_bytes(url, content)
    return Written(rows=table.num_rows, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def read_table(
    url: str, *, columns: Sequence[str] | None = None, where: tuple[str, int] | None = None
) -> pa.Table:
    """Reads a Parquet file, or its rows with one value in a column; a broken one is a DataError."""
    try:
        with open_read(url) as stream:
            names = list(columns) if columns is not None else None
            filters = None if where is None else [(where[0], "==", where[1])]
            return pq.read_table(stream, columns=names, filters=filters)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{url}: cannot be read as Parquet ({error}); run again to make it again") from error


def read_table_as_written(url: str, digest: str) -> pa.Table:
    """Reads a whole Parquet file whose bytes have the SHA-256 `digest`; a DamagedFile for any other."""
    try:
        content = read_bytes(url)
    except OSError as error:
        raise DamagedFile(f"{url}: cannot be read ({error}); run again to make it again") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise DamagedFile(f"{url}: is not the file that was written; run again to make it again")
    return pq.read_table(pa.BufferReader(content))


def check_digest(url: str, digest: str) -> None:
    """Raises DamagedFile where the file's bytes have another SHA-256; what did not change is read once."""
    try:
        known = stat(url)
        if _checked.get(url) == (known, digest):
            return
        found = sha256(url)
    except OSError as error:
        raise DamagedFile(f"{url}: cannot be read ({error}); run again to make it again") from error
    if found != digest:
        raise DamagedFile(f"{url}: is not the file that was written; run again to make it again")
    if known.stamp:
        _checked[url] = (known, digest)


_checked: dict[str, tuple[object, str]] = {}
"""By URL: a file as it was when its digest was found right."""


def row_count(url: str) -> int:
    """Rows of a Parquet file by its footer; raises DataError when it cannot be read."""
    with _open(url) as found:
        return int(found.metadata.num_rows)


def read_schema(url: str) -> pa.Schema:
    """Arrow schema of a Parquet file."""
    with _open(url) as found:
        return found.schema_arrow.remove_metadata()


def read_batches(url: str, *, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Streams a Parquet file in tables of about 32 MiB, at most 4,096 rows; an empty one if there is none."""
    with _open(url) as found:
        meta = found.metadata
        if meta.num_rows == 0:
            yield found.schema_arrow.empty_table() if columns is None else found.read(columns=list(columns))
            return
        size = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
        rows = max(1, min(_MAX_BATCH_ROWS, _BATCH_BYTES * meta.num_rows // max(size, 1)))
        for batch in found.iter_batches(batch_size=rows, columns=columns):
            yield pa.Table.from_batches([batch])


@contextmanager
def _open(url: str) -> Iterator[pq.ParquetFile]:
    try:
        with open_read(url) as stream:
            try:
                found = pq.ParquetFile(stream)
            except pa.ArrowInvalid as error:
                raise DataError(f"{url}: is no readable Parquet file ({error})") from error
            yield found
    except OSError as error:
        raise DataError(f"{url}: cannot be opened ({error}); run the pipeline again") from error
