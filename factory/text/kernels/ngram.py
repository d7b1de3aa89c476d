"""Hash table of n-grams, and the match of tokenised rows against it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from factory.text.kernels.jit import i64, jit

__all__ = ["count_known", "fill_table", "find_grams", "item_windows", "match_rows", "window_hashes"]

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
F32 = npt.NDArray[np.float32]

BASE = np.uint64(0x9E3779B97F4A7C15)
MIX = np.uint64(0xFF51AFD7ED558CCD)
ONE = np.uint64(1)
SIX = np.uint64(6)
LOW_SIX = np.uint64(63)
SHIFT = np.uint64(32)


@jit
def _spread(window: np.uint64) -> np.uint64:
    window ^= window >> SHIFT
    window *= MIX
    return window ^ (window >> SHIFT)


@jit
def window_hashes(hashes: U64, first: int, last: int, n: int, out: U64) -> int:
    """Hashes each window of n tokens in `first : last` (polynomial mod 2^64, spread); returns their count."""
    if last - first < n:
        return 0
    top = ONE
    for _ in range(n - 1):
        top *= BASE
    window = np.uint64(0)
    for k in range(first, last):
        if k - first >= n:
            window -= hashes[k - n] * top
        window = window * BASE + hashes[k]
        if k - first >= n - 1:
            out[k - first - n + 1] = _spread(window)
    return last - first - n + 1


@jit
def item_windows(
    hashes: U64, rows: I64, chosen: I64, n: int, first_only: bool, grams: U64, items: I32, positions: I64
) -> int:  # fmt: skip
    """Windows of the chosen items, all or each item's first, with item and place; returns their count."""
    windows = np.empty(i64(hashes.size) + 1, np.uint64)
    count = i64(0)
    for item in chosen:
        last = min(rows[item + 1], rows[item] + n) if first_only else rows[item + 1]
        for w in range(window_hashes(hashes, rows[item], last, n, windows)):
            grams[count], items[count], positions[count] = windows[w], item, w
            count += 1
    return count


@jit
def fill_table(grams: U64, keys: U64, slots: I32, bloom: U64) -> None:
    """Places each distinct gram in an open-addressed table (`slots` starts at -1) and in a one-bit filter."""
    mask = np.uint64(keys.size - 1)
    bits = np.uint64(bloom.size * 64 - 1)
    for entry in range(grams.size):
        gram = grams[entry]
        at = gram & mask
        while slots[at] >= 0:
            at = (at + ONE) & mask
        keys[at], slots[at] = gram, entry
        bit = (gram >> SHIFT) & bits
        bloom[bit >> SIX] |= ONE << (bit & LOW_SIX)


@jit
def _entry(gram: np.uint64, keys: U64, slots: I32, bloom: U64) -> int:
    """The entry of a gram, -1 when it is not in the table."""
    bit = (gram >> SHIFT) & np.uint64(bloom.size * 64 - 1)
    if (bloom[bit >> SIX] >> (bit & LOW_SIX)) & ONE == 0:
        return -1
    mask = np.uint64(keys.size - 1)
    at = gram & mask
    while slots[at] >= 0:
        if keys[at] == gram:
            return i64(slots[at])
        at = (at + ONE) & mask
    return -1


@jit
def find_grams(grams: U64, keys: U64, slots: I32, bloom: U64, out: I32) -> None:
    """Looks up many grams: out[i] is the entry, or -1."""
    for i in range(grams.size):
        out[i] = _entry(grams[i], keys, slots, bloom)


@jit
def count_known(hashes: U64, rows: I64, n: int, keys: U64, slots: I32, bloom: U64, out: I64) -> None:
    """Counts the windows of each row that the table holds."""
    windows = np.empty(i64(hashes.size) + 1, np.uint64)
    for row in range(rows.size - 1):
        total = i64(0)
        for w in range(window_hashes(hashes, rows[row], rows[row + 1], n, windows)):
            if _entry(windows[w], keys, slots, bloom) >= 0:
                total += 1
        out[row] = total


@jit
def _post(
    row_stamp: int, w: int, item: int, slot: int, stamps: I64, seen: I64, state: I32, touched: I32, count: int
) -> int:
    """Notes that window w of the row is n-gram `slot` of the item.

    `state` holds hits, first and last window of the run, first and last window of the longest run.
    """
    if seen[item] != row_stamp:
        seen[item] = row_stamp
        touched[count] = item
        count += 1
        state[item, 0], state[item, 1], state[item, 2] = 0, w, w
        state[item, 3], state[item, 4] = w, w
    elif w > state[item, 2]:
        if w > state[item, 2] + 1:
            state[item, 1] = w
        state[item, 2] = w
        if w - state[item, 1] > state[item, 4] - state[item, 3]:
            state[item, 3], state[item, 4] = state[item, 1], w
    if stamps[slot] != row_stamp:
        stamps[slot] = row_stamp
        state[item, 0] += 1
    return count


@jit
def match_rows(
    hashes: U64, rows: I64, n: int, keys: U64, slots: I32, bloom: U64,
    post_rows: I64, post_item: I32, post_slot: I64, item_grams: I32, min_coverage: float,
    stamps: I64, seen: I64, state: I32, touched: I32, stamp: int, first_row: int,
    out_row: I64, out_item: I32, out_coverage: F32, out_span: I32,
) -> tuple[int, int]:  # fmt: skip
    """Matches rows from `first_row` on; returns (rows done, hits written).

    A hit is an item of which at least `min_coverage` of the n-gram positions occur in the row; its span is
    the longest run of consecutive windows of the row that belong to the item, as (first, last) token. Stops
    before a row whose hits might not fit.
    """
    windows = np.empty(i64(hashes.size) + 1, np.uint64)
    hits = 0
    for row in range(first_row, rows.size - 1):
        if out_row.size - hits < item_grams.size:
            return row, hits
        count = 0
        total = window_hashes(hashes, rows[row], rows[row + 1], n, windows)
        for w in range(total):
            entry = _entry(windows[w], keys, slots, bloom)
            if entry < 0:
                continue
            for p in range(post_rows[entry], post_rows[entry + 1]):
                count = _post(
                    stamp + row, w, post_item[p], post_slot[p], stamps, seen, state, touched, count
                )  # fmt: skip
        for item in touched[:count]:
            coverage = state[item, 0] / item_grams[item]
            if coverage >= min_coverage:
                out_row[hits], out_item[hits], out_coverage[hits] = row, item, coverage
                out_span[hits, 0], out_span[hits, 1] = state[item, 3], state[item, 4] + n - 1
                hits += 1
    return rows.size - 1, hits
