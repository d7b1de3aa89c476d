"""Files on a local disk or any fsspec store: written whole or not at all, read, listed, moved, removed.

A local file is written aside, synced and renamed; an object store shows an object whole or not at all. Every
function takes a local path or an fsspec URL. Reading raises OSError whatever the store's own library raises;
writing raises WorkspaceError.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import fsspec

from factory.core import DamagedFile, DataError
from factory.storage.file_system import file_system, local_path, reading, sync_folder, writing

__all__ = [
    "Stat",
    "create_bytes",
    "exists",
    "join",
    "list_names",
    "open_read",
    "open_write",
    "read_bytes",
    "read_json",
    "read_signed",
    "sha256",
    "stat",
    "write_bytes",
    "write_json",
    "write_signed",
]

_BLOCK_BYTES = 1 << 20
_SETTLE_S = 1.0
"""How long two that create the same object may overlap in a store without a conditional put."""


@dataclass(frozen=True, slots=True)
class Stat:
    """A file as the store knows it."""

    size: int
    """Bytes."""
    stamp: str
    """Time of change or the store's tag; empty when the store knows neither."""


def join(url: str, *parts: str) -> str:
    """A path below a local folder or fsspec URL."""
    return "/".join([url.rstrip("/"), *parts])


def exists(url: str) -> bool:
    """Whether the file or folder is there now."""
    path = local_path(url)
    if path is not None:
        return os.path.exists(path)
    with reading(url):
        fs, path = file_system(url)
        return bool(fs.exists(path))


def stat(url: str) -> Stat:
    """Size and stamp of a file; FileNotFoundError when it is not there."""
    with reading(url):
        fs, path = file_system(url)
        info = fs.info(path)
    stamps = (info.get(k) for k in ("mtime", "ETag", "etag", "LastModified", "created"))
    return Stat(int(info["size"] or 0), next((str(s) for s in stamps if s), ""))


def list_names(url: str, *, hidden: bool = False) -> list[str]:
    """Sorted names in a folder; empty when there is no such folder. Hidden ones begin with a dot."""
    path = local_path(url)
    if path is not None:
        names = os.listdir(path) if os.path.isdir(path) else []
    else:
        with reading(url):
            fs, path = file_system(url)
            found = fs.ls(path, detail=False) if fs.exists(path) else []
        names = [str(p).rstrip("/").rsplit("/", 1)[-1] for p in found]
    return sorted(n for n in names if hidden or not n.startswith("."))


@contextmanager
def open_read(url: str, *, decompress: bool = False) -> Iterator[BinaryIO]:
    """The bytes as a stream that can seek; `decompress` goes by the name's suffix (.gz, .zst, ...)."""
    with reading(url):
        fs, path = file_system(url)
        opened = fs.open(path, "rb", compression="infer" if decompress else None)
    with opened as stream:
        yield cast(BinaryIO, stream)


def read_bytes(url: str, *, start: int | None = None, end: int | None = None) -> bytes:
    """The whole content, or the bytes from `start` up to `end`; FileNotFoundError when it is not there."""
    with reading(url):
        fs, path = file_system(url)
        return bytes(fs.cat_file(path, start=start, end=end))


def read_json(url: str) -> Any:
    """Reads a JSON document; a broken one is a DataError."""
    try:
        return json.loads(read_bytes(url))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{url}: cannot be read as JSON ({error}); where a step lies, run again to make it again"
        ) from error


def sha256(url: str) -> str:
    """Digest of a file's bytes, read in blocks, 64 hex digits."""
    sums = hashlib.sha256()
    with open_read(url) as stream:
        while block := stream.read(_BLOCK_BYTES):
            sums.update(block)
    return sums.hexdigest()


@contextmanager
def open_write(url: str) -> Iterator[BinaryIO]:
    """A new file as a stream: there, synced, once the context is left, and not there after an error."""
    path = local_path(url)
    if path is None:
        with writing(url):
            fs, path = file_system(url)
            fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            opened = fs.open(path, "wb")
        try:
            with opened as stream:
                yield cast(BinaryIO, stream)
        except BaseException:
            if fs.exists(path):
                fs.rm(path)
            raise
        return
    with _aside(url, path) as (stream, aside):
        yield stream
        _sync(stream)
        os.replace(aside, path)


@contextmanager
def _aside(url: str, path: str) -> Iterator[tuple[BinaryIO, str]]:
    """A file beside a local path, gone afterwards; the folder is synced when the path has got its name."""
    folder = os.path.dirname(path) or "."
    aside = os.path.join(folder, f".{os.path.basename(path)}.{uuid.uuid4().hex}")
    with writing(url):
        os.makedirs(folder, exist_ok=True)
        try:
            with open(aside, "wb") as stream:
                yield stream, aside
            sync_folder(folder)
        finally:
            if os.path.exists(aside):
                os.unlink(aside)


def _sync(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def write_bytes(url: str, content: memoryview | bytes) -> None:
    """Commits a file, in the place of one that is there."""
    if local_path(url) is not None:
        with open_write(url) as stream:
            stream.write(content)
        return
    with writing(url):
        fs, path = file_system(url)
        fs.pipe_file(path, bytes(content))


def write_json(url: str, value: Any) -> None:
    """Commits a JSON document."""
    write_bytes(url, _json_bytes(value))


def _json_bytes(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode("utf-8", "replace")


def write_signed(url: str, value: dict[str, Any]) -> None:
    """Commits a JSON object with a digest of its content, its name and its folder's, for `read_signed`."""
    kept = json.loads(_json_bytes(value))  # as it will be read: what cannot be UTF-8 is replaced
    write_json(url, kept | {"signature": _signature(url, kept)})


def read_signed(url: str) -> dict[str, Any]:
    """Reads what `write_signed` wrote, without the digest; a DamagedFile when it is any other content."""
    try:
        found = json.loads(read_bytes(url))
    except (OSError, ValueError) as error:
        raise DamagedFile(f"{url}: cannot be read as JSON ({error}); run again to make it again") from error
    if not isinstance(found, dict) or found.pop("signature", None) != _signature(url, found):
        raise DamagedFile(f"{url}: is not what was written; run again to make it again")
    return found


def _signature(url: str, value: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps([url.rsplit("/", 2)[-2:], value], sort_keys=True).encode()).hexdigest()


def create_bytes(url: str, content: bytes) -> bool:
    """Commits a file that must not be there yet; false when it is, so of two that create it one alone wins.

    A link on a disk, a conditional put in a store. Where a store ignores the condition the last writer wins,
    which both find by reading again a moment later.
    """
    path = local_path(url)
    if path is not None:
        with _aside(url, path) as (stream, aside):
            stream.write(content)
            _sync(stream)
            try:
                os.link(aside, path)
            except FileExistsError:
                return False
            return True
    with writing(url):
        fs, path = file_system(url)
        try:
            fs.pipe_file(path, content, mode="create")
        except FileExistsError:
            return False
    if type(fs).pipe_file is fsspec.AbstractFileSystem.pipe_file:  # it looks first, then writes
        time.sleep(_SETTLE_S)
    return read_bytes(url) == content
