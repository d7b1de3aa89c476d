"""Tokeniser and normaliser over UTF-8 bytes, driven by a table of code points."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from factory.text.kernels.jit import i64, jit, u64

__all__ = ["char_offsets", "string_hashes", "tokenise", "write_words"]

Bytes = npt.NDArray[np.uint8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]

# The kinds of factory.curation.alphabet, repeated as literals: numba freezes globals of the compiled file.
SEPARATOR, WORD, SOLO, SKIP, EXPAND = 0, 1, 2, 3, 4
BASE = np.uint64(0xD6E8FEB86659FD93)
ONE = np.uint64(1)
FNV_OFFSET = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)
MIX_1 = np.uint64(0xFF51AFD7ED558CCD)
MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
SHIFT_33 = np.uint64(33)


@jit
def _decode(data: Bytes, pos: int, end: int) -> tuple[int, int]:
    """The code point at `pos` and its width in bytes; a cut sequence decodes to U+0000."""
    first = i64(data[pos])
    if first < 0x80:
        return first, 1
    if first >= 0xF0 and pos + 3 < end:
        high = (first & 0x07) << 18 | (i64(data[pos + 1]) & 0x3F) << 12
        return high | (i64(data[pos + 2]) & 0x3F) << 6 | (i64(data[pos + 3]) & 0x3F), 4
    if 0xE0 <= first < 0xF0 and pos + 2 < end:
        return (first & 0x0F) << 12 | (i64(data[pos + 1]) & 0x3F) << 6 | (i64(data[pos + 2]) & 0x3F), 3
    if 0xC0 <= first < 0xE0 and pos + 1 < end:
        return (first & 0x1F) << 6 | (i64(data[pos + 1]) & 0x3F), 2
    return i64(0), 1


@jit
def _finish(state: np.uint64) -> np.uint64:
    """MurmurHash3's 64-bit finaliser: spreads the weak low bits of a product."""
    state ^= state >> SHIFT_33
    state *= MIX_1
    state ^= state >> SHIFT_33
    state *= MIX_2
    return state ^ (state >> SHIFT_33)


@jit
def _absorb(state: np.uint64, kind: int, value: int, extra: U32) -> np.uint64:
    """A polynomial mod 2^64 over the folded code point, or over each code point of its expansion."""
    if kind != EXPAND:
        return state * BASE + np.uint64(value + 1)
    for k in range(value + 1, value + 1 + i64(extra[value])):
        state = state * BASE + np.uint64(i64(extra[k]) + 1)
    return state


@jit
def _row(
    data: Bytes, base: int, end: int, fold: U32, kind: Bytes, extra: U32,
    hashes: U64, starts: I32, ends: I32, count: int,
) -> int:  # fmt: skip
    pos, start, stop, state = base, i64(-1), base, np.uint64(0)
    while pos < end:
        point, width = _decode(data, pos, end)
        what = i64(kind[point])
        if what in (SEPARATOR, SOLO) and start >= 0:
            hashes[count], starts[count], ends[count] = state, start - base, stop - base
            count += 1
            start, state = i64(-1), np.uint64(0)
        if what in (WORD, EXPAND):
            if start < 0:
                start = pos
            state = _absorb(state, what, i64(fold[point]), extra)
            stop = pos + width
        elif what == SOLO:
            hashes[count] = np.uint64(fold[point]) + ONE
            starts[count], ends[count] = pos - base, pos + width - base
            count += 1
        pos += width
    if start >= 0:
        hashes[count], starts[count], ends[count] = state, start - base, stop - base
        count += 1
    return count


@jit
def _ascii_row(
    data: Bytes, base: int, end: int, letters: U64, hashes: U64, starts: I32, ends: I32, count: int
) -> int:  # fmt: skip
    """`_row` for ASCII bytes, free of branches to mispredict; `letters` is 0 at separators, else fold + 1."""
    state, start, before = np.uint64(0), i64(0), i64(0)
    for at in range(end - base):
        letter = letters[data[u64(base + at)]]
        word, slot = i64(letter != 0), u64(count)
        hashes[slot], starts[slot], ends[slot] = state, start, at
        count += before & (word ^ 1)
        start = start if before != 0 else at
        state = (state * BASE + letter) & np.uint64(-word)
        before = word
    if before != 0:
        hashes[count], starts[count], ends[count] = state, start, end - base
    return count + before


