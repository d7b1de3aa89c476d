"""Counts hashed stretches of text over all shards, exactly, in memory that does not grow with the corpus."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["parts_for", "repeated_grams"]

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

_SLOTS = 1 << 27
"""Counters of one byte: 128 MB."""
_LOAD = 4
"""Stretches per counter: with 4 on average, chance takes few counters beyond 20."""


def parts_for(lines: int, *, slots: int = _SLOTS) -> int:
    """Ranges of hashes in which so many lines are counted one by one."""
    return max(1, -(-lines // (_LOAD * slots)))


def repeated_grams(
    surveys: Sequence[pa.Table], limit: int, part: int, parts: int, slots: int = _SLOTS
) -> tuple[U64, I64]:
    """Hashes in one range that more than `limit` lines count for, ascending, and how many do.

    The first reading of the surveys adds up counters in which strangers may share a slot, the second counts
    exactly what may pass the limit.
    """
    counters = np.zeros(slots, np.uint8)
    most = min(limit, 254)
    for survey in surveys:
        slot, counts = np.unique(_mine(survey, part, parts) & np.uint64(slots - 1), return_counts=True)
        total = counters[slot] + counts
        counters[slot] = np.minimum(total, 255)
    hashes, totals = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    for survey in surveys:
        gram = _mine(survey, part, parts)
        gram = gram[counters[gram & np.uint64(slots - 1)] > most]
        found, counts = np.unique(gram, return_counts=True)
        hashes, totals = _merged(hashes, totals, found, counts)
    over = totals > limit
    return hashes[over], totals[over]


def _mine(survey: pa.Table, part: int, parts: int) -> U64:
    """The counted hashes of a survey that fall in one of `parts` equal ranges."""
    gram: U64 = survey["gram"].to_numpy()[survey["counts"].to_numpy()]
    if parts == 1:
        return gram
    mine: U64 = gram[(gram >> np.uint64(32)) * np.uint64(parts) >> np.uint64(32) == part]
    return mine


def _merged(hashes: U64, totals: I64, found: U64, counts: I64) -> tuple[U64, I64]:
    distinct, place = np.unique(np.concatenate([hashes, found]), return_inverse=True)
    sums = np.zeros(distinct.size, np.int64)
    np.add.at(sums, place, np.concatenate([totals, counts]))
    return distinct, sums
