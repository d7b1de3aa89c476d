"""The rim: every file a release writes or reads goes through here, on a local disk or any fsspec store."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from factory.core import DataError, WorkspaceError

__all__ = ["File", "Folder", "HashingSink", "read_batches", "read_schema", "row_count"]

_BATCH_BYTES = 32 << 20  # rows in memory at once while streaming: small beside one shard
_MAX_BATCH_ROWS = 4096


@dataclass(frozen=True, slots=True)
class File:
    """A written file: path below the release folder, rows (null: not a table), bytes, SHA-256."""

    path: str
    rows: int | None
    bytes: int
    sha256: str
    memory_bytes: int = 0
    """Size of a table's rows in memory."""

    def to_json(self) -> dict[str, Any]:
        """The entry in a manifest."""
        entry = {"path": self.path, "rows": self.rows, "bytes": self.bytes, "sha256": self.sha256}
        return entry if self.rows is None else entry | {"memory_bytes": self.memory_bytes}


class HashingSink:
    """A binary file opened for writing that knows the SHA-256 and the size of what went through it."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._hash = hashlib.sha256()
        self.bytes = 0
        self.closed = False

    @property
    def sha256(self) -> str:
        """Digest of everything written so far, 64 hex digits."""
        return self._hash.hexdigest()

    def write(self, chunk: Any) -> int:
        """Writes one chunk of bytes."""
        content = bytes(chunk)
        self._raw.write(content)
        self._hash.update(content)
        self.bytes += len(content)
        return len(content)

    def tell(self) -> int:
        """Bytes written so far."""
        return self.bytes

    def flush(self) -> None:
        """Hands buffered bytes on."""
        self._raw.flush()

    def readable(self) -> bool:
        """False: it only writes."""
        return False

    def writable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """False: the digest is of a stream."""
        return False

    def close(self) -> None:
        """Closes for Arrow; the file itself is synced and closed by the folder that opened it."""
        self.closed = True


class Folder:
    """A folder on any fsspec store. Paths given to its methods are below it."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.fs, self.root = fsspec.core.url_to_fs(self.url)
        self.is_local = isinstance(self.fs, LocalFileSystem)

    def path(self, below: str) -> str:
        """The path of `below` as the file system wants it."""
        return f"{self.root.rstrip('/')}/{below}" if below else str(self.root)

    def child(self, below: str) -> Folder:
        """A folder inside this one."""
        return Folder(f"{self.url}/{below}")

    def exists(self, below: str = "") -> bool:
        """Whether a file or folder is there now."""
        self.fs.invalidate_cache()
        return bool(self.fs.exists(self.path(below)))

    def names(self, below: str = "") -> list[str]:
        """Names inside a folder, sorted; none when it does not exist."""
        if not self.exists(below):
            return []
        found = self.fs.ls(self.path(below), detail=False)
        return sorted(str(entry).rstrip("/").rsplit("/", 1)[-1] for entry in found)

    def files(self) -> list[str]:
        """Every file below, as sorted relative paths."""
        self.fs.invalidate_cache()
        start = len(self.fs._strip_protocol(self.path("")).rstrip("/")) + 1
        return sorted(str(found)[start:] for found in self.fs.find(self.path("")))

    @contextmanager
    def open_sink(self, below: str) -> Iterator[HashingSink]:
        """Opens a new file; on leaving without an error it is synced to the disk and closed."""
        path = self.path(below)
        try:
            self.fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            raw = self.fs.open(path, "wb")
        except OSError as error:
            raise WorkspaceError(f"{path}: cannot be written ({error}); choose a writable folder") from error
        with raw:
            yield HashingSink(raw)
            raw.flush()
            if self.is_local:
                os.fsync(raw.fileno())

    def write_text(self, below: str, text: str) -> File:
        """Writes one text file as UTF-8."""
        with self.open_sink(below) as sink:
            sink.write(text.encode("utf-8", "replace"))
        return File(below, None, sink.bytes, sink.sha256)

    def read_text(self, below: str) -> str:
        """Reads one UTF-8 file; raises DataError when it is missing."""
        try:
            content: bytes = self.fs.cat_file(self.path(below))
        except OSError as error:
            raise DataError(f"{self.path(below)}: cannot be read ({error}); is this a release?") from error
        return content.decode("utf-8")

    def read_json(self, below: str) -> Any:
        """Reads one JSON file."""
        return json.loads(self.read_text(below))

    def move(self, source: str, target: str) -> None:
        """Moves a file within the folder: a rename on a disk, a server-side copy on an object store."""
        self.fs.mv(self.path(source), self.path(target))

    def remove(self, below: str = "") -> None:
        """Removes a file or a whole folder, if it is there."""
        if self.exists(below):
            self.fs.rm(self.path(below), recursive=True)

    def sha256(self, below: str) -> str:
        """Digest of a file's bytes, read in blocks."""
        sums = hashlib.sha256()
        with self.fs.open(self.path(below), "rb") as raw:
            while block := raw.read(1 << 20):
                sums.update(block)
        return sums.hexdigest()

    def fetch(self, target: str) -> None:
        """Copies the whole folder to a local one."""
        for below in self.files():
            os.makedirs(os.path.dirname(f"{target}/{below}"), exist_ok=True)
            with self.fs.open(self.path(below), "rb") as raw, open(f"{target}/{below}", "wb") as out:
                shutil.copyfileobj(raw, out, 1 << 20)

    def rename_into(self, target: str) -> None:
        """Gives this whole local folder its final path in one rename, after syncing the folder entries.

        Raises:
            WorkspaceError: the target exists and is not empty.
        """
        for folder, _, _ in os.walk(self.root):
            _sync_folder(folder)
        try:
            os.rename(self.root, target)
        except OSError as error:
            raise WorkspaceError(f"{target}: cannot be made ({error}); is another run writing it?") from error
        _sync_folder(os.path.dirname(target))


def row_count(path: str) -> int:
    """Rows of a Parquet file by its footer; raises DataError when it cannot be read."""
    with _open(path) as found:
        return int(found.metadata.num_rows)


def read_batches(path: str, *, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Streams a Parquet file in tables of about 32 MiB, at most 4,096 rows; an empty one if there is none."""
    with _open(path) as found:
        meta = found.metadata
        if meta.num_rows == 0:
            yield found.schema_arrow.empty_table() if columns is None else found.read(columns=list(columns))
            return
        size = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
        rows = max(1, min(_MAX_BATCH_ROWS, _BATCH_BYTES * meta.num_rows // max(size, 1)))
        for batch in found.iter_batches(batch_size=rows, columns=columns):
            yield pa.Table.from_batches([batch])


@contextmanager
def _open(path: str) -> Iterator[pq.ParquetFile]:
    try:
        raw = fsspec.open(path, "rb").open()
    except OSError as error:
        raise DataError(f"{path}: cannot be opened ({error}); run the pipeline again") from error
    with raw:
        try:
            found = pq.ParquetFile(raw)
        except pa.ArrowInvalid as error:
            raise DataError(f"{path}: is no readable Parquet file ({error})") from error
        yield found


def _sync_folder(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_schema(path: str) -> pa.Schema:
    """Arrow schema of a Parquet file."""
    with _open(path) as found:
        return found.schema_arrow.remove_metadata()
