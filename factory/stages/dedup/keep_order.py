"""Which of several equal or near-equal rows stays: a total order, and removals with their evidence."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["REMOVALS", "exact_duplicates", "removals"]

REMOVALS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("kept_row", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
    ]
)
"""A removed row, the row kept in its place, why (`exact`, `fuzzy`, `semantic`), how alike they are (0..1)."""


def exact_duplicates(hashes: pa.FixedSizeBinaryArray, *, rank: npt.NDArray[np.int64]) -> pa.Table:
    """Removals (`REMOVALS`) that leave the first row by `rank` of each group of equal hashes.

    Rows with a null hash are never removed.
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
