"""Rows that are put aside on disk while a decision is made, and read back in any order."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["ScratchRows", "ScratchTexts"]


class ScratchRows:
    """Rows of one type and width, appended to a temporary file: memory does not grow with them."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self._dtype = np.dtype(dtype)
        self._file: Any = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the rows are read
        self._rows = 0
        self._width = 1

    def __len__(self) -> int:
        return self._rows

    def add(self, rows: npt.NDArray[Any]) -> None:
        """Appends rows, (n, width)."""
        self._width = rows.shape[1]
        self._rows += rows.shape[0]
        self._file.write(np.ascontiguousarray(rows, self._dtype).tobytes())

    def mapped(self) -> npt.NDArray[Any]:
        """All rows (n, width) as pages of the file: the system loads them on use and may drop them again."""
        self._file.flush()
        shape = (self._rows, self._width)
        if self._rows == 0:
            return np.zeros(shape, self._dtype)
        return np.asarray(np.memmap(self._file, self._dtype, "r", shape=shape))


class ScratchTexts:
    """Texts appended to a temporary file; in memory stay 8 bytes of each."""

    def __init__(self) -> None:
        self._file: Any = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the texts are read
        self._ends: list[npt.NDArray[np.int64]] = [np.zeros(1, np.int64)]
        self._size = 0

    def add(self, texts: pa.Array | pa.ChunkedArray) -> None:
        """Appends texts; a null is read back as the empty text."""
        plain = [(text or "").encode() for text in texts.to_pylist()]
        ends = self._size + np.cumsum(np.fromiter(map(len, plain), np.int64, len(plain)))
        self._ends.append(ends)
        self._size = int(ends[-1]) if plain else self._size
        self._file.write(b"".join(plain))

    def get(self, row: int) -> str:
        """The text of one row."""
        edges = self._edges()
        self._file.seek(int(edges[row]))
        text: str = self._file.read(int(edges[row + 1] - edges[row])).decode()
        self._file.seek(0, 2)
        return text

    def take(self, rows: npt.NDArray[np.integer[Any]]) -> list[str]:
        """The texts of some rows, in their order."""
        found = {row: self.get(row) for row in np.unique(rows).tolist()}
        return [found[row] for row in rows.tolist()]

    def _edges(self) -> npt.NDArray[np.int64]:
        if len(self._ends) > 1:
            self._ends = [np.concatenate(self._ends)]
        return self._ends[0]
