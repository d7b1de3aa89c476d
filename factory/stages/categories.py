"""A value of a row out of a column or out of its `meta`, and the row's place in a seeded order."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from math import isnan, nan
from typing import Any

import pyarrow as pa

__all__ = ["categories", "category_column", "numbers", "range_names", "values_of"]


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


def categories(batch: pa.Table, by: str, *, edges: Sequence[float] = ()) -> list[str | None]:
    """Category of each row as text; null where there is none.

    With `edges` a number belongs to the range it lies in (`range_names`); what is no number has no category.
    """
    values = values_of(batch, by)
    if not edges:
        return [None if v is None else str(v) for v in values]
    names = range_names(edges)
    return [None if v is None else names[bisect_right(edges, v)] for v in numbers(values)]


def range_names(edges: Sequence[float]) -> list[str]:
    """Names of the ranges that rising edges cut: `-2000`, `2000-4000`, `4000-`, each without its end."""
    shown = ["", *(f"{edge:g}" if edge % 1 else str(int(edge)) for edge in edges), ""]
    return [f"{low}-{high}" for low, high in pairwise(shown)]


def numbers(values: Sequence[Any]) -> list[float | None]:
    """Each value as a number; null for what is none."""
    found: list[float | None] = []
    for value in values:
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = nan
        found.append(None if isnan(number) else number)
    return found
