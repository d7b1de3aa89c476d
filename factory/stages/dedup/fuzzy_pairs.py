"""The pair search of fuzzy dedup, cut by ranges of band keys into calls that an engine can spread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.core import Spread
from factory.stages.dedup.lazy_calls import LazyCalls, matrix_of
from factory.stages.dedup.spill import ScratchRows

if TYPE_CHECKING:
    from factory.stages.dedup.minhash import MinHashSearch
    from factory.stages.dedup.pairs import Edges

__all__ = ["SketchRows", "spread_fuzzy_pairs"]

I64 = npt.NDArray[np.int64]
_CALL_ROWS = 200_000
"""Rows of one call: 30 MB of sketches."""
_PLACE = np.uint64(0xFFFFFFFF)


class SketchRows:
    """The sketches of all rows: the numbers in memory, signatures and band keys on disk."""

    def __init__(self, bands: int) -> None:
        self._signatures = ScratchRows(np.uint8)
        self._keys = [ScratchRows(np.uint32) for _ in range(bands)]
        self._numbers = [np.zeros(0, np.uint64)]

    def add(self, survey: pa.Table) -> None:
        """Appends the rows of a survey."""
        self._signatures.add(matrix_of(survey["signature"], np.uint8))
        keys = matrix_of(survey["keys"], np.uint32)
        for band, file in enumerate(self._keys):
            file.add(keys[:, band : band + 1])
        self._numbers.append(survey["numbers"].to_numpy())

    @property
    def signatures(self) -> npt.NDArray[np.uint8]:
        """(n, permutations)."""
        return self._signatures.mapped()

    def keys(self, band: int) -> npt.NDArray[np.uint32]:
        """Key of each row in one band."""
        return self._keys[band].mapped()[:, 0]

    @property
    def numbers(self) -> npt.NDArray[np.uint64]:
        """Signature of the numbers of each row."""
        self._numbers = [np.concatenate(self._numbers)]
        return self._numbers[0]


def spread_fuzzy_pairs(
    sketches: SketchRows, *, rank: I64, search: MinHashSearch, new_from: int, spread: Spread
) -> Iterator[Edges]:
    """Verified pairs, band by band; a pair may come once per band. The same for any way of spreading."""
    signatures, numbers = sketches.signatures, sketches.numbers
    if len(rank) <= _CALL_ROWS:
        keys = np.stack([sketches.keys(band) for band in range(search.bands)])
        for found in spread(_all_pairs, [(signatures, keys, numbers, rank, search, new_from)]):
            yield from found
        return
    for band in range(search.bands):
        mine = sketches.keys(band)
        runs = list(_key_ranges(mine))

        def call(run: int, runs: list[I64] = runs, mine: Any = mine) -> tuple[Any, ...]:
            rows = runs[run]
            return signatures[rows], mine[rows], numbers[rows], rank[rows], rows, search, new_from

        for found in spread(_pairs, LazyCalls(len(runs), call)):
            yield from found


def _key_ranges(keys: npt.NDArray[np.uint32]) -> Iterator[I64]:
    """Rows (ascending) whose key another row has too, a range of keys at a time; no key is cut in two."""
    packed = np.sort(keys.astype(np.uint64) << np.uint64(32) | np.arange(keys.size, dtype=np.uint64))
    heads = packed >> np.uint64(32)
    opens = np.flatnonzero(np.diff(heads, prepend=~heads[:1]) != 0)
    sizes = np.diff(opens, append=heads.size)
    shared = (packed[np.repeat(sizes > 1, sizes)] & _PLACE).astype(np.int64)
    ends = np.cumsum(sizes[sizes > 1])
    first = 0
    while first < shared.size:
        # The last key that ends within the range, or the one key that is larger than a range.
        next_end = int(np.searchsorted(ends, first, side="right"))
        within = int(np.searchsorted(ends, first + _CALL_ROWS, side="right")) - 1
        last = int(ends[max(within, next_end)])
        yield np.sort(shared[first:last])
        first = last


def _all_pairs(
    signatures: npt.NDArray[np.uint8],
    keys: npt.NDArray[np.uint32],
    numbers: npt.NDArray[np.uint64],
    rank: I64,
    search: MinHashSearch,
    new_from: int,
) -> list[Edges]:
    """Pairs of all rows in all bands together, so that each is verified once."""
    from factory.stages.dedup.minhash import Sketches, fuzzy_pairs

    return list(fuzzy_pairs(Sketches(signatures, keys, numbers), rank=rank, search=search, new_from=new_from))


def _pairs(
    signatures: npt.NDArray[np.uint8],
    keys: npt.NDArray[np.uint32],
    numbers: npt.NDArray[np.uint64],
    rank: I64,
    rows: I64,
    search: MinHashSearch,
    new_from: int,
) -> list[Edges]:
    """Pairs of the given rows in one band, by their numbers among all rows."""
    from factory.stages.dedup.minhash import Sketches, fuzzy_pairs
    from factory.stages.dedup.pairs import Edges

    one = Sketches(signatures, keys[None, :], numbers)
    old = int(np.searchsorted(rows, new_from))
    found = fuzzy_pairs(one, rank=rank, search=replace(search, bands=1), new_from=old)
    return [Edges(rows[e.left], rows[e.right], e.score) for e in found]
