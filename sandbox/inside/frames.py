"""How a result is written down: a JSON head and raw bytes, one frame after another, in a memory file."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from typing import Any

__all__ = ["append", "append_text", "read_all", "read_exactly"]

_SMALL = 1 << 16
_HEAD = struct.Struct("<IQ")


def append(fd: int, head: dict[str, Any], *blobs: bytes) -> None:
    """Writes one frame; the head keeps the length of each blob under `sizes`."""
    append_text(fd, json.dumps(head)[1:-1], *blobs)


def append_text(fd: int, head: str, *blobs: bytes) -> None:
    """Writes one frame whose head is given as the inside of a JSON object."""
    sizes = ", ".join([str(len(blob)) for blob in blobs])
    text = f'{{{head}, "sizes": [{sizes}]}}'.encode() if head else f'{{"sizes": [{sizes}]}}'.encode()
    start = _HEAD.pack(len(text), sum(len(blob) for blob in blobs)) + text
    if sum(len(blob) for blob in blobs) < _SMALL:
        _write(fd, b"".join((start, *blobs)))
        return
    _write(fd, start)
    for blob in blobs:
        _write(fd, blob)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def read_exactly(fd: int, size: int, offset: int) -> bytes:
    """`size` bytes at `offset`, or fewer at the end of the file."""
    pieces = []
    while size > 0:
        piece = os.pread(fd, min(size, 1 << 26), offset)
        if not piece:
            break
        pieces.append(piece)
        offset += len(piece)
        size -= len(piece)
    return b"".join(pieces)


def read_all(fd: int, *, offset: int = 0) -> Iterator[tuple[dict[str, Any], list[bytes], int]]:
    """(head, blobs, offset after it) of each whole frame; a frame cut short by a death is left out."""
    end = os.fstat(fd).st_size
    while offset + _HEAD.size <= end:
        text_size, blob_size = _HEAD.unpack(read_exactly(fd, _HEAD.size, offset))
        offset += _HEAD.size
        if offset + text_size + blob_size > end:
            return
        head = json.loads(read_exactly(fd, text_size, offset))
        offset += text_size
        blobs = []
        for size in head.pop("sizes"):
            blobs.append(read_exactly(fd, size, offset))
            offset += size
        yield head, blobs, offset
