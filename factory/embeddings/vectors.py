"""Unit vectors of many rows, as float32 or as int8 with one scale per row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Vectors"]

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Vectors:
    """n rows of d numbers: row i is `values[i] * scales[i]`, of length 1.

    int8 values take a quarter of the memory. The scale brings a decoded row back to length 1, so that the
    cosine of two rows is an exact integer dot product times two scales: the same on every machine.
    """

    values: npt.NDArray[np.float32] | npt.NDArray[np.int8]
    scales: F32

    @classmethod
    def exact(cls, rows: npt.NDArray[np.floating]) -> Vectors:
        """Keeps float32; rows are brought to length 1, an all-zero row stays zero."""
        values = np.ascontiguousarray(rows, np.float32)
        return cls(values, _inverse_length(values))

    @classmethod
    def quantised(cls, rows: npt.NDArray[np.floating]) -> Vectors:
        """Rounds each row to 8 bits by its largest component (cosines move by about 0.001)."""
        values = np.ascontiguousarray(rows, np.float32)
        peak = np.abs(values).max(axis=1, keepdims=True, initial=0.0)
        codes = np.rint(values * (127.0 / np.where(peak > 0, peak, 1.0))).astype(np.int8)
        return cls(codes, _inverse_length(codes))

    @classmethod
    def joined(cls, parts: list[Vectors]) -> Vectors:
        """Rows of several sets, one after the other."""
        return cls(np.concatenate([p.values for p in parts]), np.concatenate([p.scales for p in parts]))

    def __len__(self) -> int:
        return int(self.scales.size)

    @property
    def dimension(self) -> int:
        """Numbers per row."""
        return int(self.values.shape[1])

    def take(self, rows: npt.NDArray[np.integer] | slice) -> F32:
        """Decodes some rows to float32 of length 1."""
        return np.asarray(self.values[rows].astype(np.float32) * self.scales[rows, None], np.float32)

    def select(self, rows: npt.NDArray[np.integer] | slice) -> Vectors:
        """Some rows, still encoded."""
        return Vectors(self.values[rows], self.scales[rows])


def _inverse_length(values: npt.NDArray[np.float32] | npt.NDArray[np.int8]) -> F32:
    """1 / length of each row, blockwise to keep memory flat; 0 for an all-zero row."""
    out = np.zeros(values.shape[0], np.float32)
    for first in range(0, values.shape[0], 65536):
        block = values[first : first + 65536].astype(np.float64)
        length = np.sqrt(np.einsum("ij,ij->i", block, block))
        out[first : first + 65536] = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    return out
