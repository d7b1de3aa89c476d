"""Work cut into calls that an engine can spread, and matrices of numbers as columns of a survey."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["LazyCalls", "fixed_binary", "matrix_of"]


class LazyCalls(Sequence[tuple[Any, ...]]):
    """Arguments of calls, each made when it is asked for: their content is never all in memory."""

    def __init__(self, calls: int, make: Callable[[int], tuple[Any, ...]]) -> None:
        self._calls, self._make = calls, make

    def __len__(self) -> int:
        return self._calls

    @overload
    def __getitem__(self, index: int) -> tuple[Any, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[tuple[Any, ...]]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self._make(i) for i in range(*index.indices(self._calls))]
        if not -self._calls <= index < self._calls:
            raise IndexError(index)
        return self._make(index % self._calls)


def fixed_binary(rows: npt.NDArray[Any]) -> pa.FixedSizeBinaryArray:
    """A matrix (n, width) as a column of n values, each the bytes of a row."""
    whole = np.ascontiguousarray(rows)
    width = whole.shape[1] * whole.itemsize
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(width), len(whole), [None, pa.py_buffer(whole.tobytes())]
    )


def matrix_of(column: pa.Array | pa.ChunkedArray, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """The matrix (n, width) that `fixed_binary` made a column of."""
    flat = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind, width = np.dtype(dtype), flat.type.byte_width
    wide = width // kind.itemsize
    found = np.frombuffer(flat.buffers()[1], kind, len(flat) * wide, flat.offset * width // kind.itemsize)
    return found.reshape(len(flat), wide)
