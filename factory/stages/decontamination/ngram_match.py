"""Runs the match kernels block by block and turns their spans into characters of the row's text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.text.strings import TokenBlock, Utf8

if TYPE_CHECKING:
    from factory.stages.decontamination.ngrams import NgramIndex

__all__ = ["HITS", "Hits", "hit_table", "match_contained", "match_equal", "match_grams"]

HITS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("benchmark", pa.string(), nullable=False),
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("coverage", pa.float32(), nullable=False),
        pa.field("span_start", pa.int64(), nullable=False),
        pa.field("span_end", pa.int64(), nullable=False),
    ]
)
"""`kind` is `ngram`, `whole` (a short item in the row), `short_row` (the row in an item) or `digit_stripped`;
`span_start : span_end` are characters of the row's text: the longest matched run."""

I64 = npt.NDArray[np.int64]
_KINDS = ("", "whole", "short_row")
_MIN_ROOM = 1 << 14


@dataclass(frozen=True, slots=True)
class Hits:
    """Hits of one kind: global rows, item indexes, coverage, and spans in bytes from the row's start."""

    kind: str
    rows: I64
    items: I64
    coverage: npt.NDArray[np.float32]
    starts: I64
    ends: I64


def match_grams(index: NgramIndex, block: TokenBlock, stamps: I64, *, min_coverage: float) -> list[Hits]:
    """Hits by n-grams; `stamps` (one per posting) is scratch that lives as long as the scan of a column."""
    from factory.text.kernels import ngram

    table, n_items = index.grams, len(index.item_ids)
    sizes = np.maximum(np.diff(index.tokens.rows) - index.rule.n + 1, 0)
    first_slot = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])[:-1]
    slots = first_slot[table.items] + table.positions
    room = max(_MIN_ROOM, n_items)
    row, item, coverage = np.empty(room, np.int64), np.empty(room, np.int32), np.empty(room, np.float32)
    span = np.empty((room, 2), np.int32)
    seen, state = np.zeros(n_items, np.int64), np.empty((n_items, 5), np.int32)
    touched = np.empty(n_items, np.int32)
    found: list[Hits] = []
    done = 0
    while done < block.rows.size - 1:
        done, count = ngram.match_rows(
            block.hashes, block.rows, index.rule.n, table.keys, table.slots, table.bloom,
            table.rows, table.items, slots, sizes.astype(np.int32), min_coverage,
            stamps, seen, state, touched, block.first + 1, done, row, item, coverage, span,
        )  # fmt: skip
        found.append(_hits("ngram", block, row[:count], item[:count], coverage[:count], span[:count]))
    return found


def match_contained(index: NgramIndex, block: TokenBlock, *, min_coverage: float) -> list[Hits]:
    """Short items that lie whole in a row, and short rows that lie whole in an item."""
    from factory.text.kernels import contain, ngram

    gram, starts, parts = index.rule.min_whole, index.starts, index.parts
    short, heads = _window_entries(block, gram, starts), np.full(block.rows.size - 1, -1, np.int32)
    brief = np.flatnonzero((np.diff(block.rows) < index.rule.n) & (np.diff(block.rows) >= gram))
    windows, one = np.empty(brief.size, np.uint64), np.empty(1, np.uint64)
    for k, at in enumerate(block.rows[brief].tolist()):
        ngram.window_hashes(block.hashes, at, at + gram, gram, one)
        windows[k] = one[0]
    entries = np.empty(brief.size, np.int32)
    ngram.find_grams(windows, parts.keys, parts.slots, parts.bloom, entries)
    heads[brief] = entries
    room = max(_MIN_ROOM, 2 * len(index.item_ids))
    row, item, coverage = np.empty(room, np.int64), np.empty(room, np.int32), np.empty(room, np.float32)
    span, kind = np.empty((room, 2), np.int32), np.empty(room, np.int8)
    seen = np.zeros(len(index.item_ids), np.int64)
    found: list[Hits] = []
    done = 0
    while done < block.rows.size - 1:
        done, count = contain.match_contained(
            block.hashes, block.rows, index.rule.n, gram, min_coverage,
            index.tokens.rows, index.tokens.hashes, short, starts.rows, starts.items,
            heads, parts.rows, parts.items, parts.positions, seen, 1,
            done, row, item, coverage, span, kind,
        )  # fmt: skip
        for code in (contain.WHOLE, contain.SHORT_ROW):
            hit = np.flatnonzero(kind[:count] == code)
            found.append(_hits(_KINDS[code], block, row[hit], item[hit], coverage[hit], span[hit]))
    return found


