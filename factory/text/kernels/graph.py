"""Loops over pairs of rows: pick them out of a score matrix, rescore."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from factory.text.kernels.jit import i64, jit

__all__ = ["near_columns", "pick", "rescore_codes", "rescore_floats"]

I8 = npt.NDArray[np.int8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
F32 = npt.NDArray[np.float32]


@jit
def pick(scores: F32, least: float, above_diagonal: int, left: I32, right: I32) -> int:
    """Positions of scores >= least; with `above_diagonal` >= 0 only columns j > i + above_diagonal.

    Returns how many there are; writes as many as the outputs hold, so a too small output shows in the count.
    """
    count = i64(0)
    least32 = np.float32(least)
    for i in range(scores.shape[0]):
        first = i + above_diagonal + 1 if above_diagonal >= 0 else 0
        for j in range(first, scores.shape[1]):
            if scores[i, j] >= least32:
                if count < left.size:
                    left[count], right[count] = i, j
                count += 1
    return count


@jit
def rescore_codes(values: I8, scales: F32, left: I64, right: I64, out: F32) -> None:
    """Cosine of rows of int8 codes by an exact integer dot product."""
    for k in range(left.size):
        total = np.int32(0)
        for d in range(values.shape[1]):
            total += np.int32(values[left[k], d]) * np.int32(values[right[k], d])
        out[k] = np.float64(total) * np.float64(scales[left[k]]) * np.float64(scales[right[k]])


@jit
def rescore_floats(one: F32, left: I64, two: F32, right: I64, out: F32) -> None:
    """Dot product of rows of two float32 matrices, summed in one fixed order: the same for any blocking."""
    for k in range(left.size):
        total = 0.0
        for d in range(one.shape[1]):
            total += np.float64(one[left[k], d]) * np.float64(two[right[k], d])
        out[k] = total


@jit
def near_columns(scores: F32, most: int, margin: float, rows: I64, columns: I64) -> int:
    """Per row the `most` highest columns that lie within `margin` of the highest; returns their count.

    The outputs hold `most` slots per row.
    """
    count = i64(0)
    top, place = np.empty(most, np.float32), np.empty(most, np.int64)
    for i in range(scores.shape[0]):
        line = scores[i]
        highest = line[0]
        for j in range(line.size):
            highest = max(highest, line[j])
        least, held = highest - np.float32(margin), 0
        for j in range(line.size):
            if line[j] < least or (held == most and line[j] <= top[held - 1]):
                continue
            at = held if held < most else held - 1
            while at > 0 and top[at - 1] < line[j]:
                top[at], place[at] = top[at - 1], place[at - 1]
                at -= 1
            top[at], place[at] = line[j], j
            held = min(held + 1, most)
        for k in range(held):
            rows[count], columns[count] = i, place[k]
            count += 1
    return count
