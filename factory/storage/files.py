"""Files that no reader ever sees half of: written aside, synced, renamed; the receipt comes last."""

from __future__ import annotations

import hashlib
import io
import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from factory.core import DataError, WorkspaceError
from factory.core.paths import is_url

__all__ = ["Written", "exists", "join", "list_names", "read_json", "read_table", "write_json", "write_table"]


_ROW_GROUP = 64_000
"""Rows; a reader that wants one shard's part of a decision skips the groups of the others."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file as it was written."""

    rows: int
    bytes: int
    sha256: str


def join(url: str, *parts: str) -> str:
    """A path below a local folder or fsspec URL."""
    return "/".join([url.rstrip("/"), *parts])


def _filesystem(url: str) -> tuple[Any, str]:
    fs, path = fsspec.core.url_to_fs(url)
    return fs, path


def exists(url: str) -> bool:
    """Whether the file or folder is there."""
    if not is_url(url):
        return os.path.exists(url)
    fs, path = _filesystem(url)
    return bool(fs.exists(path))


def list_names(url: str) -> list[str]:
    """Sorted names in a folder; empty when there is no such folder."""
    if not is_url(url):
        return sorted(n for n in os.listdir(url) if not n.startswith(".")) if os.path.isdir(url) else []
    fs, path = _filesystem(url)
    if not fs.exists(path):
        return []
    return sorted(str(p).rstrip("/").rsplit("/", 1)[-1] for p in fs.ls(path, detail=False, refresh=True))


def _commit_local(path: str, content: memoryview | bytes) -> None:
    folder = os.path.dirname(path) or "."
    aside = os.path.join(folder, f".{os.path.basename(path)}.{uuid.uuid4().hex}")
    try:
        os.makedirs(folder, exist_ok=True)
        with open(aside, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.replace(aside, path)
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if os.path.exists(aside):
            os.unlink(aside)
        raise WorkspaceError(
            f"{path}: cannot be written ({error.strerror}); choose a writable --workspace"
        ) from error


def _commit(url: str, content: memoryview | bytes) -> None:
    if not is_url(url):
        _commit_local(url, content)
        return
    fs, path = _filesystem(url)
    try:
        fs.pipe_file(path, bytes(content))  # an object store shows an object whole or not at all
    except OSError as error:
        raise WorkspaceError(
            f"{url}: cannot be written ({error}); check the bucket and its credentials"
        ) from error


def write_json(url: str, value: Any) -> None:
    """Commits a JSON document."""
    _commit(url, json.dumps(value, indent=1, ensure_ascii=False).encode("utf-8"))


def read_json(url: str) -> Any:
    """Reads a JSON document; a broken one is a DataError."""
    try:
        with fsspec.open(url, "rb") as handle:
            return json.loads(handle.read())
    except (OSError, ValueError) as error:
        raise DataError(
            f"{url}: cannot be read as JSON ({error}); delete the step's folder to make it again"
        ) from error


def write_table(url: str, table: pa.Table) -> Written:
    """Commits a Parquet file (zstd) and gives its size and SHA-256."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=_ROW_GROUP)
    content = sink.getbuffer()
    _commit(url, content)
    return Written(rows=table.num_rows, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def read_table(
    url: str, *, columns: Sequence[str] | None = None, where: tuple[str, int] | None = None
) -> pa.Table:
    """Reads a Parquet file, or its rows with one value in a column; a broken one is a DataError."""
    try:
        with fsspec.open(url, "rb") as handle:
            names = list(columns) if columns is not None else None
            filters = None if where is None else [(where[0], "==", where[1])]
            return pq.read_table(handle, columns=names, filters=filters)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(
            f"{url}: cannot be read as Parquet ({error}); delete the step's folder to make it again"
        ) from error
