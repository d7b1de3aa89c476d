"""Which files a path, folder, wildcard or URL names, and how their bytes are reached."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

import pyarrow as pa

from factory.core import DataError, PipelineError
from factory.storage.file_system import local_path
from factory.storage.files import open_read, stat
from factory.storage.folders import find_files

__all__ = ["COMPRESSIONS", "FORMS", "DataFile", "listed"]

FORMS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
"""Form of a file by its suffix."""
COMPRESSIONS = (".gz", ".zst", ".bz2", ".xz")
"""Suffixes that may follow a form's own."""

_SUFFIXES = "*.jsonl, .json, .csv, .tsv (also .gz, .zst, .bz2, .xz) or .parquet"


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file as it was found; plain values, so that it can travel in a split."""

    url: str
    """Absolute path or fsspec URL."""
    name: str
    """Name that rows carry in `origin`: the file name, or the path below the folder or wildcard named."""
    form: str
    compression: str
    """Suffix of the compression, empty for none."""
    size: int
    stamp: str
    """Time of change or the store's tag; empty when the file system knows neither."""

    @classmethod
    def at(cls, url: str, *, name: str) -> DataFile:
        """The file at `url`; PipelineError for an unknown suffix or a file that is not there."""
        form, compression = _form(name)
        here = local_path(url)
        if here is not None and os.path.exists(here) and not os.path.isfile(here):
            raise PipelineError(
                f"input file '{url}' is no file but a pipe, socket or device; copy it into one"
            )
        try:
            found = stat(url)
        except FileNotFoundError:
            raise PipelineError(f"input file '{url}' does not exist; check the path in `files`") from None
        except OSError as error:
            raise PipelineError(
                f"input file '{url}' cannot be reached ({error}); check its rights"
            ) from error
        return cls(url, name, form, compression, found.size, found.stamp)

    @property
    def stem(self) -> str:
        """The file name without its suffixes."""
        base = PurePosixPath(self.name).name
        for suffix in (self.compression, *FORMS):
            base = base.removesuffix(suffix) if suffix else base
        return base

    def plain(self) -> dict[str, Any]:
        """The fields as plain values; `DataFile(**plain)` is equal."""
        return asdict(self)

    def require_unchanged(self) -> None:
        """DataError when the file is not the one that was listed."""
        now = DataFile.at(self.url, name=self.name)
        if (now.size, now.stamp) != (self.size, self.stamp):
            raise DataError(f"input file '{self.url}' changed while the run read it; start the run again")

    @contextmanager
    def raw(self) -> Iterator[BinaryIO]:
        """The bytes as they are stored."""
        with ExitStack() as stack:
            try:
                stream = stack.enter_context(open_read(self.url))
            except OSError as error:
                raise DataError(
                    f"input file '{self.url}' cannot be opened ({error}); check its rights"
                ) from error
            yield stream

    @contextmanager
    def plain_bytes(self) -> Iterator[BinaryIO]:
        """The bytes after decompression; a broken archive is a DataError, also while it is read."""
        with self.raw() as stream:
            try:
                yield _decompressed(stream, self.compression)
            except (EOFError, lzma.LZMAError, zlib.error, OSError, ValueError) as error:
                if not self.compression:
                    raise
                raise DataError(
                    f"input file '{self.url}' is not a whole {self.compression} file ({error}); get it again"
                ) from error


def listed(paths: Sequence[str]) -> list[DataFile]:
    """All files that the paths name, in order; folders and wildcards sorted by name, hidden files left out.

    Raises PipelineError when a path names nothing, or a file of unknown suffix.
    """
    return [file for path in paths for file in _listed(path)]


def _listed(url: str) -> list[DataFile]:
    try:
        found = find_files(url)
    except OSError as error:
        raise PipelineError(f"input '{url}' cannot be listed ({error}); check its rights") from error
    if [path for path, _ in found] == [url]:
        return [DataFile.at(url, name=found[0][1])]
    chosen = [(path, name) for path, name in found if _is_data(name)]
    if not chosen:
        raise PipelineError(f"no data file at '{url}'; wanted files named {_SUFFIXES}")
    return [DataFile.at(path, name=name) for path, name in chosen]


def _is_data(name: str) -> bool:
    hidden = any(part.startswith((".", "_")) for part in PurePosixPath(name).parts)
    return not hidden and PurePosixPath(_bare(name)[0]).suffix in FORMS


def _bare(name: str) -> tuple[str, str]:
    compression = next((c for c in COMPRESSIONS if name.endswith(c)), "")
    return name.removesuffix(compression), compression


def _form(name: str) -> tuple[str, str]:
    bare, compression = _bare(name)
    form = FORMS.get(PurePosixPath(bare).suffix)
    if form is None or (form == "parquet" and compression):
        raise PipelineError(f"input file '{name}' has an unknown form; wanted a file named {_SUFFIXES}")
    return form, compression


def _decompressed(stream: BinaryIO, compression: str) -> BinaryIO:
    match compression:
        case ".gz":
            return cast(BinaryIO, gzip.GzipFile(fileobj=stream))
        case ".bz2":
            return cast(BinaryIO, bz2.BZ2File(stream))
        case ".xz":
            return cast(BinaryIO, lzma.LZMAFile(stream))
        case ".zst":
            return cast(BinaryIO, io.BufferedReader(pa.CompressedInputStream(stream, "zstd"), 1 << 20))
    return stream
