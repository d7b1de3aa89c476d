"""Runs the match kernels block by block and turns their spans into characters of the row's text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.stages.decontamination.gram_rule import MIN_WHOLE
from factory.stages.decontamination.gram_table import GramTable
from factory.text.strings import TokenBlock, Utf8

if TYPE_CHECKING:
    from factory.stages.decontamination.ngrams import NgramIndex

__all__ = ["HITS", "Hits", "hit_table", "match_contained", "match_equal", "match_grams"]

HITS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("item", pa.int64(), nullable=False),
        pa.field("benchmark", pa.string(), nullable=False),
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("coverage", pa.float32(), nullable=False),
        pa.field("span_start", pa.int64(), nullable=False),
        pa.field("span_end", pa.int64(), nullable=False),
    ]
)
"""`kind` is `ngram`, `whole` (a short item in the row), `short_row` (the row in an item) or `digit_stripped`;
`item` is its place among the items; `span_start : span_end` are characters of the row's text: the longest
matched run."""

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
_Place: TypeAlias = tuple[float, int, int]
"""Coverage, first and last token of the row."""
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
    """Short items that lie whole in a row, and short rows that lie whole in an item.

    Few windows of a corpus begin a short item, so that each of these is looked at in turn.
    """
    sizes = np.diff(block.rows)
    begins = _entries(block.hashes, index.starts)
    whole: dict[tuple[int, int], _Place] = {}
    for at in np.flatnonzero(begins >= 0).tolist():
        row = int(np.searchsorted(block.rows, at, side="right")) - 1
        for item, _ in _postings(index.starts, int(begins[at])):
            tokens = _tokens(index, item)
            last = at + tokens.size
            if last <= block.rows[row + 1] and np.array_equal(block.hashes[at:last], tokens):
                first = at - int(block.rows[row])
                whole.setdefault((row, item), (1.0, first, first + tokens.size - 1))
    within: dict[tuple[int, int], _Place] = {}
    for row in np.flatnonzero((sizes < index.rule.n) & (sizes >= MIN_WHOLE)).tolist():
        mine = block.hashes[block.rows[row] : block.rows[row + 1]]
        entry = int(_entries(mine[:MIN_WHOLE], index.parts)[0])
        for item, position in _postings(index.parts, entry) if entry >= 0 else ():
            tokens = _tokens(index, item)
            share = mine.size / tokens.size
            if not min_coverage <= share < 1:
                continue
            if np.array_equal(tokens[position : position + mine.size], mine):
                within.setdefault((row, item), (share, 0, mine.size - 1))
    return [_placed("whole", block, whole), _placed("short_row", block, within)]


def match_equal(index: NgramIndex, block: TokenBlock) -> list[Hits]:
    """Rows equal to an item of fewer than `MIN_WHOLE` tokens."""
    sizes = np.diff(index.tokens.rows)
    tiny: dict[bytes, list[int]] = {}
    for item in np.flatnonzero((sizes > 0) & (sizes < MIN_WHOLE)).tolist():
        tiny.setdefault(_tokens(index, item).tobytes(), []).append(item)
    found: dict[tuple[int, int], _Place] = {}
    lengths = np.diff(block.rows)
    for row in np.flatnonzero((lengths > 0) & (lengths < MIN_WHOLE)).tolist() if tiny else ():
        mine = block.hashes[block.rows[row] : block.rows[row + 1]]
        for item in tiny.get(mine.tobytes(), ()):
            found[row, item] = (1.0, 0, mine.size - 1)
    return [_placed("whole", block, found)]


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
        pa.array(item, pa.int64()),
        pa.array([index.benchmarks[i] for i in item], pa.string()),
        pa.array([index.item_ids[i] for i in item], pa.string()),
        pa.array(kind[order].tolist(), pa.string()),
        pa.array(coverage[order], pa.float32()),
        *map(pa.array, chars),
    ]
    return pa.table(columns, schema=HITS)


def _tokens(index: NgramIndex, item: int) -> U64:
    return index.tokens.hashes[index.tokens.rows[item] : index.tokens.rows[item + 1]]


def _postings(table: GramTable, entry: int) -> Iterator[tuple[int, int]]:
    """Item and position of each occurrence of a gram."""
    cells = slice(table.rows[entry], table.rows[entry + 1])
    return zip(table.items[cells].tolist(), table.positions[cells].tolist(), strict=True)


def _entries(hashes: U64, table: GramTable) -> npt.NDArray[np.int32]:
    """The table's entry of the window of `MIN_WHOLE` tokens that begins at each token, -1 without one."""
    from factory.text.kernels import ngram

    entries = np.full(max(1, hashes.size), -1, np.int32)
    windows = np.empty(hashes.size, np.uint64)
    count = ngram.window_hashes(hashes, 0, hashes.size, MIN_WHOLE, windows)
    ngram.find_grams(windows[:count], table.keys, table.slots, table.bloom, entries[:count])
    return entries


def _placed(kind: str, block: TokenBlock, found: Mapping[tuple[int, int], _Place]) -> Hits:
    """Hits in order of row and item."""
    keys = sorted(found)
    pairs = np.array(keys, np.int64).reshape(-1, 2)
    coverage = np.array([found[key][0] for key in keys], np.float32)
    span = np.array([found[key][1:] for key in keys], np.int32).reshape(-1, 2)
    return _hits(kind, block, pairs[:, 0], pairs[:, 1], coverage, span)


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
