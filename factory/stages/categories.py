"""The category of a row, out of a column or out of its `meta`, and its place in a seeded order."""

from __future__ import annotations

import json
from hashlib import blake2b

import pyarrow as pa

__all__ = ["categories", "category_column", "draw"]


def category_column(by: str) -> str:
    """Column that holds the category: `by` itself, or `meta` for `meta.KEY`."""
    return "meta" if by.startswith("meta.") else by


def categories(batch: pa.Table, by: str) -> list[str | None]:
    """Category of each row as text; null where there is none."""
    values = batch[category_column(by)].to_pylist()
    if by.startswith("meta."):
        key = by.removeprefix("meta.")
        values = [json.loads(v).get(key) if v else None for v in values]
    return [None if v is None else str(v) for v in values]


def draw(seed: int | None, row_id: str) -> int:
    """A number from 0 to 2^64 - 1 that follows from seed and id alone, never from a row's position."""
    return int.from_bytes(blake2b(f"{seed}:{row_id}".encode(), digest_size=8).digest(), "big")
