"""Values of the standard library and of pandas as plain parts: what may cross between a solution and its
judge beside built-in types, to be compared there as what it is.

Each kind has a name, its parts are values that cross themselves, and it is made again by the type's own
constructor from these parts alone. Nothing is imported to find a value's kind: its module is there if it is.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

from sandbox.inside import tables
from sandbox.inside.arrays import built_of, dtype_kept

__all__ = ["made", "parts"]

_MAX_FIELDS = 64
_VIEWS: dict[type, str] = {type({}.keys()): "keys", type({}.values()): "values", type({}.items()): "items"}
_SINGLES: dict[str, Any] = {"...": ..., "NotImplemented": NotImplemented}
_BY_TEXT = {
    "pathlib": "PosixPath PurePosixPath PureWindowsPath",
    "uuid": "UUID",
    "ipaddress": "IPv4Address IPv4Network IPv6Address IPv6Network",
    "zoneinfo": "ZoneInfo",
}
"""Types whose values are told by their text."""


def _moment(value: Any) -> list[Any]:
    return [value.hour, value.minute, value.second, value.microsecond, value.tzinfo, value.fold]


_PARTS: dict[str, Callable[[Any], list[Any]]] = {
    "datetime.date": lambda value: [value.year, value.month, value.day],
    "datetime.datetime": lambda value: [value.year, value.month, value.day, *_moment(value)],
    "datetime.time": _moment,
    "datetime.timedelta": lambda value: [value.days, value.seconds, value.microseconds],
    "datetime.timezone": lambda value: [value.utcoffset(None), value.tzname(None)],
    "array.array": lambda value: [value.typecode, value.tobytes()],
    "builtins.slice": lambda value: [value.start, value.stop, value.step],
    "builtins.memoryview": lambda value: [value.tobytes()],
    "builtins.mappingproxy": lambda value: [dict(value)],
    "collections.ChainMap": lambda value: list(value.maps),
    "types.SimpleNamespace": lambda value: [dict(vars(value))],
    "time.struct_time": lambda value: [list(value)],
}


def parts(value: Any) -> tuple[str, list[Any]] | None:
    """Name and parts of a value that crosses so; null for one that does not."""
    kind = type(value)
    if kind in _VIEWS:
        return _VIEWS[kind], [list(value)]
    name = f"{kind.__module__}.{kind.__qualname__}"
    if name in _PARTS:
        return (name, _PARTS[name](value)) if _is_library(kind) else None
    if kind.__name__ in _BY_TEXT.get(kind.__module__, "").split():
        return (name, [str(value)]) if _is_library(kind) else None
    for single, known in _SINGLES.items():
        if value is known:
            return single, []
    if kind.__bases__ == (tuple,) and type(getattr(kind, "_fields", None)) is tuple:
        fields = list(kind._fields)
        return ("namedtuple", [kind.__name__, fields, *value]) if len(fields) == len(value) else None
    if kind.__module__ == "numpy" and (kept := dtype_kept(value)) is not None:
        return "numpy", kept
    return tables.parts(value)


def _is_library(kind: type) -> bool:
    module = sys.modules.get(kind.__module__)
    found = getattr(module, kind.__name__, kind if kind.__module__ == "builtins" else None)
    return found is kind


def made(name: str, items: list[Any]) -> Any:
    """The value again.

    Raises:
        ValueError, TypeError, ArithmeticError, AttributeError: these are no parts of such a value.
    """
    module, _, kind = name.rpartition(".")
    if kind in _BY_TEXT.get(module, "").split():
        if type(items[0]) is not str:
            raise TypeError("not text")
        return getattr(__import__(module), kind)(items[0])
    if name in _SINGLES:
        return _SINGLES[name]
    if name in _MAKE:
        return _MAKE[name](items)
    return tables.made(name, items)


def _made_datetime(items: list[Any]) -> Any:
    import datetime

    return datetime.datetime(*items[:8], fold=items[8])


def _made_time(items: list[Any]) -> Any:
    import datetime

    return datetime.time(*items[:5], fold=items[5])


def _made_timezone(items: list[Any]) -> Any:
    import datetime

    offset, name = items
    zone = datetime.timezone(offset)
    return zone if zone.tzname(None) == name else datetime.timezone(offset, name)


def _of(module: str, kind: str) -> Callable[[list[Any]], Any]:
    def make(items: list[Any]) -> Any:
        return getattr(__import__(module), kind)(*items)

    return make


def _made_array(items: list[Any]) -> Any:
    import array

    code, data = items
    found = array.array(code)
    found.frombytes(data)
    return found


def _made_namedtuple(items: list[Any]) -> Any:
    import collections

    name, fields, *values = items
    if not 0 < len(fields) <= _MAX_FIELDS or not all(type(field) is str for field in fields):
        raise ValueError("not the fields of a tuple")
    return collections.namedtuple(name, fields)(*values)


_MAKE: dict[str, Callable[[list[Any]], Any]] = {
    "datetime.date": _of("datetime", "date"),
    "datetime.datetime": _made_datetime,
    "datetime.time": _made_time,
    "datetime.timedelta": _of("datetime", "timedelta"),
    "datetime.timezone": _made_timezone,
    "array.array": _made_array,
    "builtins.slice": lambda items: slice(*items),
    "builtins.memoryview": lambda items: memoryview(items[0]),
    "builtins.mappingproxy": lambda items: types.MappingProxyType(items[0]),
    "collections.ChainMap": _of("collections", "ChainMap"),
    "types.SimpleNamespace": lambda items: types.SimpleNamespace(**items[0]),
    "time.struct_time": _of("time", "struct_time"),
    "namedtuple": _made_namedtuple,
    "numpy": lambda items: built_of(*items),
    "keys": lambda items: dict.fromkeys(items[0]).keys(),
    "values": lambda items: dict(enumerate(items[0])).values(),
    "items": lambda items: dict(items[0]).items(),
}
