"""Strings of tokens that a whole corpus repeats: boilerplate that one row alone does not show.

AM-DeepSeek-Distilled-40M (2504.17565) drops what holds a 20-token string seen more than 20 times in the set.
Two passes with memory that does not grow with the corpus: the first adds up hashed counters, in which
strangers may share a slot; the second counts exactly those strings whose counter passes the limit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.text.strings import Texts, iter_tokens, utf8
from factory.text.token_table import Tokens

__all__ = ["REPEATED", "CorpusCounts", "RepeatedStrings", "repeated_rows"]

REPEATED = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("span_start", pa.int64(), nullable=False),
        pa.field("span_end", pa.int64(), nullable=False),
    ]
)
"""A row with a repeated string: how often the corpus holds the first one, and its characters in the row."""


@dataclass(frozen=True, slots=True)
class RepeatedStrings:
    """Hashed strings of `n` tokens that were seen more often than the limit, sorted, with their counts."""

    n: int
    tokens: Tokens
    hashes: npt.NDArray[np.uint64]
    counts: npt.NDArray[np.int64]


@dataclass(slots=True)
class CorpusCounts:
    """First pass: `add` every batch, or `merge` the counts of shards; then `exact` over the batches again."""

    n: int = 20
    """Tokens of a string."""
    limit: int = 20
    """A string seen more often than this is repeated; below 65,535."""
    tokens: Tokens = "alnum"
    slots_log2: int = 26
    """log2 of the counters, two bytes each: 26 takes 128 MB. Fewer make the second pass hold more."""
    _counters: npt.NDArray[np.uint16] = field(init=False)

    def __post_init__(self) -> None:
        if self.n < 1 or not 1 <= self.limit < 0xFFFF:
            raise ValueError(f"n is at least 1 and limit 1 to 65534, got n={self.n}, limit={self.limit}")
        self._counters = np.zeros(1 << self.slots_log2, np.uint16)

    def add(self, texts: Texts) -> None:
        """Counts the strings of one batch."""
        from factory.text.kernels import windows

        for block in iter_tokens(texts, tokens=self.tokens):
            windows.count_windows(block.hashes, block.rows, self.n, self._counters)

    def merge(self, other: CorpusCounts) -> None:
        """Adds the counts of another shard, made with the same settings."""
        mine = (self.n, self.limit, self.tokens, self.slots_log2)
        if mine != (other.n, other.limit, other.tokens, other.slots_log2):
            raise ValueError(f"counts with different settings do not add up: {mine} and {other}")
        total = self._counters.astype(np.uint32) + other._counters
        self._counters = np.minimum(total, 0xFFFF).astype(np.uint16)

    def candidates(self, texts: Texts) -> RepeatedStrings:
        """Second pass over one batch: exact counts of the strings that may be repeated."""
        from factory.text.kernels import windows

        found: list[npt.NDArray[np.uint64]] = [np.zeros(0, np.uint64)]
        for block in iter_tokens(texts, tokens=self.tokens):
            out = np.empty(block.hashes.size, np.uint64)
            count = windows.select_windows(block.hashes, block.rows, self.n, self._counters, self.limit, out)
            found.append(out[:count].copy())
        hashes, counts = np.unique(np.concatenate(found), return_counts=True)
        return RepeatedStrings(self.n, self.tokens, hashes, counts.astype(np.int64))

    def repeated(self, parts: list[RepeatedStrings]) -> RepeatedStrings:
        """The strings of all batches together that pass the limit."""
        hashes = np.concatenate([np.zeros(0, np.uint64), *(p.hashes for p in parts)])
        counts = np.concatenate([np.zeros(0, np.int64), *(p.counts for p in parts)])
        distinct, place = np.unique(hashes, return_inverse=True)
        totals = np.zeros(distinct.size, np.int64)
        np.add.at(totals, place, counts)
        over = totals > self.limit
        return RepeatedStrings(self.n, self.tokens, distinct[over], totals[over])


def repeated_rows(texts: Texts, *, strings: RepeatedStrings) -> pa.Table:
    """Rows (`REPEATED`) that hold a repeated string."""
    from factory.text.kernels import ngram, scan, windows

    text = utf8(texts)
    lines: list[tuple[npt.NDArray[np.int64], ...]] = []
    for block in iter_tokens(texts, tokens=strings.tokens):
        place = np.empty(block.rows.size - 1, np.int64)
        windows.find_windows(block.hashes, block.rows, strings.n, strings.hashes, place)
        hit = np.flatnonzero(place >= 0)
        if hit.size == 0:
            continue
        first = block.rows[hit] + place[hit]
        one = np.empty((hit.size, 1), np.uint64)
        for k, at in enumerate(first.tolist()):
            ngram.window_hashes(block.hashes, at, at + strings.n, strings.n, one[k])
        count = strings.counts[np.searchsorted(strings.hashes, one[:, 0])]
        starts = block.starts[first].astype(np.int64)
        ends = block.ends[first + strings.n - 1].astype(np.int64)
        lines.append((hit + block.first, count, starts, ends))
    if not lines:
        return REPEATED.empty_table()
    row, count, starts, ends = (np.concatenate([line[k] for line in lines]) for k in range(4))
    chars = [np.empty(row.size, np.int64), np.empty(row.size, np.int64)]
    for out, lengths in zip(chars, (starts, ends), strict=True):
        scan.char_offsets(text.data, text.rows[row], lengths, out)
    return pa.table([pa.array(row), pa.array(count), *map(pa.array, chars)], schema=REPEATED)
