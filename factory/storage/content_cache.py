"""What is made once and kept by the digest of what it is made of: single values, and rows under keys."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.core import DataError, WorkspaceError
from factory.storage.files import join, list_names, read_bytes, write_bytes
from factory.storage.tables import read_table, write_table

__all__ = ["KEY_BYTES", "KeyedRows", "Keys", "cache_home", "cached", "cached_bytes", "key_array"]

T = TypeVar("T")
KEY_BYTES = 16
Keys: TypeAlias = npt.NDArray[np.bytes_]
"""Keys of 16 bytes each, numpy type `S16`."""
_SUFFIX = ".parquet"


def cache_home() -> Path:
    """Folder for what is derived once and kept between runs: $FACTORY_HOME, else ~/.cache/factory."""
    return Path(os.environ.get("FACTORY_HOME") or Path.home() / ".cache" / "factory").expanduser().resolve()


def cached(url: str, make: Callable[[], T], *, dump: Callable[[T], bytes], load: Callable[[bytes], T]) -> T:
    """The value kept at `url`, made and kept when it is not there; of two makers at once either result stays.

    The value only saves time: one that cannot be read or loaded (ValueError, KeyError, TypeError) is made
    anew, and a folder that cannot be written is no error.
    """
    try:
        return load(read_bytes(url))
    except (OSError, ValueError, KeyError, TypeError):
        made = make()
    with suppress(WorkspaceError):
        write_bytes(url, dump(made))
    return made


def cached_bytes(url: str, make: Callable[[], bytes]) -> bytes:
    """As `cached`, for bytes as they are."""
    return cached(url, make, dump=bytes, load=bytes)


def key_array(keys: Sequence[bytes]) -> Keys:
    """Keys as `KeyedRows` takes them."""
    return np.array(keys, dtype=f"S{KEY_BYTES}")


class KeyedRows:
    """Rows under 16-byte keys, in Parquet files that are only ever added.

    Each file is complete from its first moment under a name of its own, so any number of writers and readers
    may share a folder. Two writers may keep the same key twice; one of the two is read. In memory stay the
    keys alone.
    """

    def __init__(self, url: str) -> None:
        """`url` is a local folder or fsspec URL."""
        self._url = url
        self._keys: dict[str, Keys] = {}
        self._lock = threading.Lock()

    def find(self, wanted: Keys) -> tuple[npt.NDArray[np.bool_], pa.Table | None]:
        """Which keys are there, and their rows in the order of the keys; None when none is.

        Raises DataError for a file that cannot be read.
        """
        found = np.zeros(len(wanted), bool)
        places: list[npt.NDArray[np.int64]] = []
        parts: list[pa.Table] = []
        for name, keys in self._listed().items():
            rows = np.flatnonzero(~found)
            at = np.minimum(np.searchsorted(keys, wanted[rows]), keys.size - 1)
            hit = keys[at] == wanted[rows]
            if hit.any():
                table = self._read(name)
                parts.append(table.drop_columns(["key"]).take(pa.array(at[hit])))
                places.append(rows[hit])
                found[rows[hit]] = True
        if not parts:
            return found, None
        back = np.argsort(np.concatenate(places))
        return found, pa.concat_tables(parts).take(pa.array(back))

    def add(self, keys: Keys, rows: pa.Table) -> None:
        """Keeps one row per key, durably once this returns. Raises WorkspaceError when that fails."""
        if len(keys) == 0:
            return
        order = np.argsort(keys)
        packed = pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(KEY_BYTES), len(keys), [None, pa.py_buffer(np.ascontiguousarray(keys[order]).tobytes())]
        )
        table = rows.take(pa.array(order)).append_column("key", packed)
        name = uuid.uuid4().hex + _SUFFIX
        write_table(join(self._url, name), table)
        with self._lock:
            self._keys[name] = keys[order]

    def _listed(self) -> dict[str, Keys]:
        """The keys of each file; only files not seen before are read."""
        for name in list_names(self._url):
            if name.endswith(_SUFFIX) and name not in self._keys:
                column = self._read(name, columns=["key"])["key"].combine_chunks()
                raw = column.buffers()[1]
                keys = np.frombuffer(raw, f"S{KEY_BYTES}", len(column), column.offset * KEY_BYTES)
                with self._lock:
                    self._keys[name] = keys
        with self._lock:
            return {name: keys for name, keys in self._keys.items() if keys.size}

    def _read(self, name: str, *, columns: Sequence[str] | None = None) -> pa.Table:
        url = join(self._url, name)
        try:
            return read_table(url, columns=columns)
        except DataError as error:
            raise DataError(
                f"{url}: what was kept cannot be read; delete this file to make it again"
            ) from error
