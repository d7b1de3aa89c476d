"""Counts windows of tokens over a whole corpus in a table of fixed size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from factory.text.kernels.jit import i64, jit

__all__ = ["count_windows", "find_windows", "select_windows"]

I64 = npt.NDArray[np.int64]
U16 = npt.NDArray[np.uint16]
U64 = npt.NDArray[np.uint64]

BASE = np.uint64(0x9E3779B97F4A7C15)
MIX = np.uint64(0xFF51AFD7ED558CCD)
SHIFT = np.uint64(32)
FULL = np.uint16(0xFFFF)


@jit
def _windows(hashes: U64, first: int, last: int, n: int, out: U64) -> int:
    """Hash of each window of n tokens in `first : last`; returns their count."""
    top, window = np.uint64(1), np.uint64(0)
    for _ in range(n - 1):
        top *= BASE
    count = i64(0)
    for k in range(first, last):
        if k - first >= n:
            window -= hashes[k - n] * top
        window = window * BASE + hashes[k]
        if k - first >= n - 1:
            mixed = window ^ (window >> SHIFT)
            mixed *= MIX
            out[count] = mixed ^ (mixed >> SHIFT)
            count += 1
    return count


@jit
def count_windows(hashes: U64, rows: I64, n: int, counters: U16) -> None:
    """Adds one to the counter of each window, up to 65,535; `counters` is a power of two long."""
    mask = np.uint64(counters.size - 1)
    windows = np.empty(hashes.size + 1, np.uint64)
    for row in range(rows.size - 1):
        for w in range(_windows(hashes, rows[row], rows[row + 1], n, windows)):
            slot = windows[w] & mask
            if counters[slot] < FULL:
                counters[slot] += 1


@jit
def select_windows(hashes: U64, rows: I64, n: int, counters: U16, limit: int, out: U64) -> int:
    """Writes each window whose counter passes the limit; returns how many."""
    mask = np.uint64(counters.size - 1)
    windows = np.empty(hashes.size + 1, np.uint64)
    count = i64(0)
    for row in range(rows.size - 1):
        for w in range(_windows(hashes, rows[row], rows[row + 1], n, windows)):
            if counters[windows[w] & mask] > limit:
                out[count] = windows[w]
                count += 1
    return count


@jit
def find_windows(hashes: U64, rows: I64, n: int, heavy: U64, out: I64) -> None:
    """Per row the first window that is among the sorted `heavy`, as a place in the row; -1 without one."""
    windows = np.empty(hashes.size + 1, np.uint64)
    for row in range(rows.size - 1):
        out[row] = -1
        for w in range(_windows(hashes, rows[row], rows[row + 1], n, windows)):
            at = np.searchsorted(heavy, windows[w])
            if at < heavy.size and heavy[at] == windows[w]:
                out[row] = w
                break