def match_equal(index: NgramIndex, block: TokenBlock) -> list[Hits]:
    """Rows equal to an item of fewer than `min_whole` tokens."""
    from factory.text.kernels import contain

    sizes = np.diff(index.tokens.rows)
    tiny = np.flatnonzero((sizes > 0) & (sizes < index.rule.min_whole))
    brief = np.flatnonzero((np.diff(block.rows) > 0) & (np.diff(block.rows) < index.rule.min_whole))
    if tiny.size == 0 or brief.size == 0:
        return []
    items, rows = np.empty(sizes.size, np.uint64), np.empty(block.rows.size - 1, np.uint64)
    contain.row_hashes(index.tokens.hashes, index.tokens.rows, items)
    contain.row_hashes(block.hashes, block.rows, rows)
    b, t = np.nonzero(rows[brief][:, None] == items[tiny][None, :])
    row, item = brief[b], tiny[t]
    size = np.diff(block.rows)[row]
    span = np.stack([np.zeros_like(size), size - 1], axis=1).astype(np.int32)
    return [_hits("whole", block, row, item, np.ones(row.size, np.float32), span)]


def hit_table(index: NgramIndex, found: list[Hits], text: Utf8) -> pa.Table:
    """All hits as one table, with spans in characters."""
    from factory.text.kernels import scan

    found = [hits for hits in found if hits.rows.size]
    if not found:
        return HITS.empty_table()
    row, item = np.concatenate([h.rows for h in found]), np.concatenate([h.items for h in found])
    kind = np.concatenate([np.full(h.rows.size, h.kind) for h in found])
    coverage = np.concatenate([h.coverage for h in found])
    spans = [np.concatenate([h.starts for h in found]), np.concatenate([h.ends for h in found])]
    order = np.lexsort((kind, item, row))
    row, item = row[order], item[order].tolist()
    chars = [np.empty(row.size, np.int64) for _ in spans]
    for span, out in zip(spans, chars, strict=True):
        scan.char_offsets(text.data, text.rows[row], span[order].astype(np.int64), out)
    columns = [
        pa.array(row),
        pa.array([index.benchmarks[i] for i in item], pa.string()),
        pa.array([index.item_ids[i] for i in item], pa.string()),
        pa.array(kind[order].tolist(), pa.string()),
        pa.array(coverage[order], pa.float32()),
        *map(pa.array, chars),
    ]
    return pa.table(columns, schema=HITS)


def _window_entries(block: TokenBlock, gram: int, table: object) -> npt.NDArray[np.int32]:
    """The entry of the window of `gram` tokens that begins at each token of the block, -1 without one."""
    from factory.stages.decontamination.gram_table import GramTable
    from factory.text.kernels import ngram

    assert isinstance(table, GramTable)
    entries = np.full(block.hashes.size, -1, np.int32)
    windows = np.empty(block.hashes.size, np.uint64)
    count = ngram.window_hashes(block.hashes, 0, block.hashes.size, gram, windows)
    ngram.find_grams(windows[:count], table.keys, table.slots, table.bloom, entries[:count])
    return entries


def _hits(
    kind: str,
    block: TokenBlock,
    row: I64,
    item: npt.NDArray[np.signedinteger],
    coverage: npt.NDArray[np.float32],
    span: npt.NDArray[np.int32],
) -> Hits:
    """Copies kernel outputs out of their scratch; token spans become byte spans."""
    first = block.rows[row]
    starts, ends = block.starts[first + span[:, 0]], block.ends[first + span[:, 1]]
    return Hits(
        kind,
        row + block.first,
        item.astype(np.int64),
        coverage.copy(),
        starts.astype(np.int64),
        ends.astype(np.int64),
    )
