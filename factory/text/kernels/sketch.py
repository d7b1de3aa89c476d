"""MinHash signatures, band keys and verified candidates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from factory.text.kernels.jit import i64, jit

__all__ = ["bucket_pairs", "equal_columns", "shared_keys", "signatures"]

I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]

BASE = np.uint64(0x9E3779B97F4A7C15)
MIX = np.uint64(0xFF51AFD7ED558CCD)
SHIFT = np.uint64(32)
LOW = np.uint64(0xFFFFFFFF)
EMPTY = np.uint32(0xFFFFFFFF)
DEEP = 32  # rows of a large bucket are compared with this many best-ranked and this many just before


@jit
def _lower(signature: U32, low: U32, high: U32, scale: U32, flip: U32) -> None:
    """Four shingles, by 32-bit products: AVX2 multiplies eight at a time, and has no 64-bit product."""
    a, b, c, d = low[0], low[1], low[2], low[3]
    e, f, g, h = high[0], high[1], high[2], high[3]
    for k in range(signature.size):
        one = np.uint32(np.uint32(scale[k] * np.uint32(a ^ flip[k])) + e)
        two = np.uint32(np.uint32(scale[k] * np.uint32(b ^ flip[k])) + f)
        three = np.uint32(np.uint32(scale[k] * np.uint32(c ^ flip[k])) + g)
        four = np.uint32(np.uint32(scale[k] * np.uint32(d ^ flip[k])) + h)
        signature[k] = min(signature[k], min(min(one, two), min(three, four)))


@jit
def _shingles(hashes: U64, first: int, last: int, words: int, top: np.uint64, low: U32, high: U32) -> int:
    """Halves of the hash of each shingle; returns how many. A row below `words` tokens is one shingle."""
    count, window = i64(0), np.uint64(0)
    for k in range(first, last):
        if k - first >= words:
            window -= hashes[k - words] * top
        window = window * BASE + hashes[k]
        if k - first >= words - 1 or (k == last - 1 and last - first < words):
            mixed = window ^ (window >> SHIFT)
            mixed *= MIX
            mixed ^= mixed >> SHIFT
            low[count], high[count] = np.uint32(mixed), np.uint32(mixed >> SHIFT)
            count += 1
    return count


@jit
def signatures(
    hashes: U64, rows: I64, words: int, scale: U32, flip: U32, width: int, out: U8, keys: U32
) -> None:  # fmt: skip
    """Low bytes of the minima over the shingles of each row, one permutation per column of `out`.

    `keys` (rows, bands) receives a hash of each `width` minima. A row without tokens is all ones.
    """
    top = np.uint64(1)
    for _ in range(words - 1):
        top *= BASE
    longest = i64(0)
    for row in range(rows.size - 1):
        longest = max(longest, rows[row + 1] - rows[row])
    low, high = np.empty(longest + 4, np.uint32), np.empty(longest + 4, np.uint32)
    least = np.empty(scale.size, np.uint32)
    for row in range(rows.size - 1):
        least[:] = EMPTY
        count = _shingles(hashes, rows[row], rows[row + 1], words, top, low, high)
        for k in range(count, (count + 3) // 4 * 4):
            low[k], high[k] = low[count - 1], high[count - 1]
        for k in range(0, count, 4):
            _lower(least, low[k : k + 4], high[k : k + 4], scale, flip)
        for band in range(keys.shape[1]):
            state = np.uint64(band + 1)
            for k in range(band * width, (band + 1) * width):
                state = (state ^ np.uint64(least[k])) * BASE
                state ^= state >> SHIFT
            keys[row, band] = np.uint32(state)
        for k in range(least.size):
            out[row, k] = np.uint8(least[k])


@jit
def shared_keys(keys: U32, rows: I64, seen: U8, out: U64) -> int:
    """(key << 32 | place in `rows`) of each row whose key may occur twice; returns how many.

    `seen` (a power of two of bytes, scratch) counts keys up to two by their low bits.
    """
    mask = np.uint32(seen.size - 1)
    seen[:] = 0
    for row in rows:
        at = keys[row] & mask
        seen[at] = min(seen[at] + 1, 2)
    count = i64(0)
    for place in range(rows.size):
        key = keys[rows[place]]
        if seen[key & mask] == 2:
            out[count] = np.uint64(key) << SHIFT | np.uint64(place)
            count += 1
    return count


@jit
def buckets(rows: I64, packed: U64, order: I64, opens: I64) -> tuple[int, int]:
    """Rows that share a key with another, bucket by bucket into `order`, and where buckets open into `opens`.

    `packed` is sorted: keys above, places in `rows` below. Returns (buckets, rows in them); behind the last
    bucket, `opens` holds where it ends.
    """
    count, filled, first = i64(0), i64(0), i64(0)
    while first < packed.size:
        after = first + 1
        while after < packed.size and packed[after] >> SHIFT == packed[first] >> SHIFT:
            after += 1
        if after - first > 1:
            opens[count] = filled
            count += 1
            for k in range(first, after):
                order[filled] = rows[i64(np.uint32(packed[k]))]
                filled += 1
        first = after
    opens[count] = filled
    return count, filled


@jit
def bucket_pairs(
    order: I64, opens: I64, numbers: U64, guard: bool, new_from: int, first_bucket: int, out: U64
) -> tuple[int, int]:  # fmt: skip
    """Candidates (lower row << 32 | higher row) of the buckets from `first_bucket` on.

    Returns (buckets done, pairs written). `order` lists rows bucket by bucket (`opens`, one more than
    buckets), by rank within a bucket. Stops before a bucket whose pairs might not fit.
    """
    count = i64(0)
    for bucket in range(first_bucket, opens.size - 1):
        first, last = opens[bucket], opens[bucket + 1]
        if out.size - count < (last - first) * min(last - first, 2 * DEEP):
            return bucket, count
        for p in range(first + 1, last):
            other, middle = order[p], min(p, first + DEEP)
            for low, high in ((first, middle), (max(middle, p - DEEP), p)):
                for q in range(low, high):
                    one = order[q]
                    alike = not guard or numbers[one] == numbers[other]
                    if alike and max(one, other) >= new_from:
                        out[count] = np.uint64(min(one, other)) << SHIFT | np.uint64(max(one, other))
                        count += 1
    return opens.size - 1, count


@jit
def equal_columns(pairs: U64, signature: U8, out: I32) -> None:
    """Equal columns of the two signatures of each pair."""
    for k in range(pairs.size):
        one, other = signature[pairs[k] >> SHIFT], signature[pairs[k] & LOW]
        total = i64(0)
        for c in range(one.size):
            total += i64(one[c] == other[c])
        out[k] = total
