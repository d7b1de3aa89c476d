"""Hashed n-grams of a set of items, with where each occurs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["GramTable", "TokenRows", "build_table", "token_rows"]

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class TokenRows:
    """Token hashes of a whole column: row r holds `hashes[rows[r] : rows[r + 1]]`."""

    rows: I64
    hashes: U64


@dataclass(frozen=True, slots=True)
class GramTable:
    """An open-addressed table from a 64-bit gram to its postings.

    `keys` and `slots` (entry, -1 when free) are the table, `bloom` a filter before it of 16 or more bits
    per gram. Entry e occurs at `items[rows[e] : rows[e + 1]]`, at window `positions[...]` of that item.
    """

    keys: U64
    slots: npt.NDArray[np.int32]
    bloom: U64
    rows: I64
    items: npt.NDArray[np.int32]
    positions: I64


def token_rows(texts: object, *, tokens: str) -> TokenRows:
    """Tokenises a whole column into memory."""
    from factory.text.strings import iter_tokens

    hashes: list[U64] = [np.zeros(0, np.uint64)]
    rows: list[I64] = [np.zeros(1, np.int64)]
    total = 0
    for block in iter_tokens(texts, tokens=tokens):  # type: ignore[arg-type]
        hashes.append(block.hashes.copy())
        rows.append(block.rows[1:] + total)
        total += block.hashes.size
    return TokenRows(np.concatenate(rows), np.concatenate(hashes))


def build_table(items: TokenRows, *, n: int, chosen: npt.NDArray[np.bool_], first_only: bool) -> GramTable:
    """Indexes the windows of n tokens of the chosen items: all of them, or each item's first."""
    from factory.text.kernels import ngram

    room = items.hashes.size
    grams, owners = np.empty(room, np.uint64), np.empty(room, np.int32)
    places = np.empty(room, np.int64)
    count = ngram.item_windows(
        items.hashes, items.rows, np.flatnonzero(chosen), n, first_only, grams, owners, places
    )
    return _index(grams[:count], owners[:count], places[:count])


def _index(grams: U64, owners: npt.NDArray[np.int32], places: I64) -> GramTable:
    from factory.text.kernels import ngram

    order = np.argsort(grams, kind="stable")
    distinct, opens = np.unique(grams[order], return_index=True)
    size = 1 << max(4, int(2 * distinct.size - 1).bit_length() if distinct.size else 4)
    keys, slots = np.zeros(size, np.uint64), np.full(size, -1, np.int32)
    bloom = np.zeros(max(1, size * 8 // 64), np.uint64)
    ngram.fill_table(distinct, keys, slots, bloom)
    rows = np.append(opens, grams.size).astype(np.int64)
    return GramTable(keys, slots, bloom, rows, owners[order], places[order])
