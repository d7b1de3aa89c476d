"""MinHash signatures, band keys and verified candidates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from factory.curation.kernels.jit import i64, jit

__all__ = ["band_keys", "candidates", "signatures"]

I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
F32 = npt.NDArray[np.float32]

BASE = np.uint64(0x9E3779B97F4A7C15)
MIX = np.uint64(0xFF51AFD7ED558CCD)
SHIFT = np.uint64(32)
EMPTY = np.uint32(0xFFFFFFFF)
DEEP = 32  # rows of a large bucket are compared with this many best-ranked and this many just before


@jit
def _lower(signature: U32, low: np.uint32, high: np.uint32, scale: U32, flip: U32) -> None:
    """One shingle: 32-bit products only, which AVX2 multiplies eight at a time (it has no 64-bit product)."""
    for k in range(signature.size):
        value = np.uint32(np.uint32(scale[k] * np.uint32(low ^ flip[k])) + high)
        signature[k] = min(signature[k], value)


@jit
def signatures(hashes: U64, rows: I64, words: int, scale: U32, flip: U32, out: U32) -> None:
    """Minima over the shingles of each row, under one permutation per column of `out` (rows, permutations).

    A row of fewer than `words` tokens is one shingle of all its tokens; a row without tokens stays all ones.
    """
    top = np.uint64(1)
    for _ in range(words - 1):
        top *= BASE
    for row in range(rows.size - 1):
        first, last = rows[row], rows[row + 1]
        out[row, :] = EMPTY
        window = np.uint64(0)
        for k in range(first, last):
            if k - first >= words:
                window -= hashes[k - words] * top
            window = window * BASE + hashes[k]
            if k - first >= words - 1 or (k == last - 1 and last - first < words):
                mixed = window ^ (window >> SHIFT)
                mixed *= MIX
                mixed ^= mixed >> SHIFT
                _lower(out[row], np.uint32(mixed), np.uint32(mixed >> SHIFT), scale, flip)


@jit
def band_keys(signature: U32, band: int, width: int, out: U64) -> None:
    """One 64-bit key per row for the band's `width` columns."""
    for row in range(signature.shape[0]):
        state = np.uint64(band + 1)
        for k in range(band * width, (band + 1) * width):
            state = (state ^ np.uint64(signature[row, k])) * BASE
            state ^= state >> SHIFT
        out[row] = state


@jit
def _alike(one: U32, other: U32, band: int, width: int) -> int:
    """Equal columns of two signatures; -1 when an earlier band is equal too and has named the pair."""
    total = i64(0)
    for b in range(one.size // width):
        equal = 0
        for k in range(b * width, (b + 1) * width):
            equal += 1 if one[k] == other[k] else 0
        if b < band and equal == width:
            return -1
        total += equal
    return total


@jit
def candidates(
    order: I64, opens: I64, signature: U32, numbers: U64, guard: bool, least: int, band: int, width: int,
    new_from: int, first_bucket: int, left: I64, right: I64, score: F32,
) -> tuple[int, int]:  # fmt: skip
    """Verified pairs of the buckets from `first_bucket` on; returns (buckets done, pairs written).

    `order` lists rows bucket by bucket (`opens`, one more than buckets), by rank within a bucket. Stops
    before a bucket whose pairs might not fit.
    """
    count = i64(0)
    columns = signature.shape[1]
    for bucket in range(first_bucket, opens.size - 1):
        first, last = opens[bucket], opens[bucket + 1]
        if left.size - count < (last - first) * min(last - first, 2 * DEEP):
            return bucket, count
        for p in range(first + 1, last):
            for q in range(first, p):
                if first + DEEP <= q < p - DEEP:
                    continue
                one, other = order[q], order[p]
                if (one < new_from and other < new_from) or (guard and numbers[one] != numbers[other]):
                    continue
                equal = _alike(signature[one], signature[other], band, width)
                if equal >= least:
                    left[count], right[count] = min(one, other), max(one, other)
                    score[count] = equal / columns
                    count += 1
    return opens.size - 1, count
