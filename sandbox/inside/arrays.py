"""Arrays and numbers of numpy as plain bytes: the kind of item, the shape, the items.

Only kinds of fixed size that hold nothing but numbers cross. numpy is never imported to find that out: a
value of numpy is there only where numpy is.
"""

from __future__ import annotations

import math
import re
import sys
from typing import Any, NamedTuple

__all__ = [
    "MAX_DIMENSIONS",
    "MAX_ITEMS",
    "Raw",
    "built",
    "built_of",
    "dtype_kept",
    "is_array",
    "is_number",
    "raw",
]

MAX_DIMENSIONS = 16
MAX_ITEMS = 1 << 25
"""Also bounds the product of the dimensions that are not zero, which numpy reserves nothing for."""

_KINDS = ("|b1", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16")
_CODES = {kind: code for code, kind in enumerate(_KINDS)}


class Raw(NamedTuple):
    """An array, or with `shape` null a number."""

    code: int
    """Place of the item's kind in the list of those that may cross."""
    shape: tuple[int, ...] | None
    data: bytes
    """The items one after another, the last index running fastest."""


def is_array(value: Any) -> bool:
    """Whether it is an array of numpy, and no subclass, whose items may cross."""
    kind = type(value)
    if kind.__module__ != "numpy" or kind is not getattr(sys.modules.get("numpy"), "ndarray", None):
        return False
    return value.dtype.str in _CODES and value.ndim <= MAX_DIMENSIONS


def is_number(value: Any) -> bool:
    """Whether it is a number of numpy of a kind that may cross."""
    kind = type(value)
    if kind.__module__ != "numpy" or not issubclass(kind, getattr(sys.modules.get("numpy"), "generic", ())):
        return False
    return value.dtype.str in _CODES


def raw(value: Any, *, max_bytes: int) -> Raw | None:
    """The bytes of an array or a number that may cross; null when it takes more than `max_bytes`."""
    if value.nbytes > max_bytes or value.size > MAX_ITEMS:
        return None
    return Raw(_CODES[value.dtype.str], value.shape if is_array(value) else None, value.tobytes())


def built(parts: Raw) -> Any:
    """The array or the number again, made of the bytes alone.

    Raises:
        ValueError: they are not those of one, or numpy is not installed here.
    """
    try:
        import numpy
    except ImportError as error:
        raise ValueError("an array, and no numpy to make it with") from error
    shape = () if parts.shape is None else parts.shape
    if parts.code >= len(_KINDS) or len(shape) > MAX_DIMENSIONS:
        raise ValueError("not an array")
    kind = numpy.dtype(_KINDS[parts.code])
    whole = math.prod(size for size in shape if size)
    if whole > MAX_ITEMS or len(parts.data) != math.prod(shape) * kind.itemsize:
        raise ValueError("not an array: its shape and its size differ")
    flat = numpy.frombuffer(parts.data, dtype="|u1" if kind.kind == "b" else kind)
    # A byte that is neither 0 nor 1 would be true without being equal to True.
    found = (flat != 0 if kind.kind == "b" else flat.copy()).reshape(shape)
    return found[()] if parts.shape is None else found


_TEXT_OR_TIME = re.compile(r"[<|](?:[SU]\d{1,6}|[Mm]8(?:\[\d{0,4}[a-zA-Z]{1,2}\])?)")
"""Kinds of items beside numbers: bytes, text, moments and spans of time."""


def dtype_kept(value: Any) -> list[Any] | None:
    """Kind, shape and items of an array or a scalar that holds text, times or objects; null for others."""
    numpy = sys.modules["numpy"]
    if type(value) is not numpy.ndarray and not isinstance(value, (numpy.datetime64, numpy.timedelta64)):
        return None
    if value.size > MAX_ITEMS or value.ndim > MAX_DIMENSIONS:
        return None
    shape = list(value.shape) if type(value) is numpy.ndarray else None
    if value.dtype.kind == "O":
        return ["O", shape, list(value.flat)]
    return [value.dtype.str, shape, value.tobytes()] if _TEXT_OR_TIME.fullmatch(value.dtype.str) else None


def built_of(kind: str, shape: list[int] | None, items: Any) -> Any:
    """The array or scalar of such parts.

    Raises:
        ValueError: they are not those of one.
    """
    import numpy

    if kind == "O" and shape is not None:
        found = numpy.empty(len(items), dtype=object)
        for place, item in enumerate(items):
            found[place] = item
        return found.reshape(shape)
    if not _TEXT_OR_TIME.fullmatch(kind):
        raise ValueError("not a kind of items")
    flat = numpy.frombuffer(items, dtype=kind).copy()
    return flat.reshape(shape) if shape is not None else flat.reshape(())[()]