@jit
def _is_ascii(data: Bytes, first: int, last: int) -> bool:
    bits = np.uint8(0)
    for k in range(first, last):
        bits |= data[k]
    return i64(bits) < 0x80


@jit
def tokenise(
    data: Bytes, rows: I64, fold: U32, kind: Bytes, extra: U32,
    token_rows: I64, hashes: U64, starts: I32, ends: I32,
) -> int:  # fmt: skip
    """Fills the 64-bit hash and the byte span (relative to its row) of each token; returns the token count.

    `rows` (r+1) are byte offsets into `data`; `token_rows` (r+1) receives token offsets. The other outputs
    hold at least one slot per byte.
    """
    plain = kind[:128].max() <= WORD
    letters = np.zeros(256, np.uint64)
    for point in range(128):
        letters[point] = np.uint64(fold[point]) + ONE if kind[point] == WORD else np.uint64(0)
    count = i64(0)
    token_rows[0] = 0
    for row in range(rows.size - 1):
        first, last = rows[row], rows[row + 1]
        if plain and _is_ascii(data, first, last):
            count = _ascii_row(data, first, last, letters, hashes, starts, ends, count)
        else:
            count = _row(data, first, last, fold, kind, extra, hashes, starts, ends, count)
        token_rows[row + 1] = count
    for token in range(count):
        hashes[token] = _finish(hashes[token])
    return count


@jit
def _encode(point: int, out: Bytes, at: int) -> int:
    """Writes one code point as UTF-8; returns the next free position."""
    if point < 0x80:
        out[at] = point
        return at + 1
    if point < 0x800:
        out[at], out[at + 1] = 0xC0 | point >> 6, 0x80 | point & 0x3F
        return at + 2
    if point < 0x10000:
        out[at], out[at + 1], out[at + 2] = 0xE0 | point >> 12, 0x80 | point >> 6 & 0x3F, 0x80 | point & 0x3F
        return at + 3
    out[at], out[at + 1] = 0xF0 | point >> 18, 0x80 | point >> 12 & 0x3F
    out[at + 2], out[at + 3] = 0x80 | point >> 6 & 0x3F, 0x80 | point & 0x3F
    return at + 4


@jit
def write_words(
    data: Bytes, rows: I64, fold: U32, kind: Bytes, extra: U32, gap: bool, out: Bytes, out_rows: I64
) -> int:  # fmt: skip
    """Writes the folded tokens of each row, one space between them when `gap`; returns the bytes written.

    `out` holds at least 12 bytes per input byte: the longest expansion, U+FDFA, turns 3 bytes into 33.
    """
    at = i64(0)
    out_rows[0] = 0
    for row in range(rows.size - 1):
        pos, end, first, open_gap = rows[row], rows[row + 1], at, False
        while pos < end:
            point, width = _decode(data, pos, end)
            what, value = i64(kind[point]), i64(fold[point])
            pos += width
            if what == SKIP:
                continue
            if (open_gap or what == SOLO) and what != SEPARATOR and gap and at > first:
                out[at] = 0x20
                at += 1
            open_gap = what in (SEPARATOR, SOLO)
            if what in (WORD, SOLO):
                at = _encode(value, out, at)
            elif what == EXPAND:
                for k in range(value + 1, value + 1 + i64(extra[value])):
                    at = _encode(i64(extra[k]), out, at)
        out_rows[row + 1] = at
    return at


@jit
def char_offsets(data: Bytes, starts: I64, lengths: I64, out: I64) -> None:
    """Counts the characters in each `data[start : start + length]`."""
    for i in range(starts.size):
        chars = 0
        for k in range(starts[i], starts[i] + lengths[i]):
            if data[k] & 0xC0 != 0x80:
                chars += 1
        out[i] = chars


@jit
def string_hashes(data: Bytes, rows: I64, out: U64) -> None:
    """One 64-bit hash of the bytes of each row; 0 stands for the empty row alone."""
    for row in range(rows.size - 1):
        state = FNV_OFFSET
        for k in range(rows[row], rows[row + 1]):
            state = (state ^ np.uint64(data[k])) * FNV_PRIME
        out[row] = _finish(state) | np.uint64(1) if rows[row + 1] > rows[row] else np.uint64(0)
