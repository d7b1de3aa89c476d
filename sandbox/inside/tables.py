"""Tables, columns, indexes and moments of pandas as plain parts, and made again from them."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["made", "parts"]

_PLAIN = frozenset({
    "Decimal", "NAType", "NaTType", "NoneType", "Timedelta", "Timestamp", "UUID", "bool", "bool_", "bytes",
    "complex", "date", "datetime", "dict", "float", "float64", "frozenset", "int", "int64", "list", "set",
    "str", "str_", "time", "timedelta", "tuple",
})  # fmt: skip
"""Names of the types that may stand in a column of objects; what only looks like one does not cross."""


def parts(value: Any) -> tuple[str, list[Any]] | None:
    """Name and parts of a value of pandas; null for any other, and where an item of it cannot cross."""
    kind = type(value)
    if kind.__module__.partition(".")[0] != "pandas":
        return None
    pandas = sys.modules["pandas"]
    if kind is pandas.DataFrame:
        columns = [_column(value.iloc[:, place].array) for place in range(value.shape[1])]
        if any(column is None for column in columns):
            return None
        return "pandas.DataFrame", [value.index, value.columns, columns]
    if kind is pandas.Series:
        column = _column(value.array)
        return None if column is None else ("pandas.Series", [column, value.index, value.name])
    if isinstance(value, pandas.Index):
        return _index(value, pandas)
    if kind is pandas.Timestamp:
        return "pandas.Timestamp", [value.isoformat(), str(value.tz) if value.tz else None, value.unit]
    if kind is pandas.Timedelta:
        return "pandas.Timedelta", [value.isoformat(), value.unit]
    if value is pandas.NaT or value is pandas.NA:
        return ("pandas.NaT" if value is pandas.NaT else "pandas.NA"), []
    return None


def _column(array: Any) -> list[Any] | None:
    """The items of a column: an array of numpy, the codes of categories, or plain values and their kind."""
    if hasattr(array, "codes") and hasattr(array, "categories"):
        return ["category", array.categories, array.codes, bool(array.ordered)]
    numpy = sys.modules["numpy"]
    dtype = getattr(array.dtype, "numpy_dtype", array.dtype)
    if isinstance(dtype, numpy.dtype) and hasattr(array, "to_numpy") and dtype.kind != "O":
        values = array.to_numpy()
        if type(array).__name__ in ("NumpyExtensionArray", "DatetimeArray", "TimedeltaArray"):
            return ["numpy", values]
    items = list(array)
    if not all(type(item).__name__ in _PLAIN for item in items):
        return None
    return ["plain", items, str(array.dtype)]


def _index(value: Any, pandas: Any) -> tuple[str, list[Any]] | None:
    if type(value) is pandas.RangeIndex:
        return "pandas.RangeIndex", [value.start, value.stop, value.step, value.name]
    if type(value) is pandas.MultiIndex:
        return "pandas.MultiIndex", [[list(item) for item in value], list(value.names)]
    column = _column(value.array)
    freq = getattr(value, "freqstr", None)
    return None if column is None else ("pandas.Index", [column, value.name, freq])


def made(name: str, items: list[Any]) -> Any:
    """The value again.

    Raises:
        ValueError: there is no such kind, these are not its parts, or pandas is not installed here.
    """
    try:
        import pandas  # type: ignore[import-untyped]

        return _made(pandas, name, items)
    except Exception as error:
        raise ValueError(f"not a value of pandas: {type(error).__name__}") from error


def _made(pandas: Any, name: str, items: list[Any]) -> Any:
    match name:
        case "pandas.DataFrame":
            index, columns, found = items
            frame = pandas.DataFrame(
                {
                    place: pandas.Series(_array(pandas, column), index=index)
                    for place, column in enumerate(found)
                },
                index=index,
            )
            frame.columns = columns
            return frame
        case "pandas.Series":
            return pandas.Series(_array(pandas, items[0]), index=items[1], name=items[2])
        case "pandas.Index":
            index = pandas.Index(_array(pandas, items[0]), name=items[1])
            if items[2] is not None:
                index.freq = items[2]
            return index
        case "pandas.RangeIndex":
            return pandas.RangeIndex(*items[:3], name=items[3])
        case "pandas.MultiIndex":
            return pandas.MultiIndex.from_tuples([tuple(item) for item in items[0]], names=items[1])
        case "pandas.Timestamp":
            moment = pandas.Timestamp(items[0]).as_unit(items[2])
            return moment.tz_convert(items[1]) if items[1] is not None else moment
        case "pandas.Timedelta":
            return pandas.Timedelta(items[0]).as_unit(items[1])
        case "pandas.NaT" | "pandas.NA":
            return pandas.NaT if name == "pandas.NaT" else pandas.NA
    raise ValueError(name)


def _array(pandas: Any, column: list[Any]) -> Any:
    if column[0] == "numpy":
        return column[1]
    if column[0] == "category":
        return pandas.Categorical.from_codes(column[2], categories=column[1], ordered=column[3])
    return pandas.array(column[1], dtype=column[2]) if column[2] != "object" else _objects(column[1])


def _objects(items: list[Any]) -> Any:
    import numpy

    found = numpy.empty(len(items), dtype=object)
    found[:] = items
    return found
