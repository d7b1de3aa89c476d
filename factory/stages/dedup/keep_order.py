"""Which of several equal or near-equal rows stays: a total order, and removals with their evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["REMOVALS", "exact_duplicates", "keep_rank", "removals"]

REMOVALS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("kept_row", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
    ]
)
"""A removed row, the row kept in its place, why (`exact`, `fuzzy`, `semantic`), how alike they are (0..1)."""


def keep_rank(ids: pa.Array | pa.ChunkedArray, *, priority: Sequence[Any] = ()) -> npt.NDArray[np.int64]:
    """Rank of each row in the order of keeping; 0 is kept before all others.

    `priority` holds one numeric array per rule, the most important first; the higher value is kept. Ties are
    broken by the smaller id, so that with unique ids the order depends on the rows alone, never on their
    positions.
    """
    columns = {f"p{k}": pa.array(np.asarray(values)) for k, values in enumerate(priority)}
    table = pa.table({**columns, "id": ids})
    order = [(name, "descending") for name in columns] + [("id", "ascending")]
    sorted_rows = pc.sort_indices(table, sort_keys=order).to_numpy()
    rank = np.empty(len(ids), np.int64)
    rank[sorted_rows] = np.arange(len(ids))
    return rank


def exact_duplicates(hashes: pa.FixedSizeBinaryArray, *, rank: npt.NDArray[np.int64]) -> pa.Table:
    """Removals (`REMOVALS`) that leave the first row by `rank` of each group of equal hashes.

    Rows with a null hash are never removed. Groups do not cross shards cut by `hash_shard`, so shards may be
    handled one by one with ranks of the whole.
    """
    if len(hashes) != rank.size:
        raise ValueError(f"{len(hashes)} hashes but {rank.size} ranks: give one rank per hash")
    order = np.argsort(rank, kind="stable")
    codes = pc.dictionary_encode(hashes).indices
    group = pc.fill_null(codes, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    by_group = order[np.argsort(group[order], kind="stable")]
    sorted_group = group[by_group]
    opens = np.flatnonzero(np.diff(sorted_group, prepend=-2))
    heads = by_group[np.repeat(opens, np.diff(opens, append=sorted_group.size))]
    cut = (heads != by_group) & (sorted_group >= 0)
    return removals(by_group[cut], heads[cut], reason="exact", score=np.ones(int(cut.sum()), np.float32))


def removals(
    rows: npt.NDArray[np.int64], kept: npt.NDArray[np.int64], *, reason: str, score: npt.NDArray[np.float32]
) -> pa.Table:
    """A table of removals sorted by row."""
    order = np.argsort(rows, kind="stable")
    columns = [
        pa.array(rows[order], pa.int64()),
        pa.array(kept[order], pa.int64()),
        pa.array([reason] * rows.size, pa.string()),
        pa.array(score[order], pa.float32()),
    ]
    return pa.table(columns, schema=REMOVALS)
