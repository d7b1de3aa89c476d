"""Finds the numbers of a text: digits with separators, and number words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from factory.text.kernels.jit import i64, jit, u64

__all__ = ["find_numbers", "sum_numbers"]

Bytes = npt.NDArray[np.uint8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]

FNV_OFFSET = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)
MIX = np.uint64(0xFF51AFD7ED558CCD)
SHIFT = np.uint64(33)
ONE = np.uint64(1)
SIX = np.uint64(6)
LOW_SIX = np.uint64(63)
ZERO, NINE, DOT, COMMA, OPEN, CLOSE = 48, 57, 46, 44, 123, 125


@jit
def _digit(data: Bytes, at: int, end: int) -> bool:
    return at < end and ZERO <= data[at] <= NINE


@jit
def _thousands(data: Bytes, at: int, end: int) -> int:
    """Width of a thousands separator (`,` or LaTeX's `{,}`) at `at` that three digits follow; else 0."""
    width = 0
    if at < end and data[at] == COMMA:
        width = 1
    elif at + 2 < end and data[at] == OPEN and data[at + 1] == COMMA and data[at + 2] == CLOSE:
        width = 3
    if width == 0:
        return 0
    for k in range(3):
        if not _digit(data, at + width + k, end):
            return 0
    return 0 if _digit(data, at + width + 3, end) else width


@jit
def _spread(state: np.uint64) -> np.uint64:
    state ^= state >> SHIFT
    state *= MIX
    return state ^ (state >> SHIFT)


@jit
def _integer_hash(value: int) -> np.uint64:
    """The hash that the digits of `value` would have."""
    scale = i64(1)
    while value // scale >= 10:
        scale *= 10
    state = FNV_OFFSET
    while scale > 0:
        state = (state ^ np.uint64(ZERO + value // scale % 10)) * FNV_PRIME
        scale //= 10
    return _spread(state)


@jit
def _number(data: Bytes, at: int, end: int, out: U64, count: int) -> int:
    """Hashes the number at `at` without separators and leading zeros; returns the byte after it."""
    state, lead, split = FNV_OFFSET, True, True
    while True:
        if _digit(data, at, end):
            digit = data[at]
            if not (lead and digit == ZERO and _digit(data, at + 1, end)):
                state = (state ^ np.uint64(digit)) * FNV_PRIME
                lead = False
            at += 1
            continue
        width = _thousands(data, at, end) if split else 0
        if width > 0:
            at += width
        elif split and at < end and data[at] == DOT and _digit(data, at + 1, end):
            state = (state ^ np.uint64(DOT)) * FNV_PRIME
            at, split, lead = at + 1, False, False
        else:
            out[count] = _spread(state)
            return at


@jit
def _word_value(hashed: np.uint64, words: U64, values: I64, bits: U64) -> int:
    """The value of a number word, -1 for any other; `bits` (64 words) rules nearly all others out."""
    if (bits[hashed & LOW_SIX] >> ((hashed >> SIX) & LOW_SIX)) & ONE == 0:
        return i64(-1)
    at = np.searchsorted(words, hashed)
    return values[at] if at < words.size and words[at] == hashed else i64(-1)


@jit
def _joins(big: int, small: int, value: int) -> bool:
    """Whether a number word continues a number: `big` in whole thousands, `small` below a thousand."""
    if value >= 1000:
        return small > 0 and big % (1000 * value) == 0
    if value == 100:
        return 0 < small < 100
    if small == 0:
        return big > 0 and value > 0
    return small % 100 == 0 if value >= 10 else value > 0 and small % 10 == 0 and small % 100 != 10


@jit
def _joined(big: int, small: int, value: int) -> tuple[int, int]:
    if value >= 1000:
        return big + small * value, i64(0)
    return big, small * 100 if value == 100 else small + value


@jit
def _spelled(
    data: Bytes, base: int, first: int, last: int, hashes: U64, starts: I32, ends: I32,
    words: U64, values: I64, bits: U64, out: U64, count: int,
) -> int:  # fmt: skip
    """Number words of one row; words of one number are joined across spaces and hyphens alone."""
    reading, big, small = False, i64(0), i64(0)
    for t in range(first, last):
        value = _word_value(hashes[t], words, values, bits)
        if value < 0 and not reading:
            continue
        close = t > first and starts[t] - ends[t - 1] == 1 and data[base + starts[t] - 1] in (32, 45)
        if reading and value >= 0 and close and _joins(big, small, value):
            big, small = _joined(big, small, value)
            continue
        if reading:
            out[count] = _integer_hash(big + small)
            count += 1
        # A lone "one" is a pronoun more often than a number; before "hundred" it changes nothing.
        reading = value >= 0 and value != 1
        big, small = (value, i64(0)) if value >= 1000 else (i64(0), value)
    if reading:
        out[count] = _integer_hash(big + small)
        count += 1
    return count


@jit
def find_numbers(
    data: Bytes, rows: I64, token_rows: I64, hashes: U64, starts: I32, ends: I32,
    words: U64, values: I64, bits: U64, out: U64, out_rows: I64,
) -> int:  # fmt: skip
    """Fills the sorted hashes of the numbers in each row; returns how many there are.

    `out` holds a slot per byte. `words` (sorted) are the token hashes of number words, `values` their values,
    `bits` a filter over them.
    """
    count = i64(0)
    out_rows[0] = 0
    for row in range(rows.size - 1):
        first, at, end = count, rows[row], rows[row + 1]
        while at < end:
            if _digit(data, at, end):
                at = _number(data, at, end, out, count)
                count += 1
            else:
                at += 1
        count = _spelled(
            data, rows[row], token_rows[row], token_rows[row + 1], hashes, starts, ends,
            words, values, bits, out, count,
        )  # fmt: skip
        if count - first > 1:
            out[first:count] = np.sort(out[first:count])
        out_rows[row + 1] = count
    return count


@jit
def sum_numbers(
    data: Bytes, rows: I64, token_rows: I64, hashes: U64, starts: I32, ends: I32,
    words: U64, values: I64, bits: U64, room: U64, out: U64,
) -> None:  # fmt: skip
    """One order-free 64-bit sum per row of the hashes of its numbers; `room` holds a slot per byte of it."""
    for row in range(rows.size - 1):
        count, at, end = i64(0), rows[row], rows[row + 1]
        while at < end:
            if ZERO <= data[u64(at)] <= NINE:
                at = _number(data, at, end, room, count)
                count += 1
            else:
                at += 1
        count = _spelled(
            data, rows[row], token_rows[row], token_rows[row + 1], hashes, starts, ends,
            words, values, bits, room, count,
        )  # fmt: skip
        total = np.uint64(0)
        for k in range(count):
            total += room[k]
        out[row] = total
