"""A release's folder: every file that is written into it is counted and hashed on the way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from factory.core import DamagedFile, DataError
from factory.storage import files, folders
from factory.storage.file_system import local_path

__all__ = ["File", "Folder", "HashingSink"]


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
    """A folder on any store. Paths given to its methods are below it."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.is_local = local_path(self.url) is not None

    def path(self, below: str = "") -> str:
        """Path or URL of `below`."""
        return files.join(self.url, below) if below else self.url

    def child(self, below: str) -> Folder:
        """A folder inside this one."""
        return Folder(self.path(below))

    def exists(self, below: str = "") -> bool:
        """Whether a file or folder is there now."""
        return files.exists(self.path(below))

    def names(self, below: str = "") -> list[str]:
        """Names inside a folder, sorted, hidden ones too; none when it does not exist."""
        return files.list_names(self.path(below), hidden=True)

    def files(self) -> list[str]:
        """Every file below, as sorted relative paths."""
        return folders.list_files(self.url)

    @contextmanager
    def open_sink(self, below: str) -> Iterator[HashingSink]:
        """Opens a new file; on leaving without an error it is synced to the disk and there."""
        with files.open_write(self.path(below)) as raw:
            yield HashingSink(raw)

    def write_text(self, below: str, text: str) -> File:
        """Writes one text file as UTF-8."""
        with self.open_sink(below) as sink:
            sink.write(text.encode("utf-8", "replace"))
        return File(below, None, sink.bytes, sink.sha256)

    def read_text(self, below: str) -> str:
        """Reads one UTF-8 file; raises DataError when it is missing."""
        try:
            return files.read_bytes(self.path(below)).decode("utf-8")
        except OSError as error:
            raise DataError(f"{self.path(below)}: cannot be read ({error}); is this a release?") from error

    def read_json(self, below: str) -> Any:
        """Reads one JSON file; a torn one is a DamagedFile."""
        try:
            return json.loads(self.read_text(below))
        except ValueError as error:
            raise DamagedFile(
                f"{self.path(below)}: is no JSON ({error}); run again for another version"
            ) from error

    def move(self, source: str, target: str) -> None:
        """Moves a file within the folder."""
        folders.move(self.path(source), self.path(target))

    def remove(self, below: str = "") -> None:
        """Removes a file or a whole folder, if it is there."""
        folders.remove(self.path(below))
