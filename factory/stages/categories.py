"""A value of a row out of a column or out of its `meta`, and the row's place in a seeded order."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

import pyarrow as pa

__all__ = ["categories", "category_column", "draw", "values_of"]


def category_column(by: str) -> str:
    """Column that holds the value: `by` itself, or `meta` for `meta.KEY`."""
    return "meta" if by.startswith("meta.") else by


def values_of(batch: pa.Table, by: str) -> list[Any]:
    """Value of each row; null where there is none."""
    values: list[Any] = batch[category_column(by)].to_pylist()
    if by.startswith("meta."):
        key = by.removeprefix("meta.")
        values = [json.loads(v).get(key) if v else None for v in values]
    return values


def categories(batch: pa.Table, by: str) -> list[str | None]:
    """Category of each row as text; null where there is none."""
    return [None if v is None else str(v) for v in values_of(batch, by)]


def draw(seed: int | None, row_id: str) -> int:
    """A number from 0 to 2^64 - 1 that follows from seed and id alone, never from a row's position."""
    return int.from_bytes(blake2b(f"{seed}:{row_id}".encode(), digest_size=8).digest(), "big")
