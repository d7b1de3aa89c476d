"""Arrow string arrays seen as bytes, and their tokens block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from factory.text.token_table import Tokens, alphabet

__all__ = ["Texts", "TokenBlock", "Utf8", "iter_tokens", "row_blocks", "utf8"]

Texts: TypeAlias = pa.Array | pa.ChunkedArray
"""A column of strings (any Arrow string type, dictionary-encoded or not)."""

BLOCK_BYTES = 1 << 20
"""Text tokenised at a time: its tokens stay in the processor's cache for the kernel that follows."""


@dataclass(frozen=True, slots=True)
class Utf8:
    """Bytes of n strings: string i is `data[rows[i] : rows[i + 1]]`; a null string is empty."""

    data: npt.NDArray[np.uint8]
    rows: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TokenBlock:
    """Tokens of consecutive rows, from row `first` on.

    Row r holds tokens `rows[r] : rows[r + 1]`; `hashes` are 64-bit; `starts` and `ends` are bytes from the
    start of the row's text.
    """

    first: int
    rows: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.uint64]
    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]


def utf8(texts: Texts) -> Utf8:
    """The bytes under a string column, without copying when it is one `large_string` chunk free of nulls."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks() if texts.num_chunks != 1 else texts.chunk(0)
    if not pa.types.is_large_string(texts.type):
        texts = texts.cast(pa.large_string())
    if texts.null_count:
        texts = pc.fill_null(texts, "")
    _, offsets, data = texts.buffers()
    if len(texts) == 0 or data is None:
        return Utf8(np.zeros(0, np.uint8), np.zeros(len(texts) + 1, np.int64))
    rows = np.frombuffer(offsets, np.int64, len(texts) + 1, texts.offset * 8)
    return Utf8(np.frombuffer(data, np.uint8), rows)


def row_blocks(rows: npt.NDArray[np.int64], *, block_bytes: int = BLOCK_BYTES) -> Iterator[tuple[int, int]]:
    """Cuts rows into runs of about `block_bytes` bytes, each with at least one row."""
    first, total = 0, rows.size - 1
    while first < total:
        last = int(np.searchsorted(rows, rows[first] + block_bytes, side="right")) - 1
        last = min(max(last, first + 1), total)
        yield first, last
        first = last


def iter_tokens(texts: Texts, *, tokens: Tokens = "alnum") -> Iterator[TokenBlock]:
    """Tokenises a column a block at a time; the next block overwrites the arrays of the one before."""
    from factory.text.kernels import scan

    text, table = utf8(texts), alphabet(tokens)
    hashes, starts, ends = np.empty(0, np.uint64), np.empty(0, np.int32), np.empty(0, np.int32)
    for first, last in row_blocks(text.rows):
        rows = text.rows[first : last + 1]
        room = int(rows[-1] - rows[0]) + 1
        if hashes.size < room:
            hashes, starts, ends = (
                np.empty(room, np.uint64),
                np.empty(room, np.int32),
                np.empty(room, np.int32),
            )
        token_rows = np.empty(rows.size, np.int64)
        count = scan.tokenise(
            text.data, rows, table.fold, table.kind, table.extra, token_rows, hashes, starts, ends
        )
        yield TokenBlock(first, token_rows, hashes[:count], starts[:count], ends[:count])
