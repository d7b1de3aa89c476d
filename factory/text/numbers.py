"""The numbers in a text, as a multiset: what embeddings and shingles do not see.

Sentence embeddings are nearly blind to numbers (GSM8K and GSM-Hard twins, equal in all but their numbers,
have a cosine over 0.9 in 96 % of pairs), so near-duplicates in math and code must also have equal numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.text.strings import Texts, TokenBlock, Utf8, iter_tokens, utf8

__all__ = ["NUMBER_WORDS", "Numbers", "block_signature", "numbers"]

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBER_WORDS = {word: value for value, word in enumerate(f"{_UNITS} seventeen eighteen nineteen".split())}
NUMBER_WORDS |= {word: 10 * value for value, word in enumerate(_TENS.split(), start=2)}
NUMBER_WORDS |= dict.fromkeys(("twice", "double", "doubles", "doubled", "doubling"), 2)
NUMBER_WORDS |= dict.fromkeys(("thrice", "triple", "triples", "tripled", "tripling"), 3)
NUMBER_WORDS |= {"dozen": 12, "dozens": 12}
NUMBER_WORDS |= {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of n texts: text i has the sorted 64-bit `hashes[rows[i] : rows[i + 1]]`.

    1,000 and 1{,}000 and "one thousand" are 1000; "twice" and "double" are 2; 3.50 is not 3.5; signs are not
    part of a number. A lone "one" is none: it mostly stands for a noun (of rephrased GSM8K problems, 0.92
    share 0.7 of their numbers when counted so, and 0.85 when "one" is 1 and "twice" nothing).
    """

    rows: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.uint64]

    def signature(self) -> npt.NDArray[np.uint64]:
        """One 64-bit value per text, equal for equal multisets (unequal ones collide with chance 2^-64)."""
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(self.hashes, dtype=np.uint64)])
        return np.asarray(sums[self.rows[1:]] - sums[self.rows[:-1]], np.uint64)

    def jaccard(
        self, left: npt.NDArray[np.int64], other: Numbers, right: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Multiset Jaccard (sum of minima / sum of maxima) of text left[k] here and right[k] in `other`.

        Two texts without any number have 1.
        """
        out = np.ones(left.size, np.float32)
        for k, (i, j) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
            mine = self.hashes[self.rows[i] : self.rows[i + 1]]
            theirs = other.hashes[other.rows[j] : other.rows[j + 1]]
            if mine.size + theirs.size:
                shared = _shared(mine, theirs)
                out[k] = shared / (mine.size + theirs.size - shared)
        return out


def numbers(texts: Texts) -> Numbers:
    """Finds digits (with thousands separators and decimals) and English number words."""
    text = utf8(texts)
    found = [_block_numbers(text, block) for block in iter_tokens(texts)]
    totals = np.cumsum([0, *(part.hashes.size for part in found)])
    rows = [part.rows[1:] + total for part, total in zip(found, totals, strict=False)]
    hashes = [part.hashes for part in found]
    return Numbers(
        np.concatenate([np.zeros(1, np.int64), *rows]), np.concatenate([np.zeros(0, np.uint64), *hashes])
    )


def _block_numbers(text: Utf8, block: TokenBlock) -> Numbers:
    """The numbers of one block of rows, cut as `alnum`."""
    from factory.text.kernels import figures

    words, values, bits = _word_table()
    span = text.rows[block.first : block.first + block.rows.size]
    out = np.empty(int(span[-1] - span[0]) + 1, np.uint64)
    out_rows = np.empty(span.size, np.int64)
    count = figures.find_numbers(
        text.data,
        span,
        block.rows,
        block.hashes,
        block.starts,
        block.ends,
        words,
        values,
        bits,
        out,
        out_rows,
    )
    return Numbers(out_rows, out[:count].copy())


def block_signature(text: Utf8, block: TokenBlock) -> npt.NDArray[np.uint64]:
    """`Numbers.signature` of one block of rows, without the numbers themselves."""
    from factory.text.kernels import figures

    words, values, bits = _word_table()
    span = text.rows[block.first : block.first + block.rows.size]
    room = np.empty(int(np.diff(span).max(initial=0)) + 1, np.uint64)
    out = np.empty(span.size - 1, np.uint64)
    figures.sum_numbers(
        text.data, span, block.rows, block.hashes, block.starts, block.ends, words, values, bits, room, out
    )
    return out


def _shared(mine: npt.NDArray[np.uint64], theirs: npt.NDArray[np.uint64]) -> int:
    """Size of the intersection of two sorted multisets."""
    values, counts = np.unique(mine, return_counts=True)
    others, other_counts = np.unique(theirs, return_counts=True)
    _, a, b = np.intersect1d(values, others, assume_unique=True, return_indices=True)
    return int(np.minimum(counts[a], other_counts[b]).sum())


@lru_cache(maxsize=1)
def _word_table() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Token hashes of the number words, sorted; their values; 4,096 bits, one set by each hash."""
    hashes = np.concatenate([b.hashes.copy() for b in iter_tokens(pa.array(list(NUMBER_WORDS)))])
    bits = np.zeros(64, np.uint64)
    for hashed in hashes.tolist():
        bits[hashed & 63] |= np.uint64(1 << (hashed >> 6 & 63))
    order = np.argsort(hashes)
    return hashes[order], np.array(list(NUMBER_WORDS.values()), np.int64)[order], bits
