"""Files of a journal: one writer each, whole lines only, each line with a checksum of its own."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from factory.core import WorkspaceError
from factory.storage.files import write_bytes

__all__ = [
    "LineFacts",
    "LocalSegment",
    "ObjectSegment",
    "Segment",
    "decode_line",
    "encode_line",
    "line_facts",
    "whole_lines",
]

_HEAD = re.compile(rb'\{"sum":"([0-9a-f]{16})",')
_FACTS = re.compile(
    rb'"problem":"([0-9A-Za-z_-]+)","index":([0-9]+),"tokens":([0-9]+),"completion_tokens":([0-9]+|null),'
    rb'"finished":([0-9.]+),'
)
_HEAD_BYTES = 26


class LineFacts(NamedTuple):
    """What stands at the start of a line, so that nobody parses a text to count it."""

    problem: str
    sample_index: int
    tokens: int = 0
    """All tokens that the completion cost, prompt included."""
    completion_tokens: int = 0
    """Those that the teacher wrote; 0 where it counted none."""
    finished: float = 0.0
    """Time at which it was finished, in seconds since 1970."""


def encode_line(record: dict[str, Any]) -> bytes:
    """One JSON line, newline at its end: the record, led by a 64-bit checksum of all that follows it."""
    body = (
        json.dumps(record, ensure_ascii=False, separators=(",", ":"))[1:].encode("utf-8", "replace") + b"\n"
    )
    return b'{"sum":"' + _checksum(body).encode() + b'",' + body


def line_facts(line: bytes) -> LineFacts | None:
    """What a line says of its completion, or null when the line is torn or damaged."""
    head = _HEAD.match(line)
    if head is None or not line.endswith(b"\n") or _checksum(line[_HEAD_BYTES:]).encode() != head[1]:
        return None
    found = _FACTS.match(line, _HEAD_BYTES)
    if found is None:  # an id that JSON spells in another way
        record = json.loads(line)
        counts = (record.get(name) or 0 for name in ("tokens", "completion_tokens", "finished"))
        return LineFacts(record["problem"], record["index"], *counts)
    made = 0 if found[4] == b"null" else int(found[4])
    return LineFacts(found[1].decode(), int(found[2]), int(found[3]), made, float(found[5]))


def decode_line(line: bytes) -> dict[str, Any]:
    """The record of a line that `line_facts` accepts."""
    record: dict[str, Any] = json.loads(line)
    del record["sum"]
    return record


def whole_lines(block: bytes, *, start: int) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each line in a block that begins at `start`; the last may lack its newline."""
    at = 0
    while at < len(block):
        end = block.find(b"\n", at) + 1 or len(block)
        yield start + at, block[at:end]
        at = end


class Segment(Protocol):
    """Where one batch of one writer puts its lines."""

    def append(self, line: bytes) -> tuple[str, int]:
        """Add one line; gives the file it is or will be in, and its offset there."""
        ...

    def flush(self) -> None:
        """Make every line so far durable."""
        ...

    def close(self) -> None:
        """Flush, and take no more lines."""
        ...


class LocalSegment:
    """A file that grows by one write per line, so that a line is there for other readers at once."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._size = 0
        self._dirty = False
        self._file: int | None = None
        self._lock = threading.Lock()
        # A sync takes as long as the disk likes: lines go on being added meanwhile, only closing waits.
        self._sync_lock = threading.Lock()

    def append(self, line: bytes) -> tuple[str, int]:
        """Add one line. Raises WorkspaceError when the disk does not take the whole of it."""
        with self._lock:
            path, offset = self._path, self._size
            try:
                if self._file is None:
                    self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)
                written = os.write(self._file, line)
            except OSError as error:
                raise WorkspaceError(f"journal {path} cannot be written: {error}") from error
            self._size, self._dirty = offset + written, True
        if written < len(line):
            self._start_anew()
            raise WorkspaceError(
                f"journal {path}: the disk took {written} of {len(line)} bytes; free some space and run again"
            )
        return path, offset

    def flush(self) -> None:
        """Hand what was written to the disk itself, so that a power cut cannot take it."""
        with self._sync_lock:
            if self._dirty and self._file is not None:
                self._dirty = False
                os.fdatasync(self._file)

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        with self._sync_lock, self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _start_anew(self) -> None:
        # The next line would run into the torn one: it goes to a new file.
        self.close()
        with self._lock:
            self._path, self._size = self._path.removesuffix(".jsonl") + "+.jsonl", 0


class ObjectSegment:
    """Numbered objects in a store that cannot append: the lines since the last flush make the next object."""

    def __init__(self, url: str) -> None:
        self._stem = url.removesuffix(".jsonl")
        self._number = 0
        self._lines: list[bytes] = []
        self._size = 0
        self._waiting: list[tuple[str, bytes]] = []
        self._failure: Exception | None = None
        self._lock = threading.Lock()
        self._put_lock = threading.Lock()

    def append(self, line: bytes) -> tuple[str, int]:
        """Add one line to the next object. Raises WorkspaceError while an earlier object cannot be put."""
        self._raise_failure()
        with self._lock:
            offset, self._size = self._size, self._size + len(line)
            self._lines.append(line)
            return self._object(), offset

    def flush(self) -> None:
        """Put the lines so far as one object. A failure is kept for the next `append` or `close` to raise."""
        with self._put_lock:
            with self._lock:
                if self._lines:
                    self._waiting.append((self._object(), b"".join(self._lines)))
                    self._lines, self._size, self._number = [], 0, self._number + 1
            try:
                while self._waiting:
                    write_bytes(*self._waiting[0])
                    del self._waiting[0]
            except Exception as error:
                self._failure = error
            else:
                self._failure = None

    def close(self) -> None:
        """Put what is left. Raises WorkspaceError when the store does not take it."""
        self.flush()
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise WorkspaceError(f"journal {self._stem} cannot be written: {self._failure}")

    def _object(self) -> str:
        return f"{self._stem}-{self._number:06d}.jsonl"


def _checksum(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=8).hexdigest()
