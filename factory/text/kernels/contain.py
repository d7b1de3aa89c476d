"""Whole-text containment: short items inside rows, and rows too short for an n-gram inside items."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from factory.text.kernels.jit import i64, jit

__all__ = ["match_contained", "row_hashes"]

I8 = npt.NDArray[np.int8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
F32 = npt.NDArray[np.float32]

BASE = np.uint64(0x9E3779B97F4A7C15)
WHOLE, SHORT_ROW = 1, 2


@jit
def row_hashes(hashes: U64, rows: I64, out: U64) -> None:
    """One 64-bit hash of all tokens of each row, their count included."""
    for row in range(rows.size - 1):
        state = np.uint64(rows[row + 1] - rows[row])
        for k in range(rows[row], rows[row + 1]):
            state = state * BASE + hashes[k]
        out[row] = state


@jit
def _equal(left: U64, a: int, right: U64, b: int, size: int) -> bool:
    k = 0
    while k < size and left[a + k] == right[b + k]:
        k += 1
    return k >= size


@jit
def _short_items(
    row: int, hashes: U64, first: int, last: int, gram: int, entries: I32, post_rows: I64, post_item: I32,
    item_rows: I64, item_hashes: U64, seen: I64, mark: int,
    out_row: I64, out_item: I32, out_coverage: F32, out_span: I32, out_kind: I8, hits: int,
) -> int:  # fmt: skip
    """Items whose first `gram` tokens begin at some window of the row, and whose rest follows there."""
    for w in range(last - first - gram + 1):
        entry = entries[first + w]
        if entry < 0:
            continue
        for p in range(post_rows[entry], post_rows[entry + 1]):
            item = post_item[p]
            size = item_rows[item + 1] - item_rows[item]
            if seen[item] == mark or first + w + size > last:
                continue
            if _equal(hashes, first + w, item_hashes, item_rows[item], size):
                seen[item] = mark
                out_row[hits], out_item[hits], out_coverage[hits], out_kind[hits] = row, item, 1.0, WHOLE
                out_span[hits, 0], out_span[hits, 1] = w, w + size - 1
                hits += 1
    return hits


@jit
def _short_row(
    row: int, hashes: U64, first: int, last: int, entry: int, post_rows: I64, post_item: I32, post_pos: I64,
    item_rows: I64, item_hashes: U64, min_coverage: float, seen: I64, mark: int,
    out_row: I64, out_item: I32, out_coverage: F32, out_span: I32, out_kind: I8, hits: int,
) -> int:  # fmt: skip
    """Items longer than the row that hold all of its tokens, in order and side by side."""
    size = last - first
    for p in range(post_rows[entry], post_rows[entry + 1]):
        item, at = post_item[p], post_pos[p]
        total = item_rows[item + 1] - item_rows[item]
        if seen[item] == mark or at + size > total or size >= total or size < min_coverage * total:
            continue
        if _equal(hashes, first, item_hashes, item_rows[item] + at, size):
            seen[item] = mark
            out_row[hits], out_item[hits] = row, item
            out_coverage[hits], out_kind[hits] = size / total, SHORT_ROW
            out_span[hits, 0], out_span[hits, 1] = 0, size - 1
            hits += 1
    return hits


@jit
def match_contained(
    hashes: U64, rows: I64, n: int, gram: int, min_coverage: float, item_rows: I64, item_hashes: U64,
    short_entries: I32, short_rows: I64, short_item: I32, all_entries: I32, all_rows: I64, all_item: I32,
    all_pos: I64, seen: I64, mark: int, first_row: int,
    out_row: I64, out_item: I32, out_coverage: F32, out_span: I32, out_kind: I8,
) -> tuple[int, int]:  # fmt: skip
    """Matches rows from `first_row` on; returns (rows done, hits written).

    `short_entries` holds, at each token, the entry of the window of `gram` tokens that begins there in the
    table of short items' beginnings; `all_entries` one entry per row, of its first window among all windows.
    """
    hits = i64(0)
    for row in range(first_row, rows.size - 1):
        if out_row.size - hits < 2 * (item_rows.size - 1):
            return row, hits
        first, last = rows[row], rows[row + 1]
        if last - first < gram:
            continue
        hits = _short_items(
            row, hashes, first, last, gram, short_entries, short_rows, short_item, item_rows, item_hashes,
            seen, mark + row, out_row, out_item, out_coverage, out_span, out_kind, hits,
        )  # fmt: skip
        if last - first < n and all_entries[row] >= 0:
            hits = _short_row(
                row, hashes, first, last, all_entries[row], all_rows, all_item, all_pos,
                item_rows, item_hashes, min_coverage, seen, mark + row,
                out_row, out_item, out_coverage, out_span, out_kind, hits,
            )  # fmt: skip
    return rows.size - 1, hits
