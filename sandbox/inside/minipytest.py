"""The part of pytest that test files of coding datasets use, for the judge: `import pytest` gives this
module.

It loads no plugin and no conftest.py, and reads nothing from the working directory.
"""

from __future__ import annotations

import contextlib
import math
import re
import sys
import types
import warnings as _warnings
from collections.abc import Iterator
from typing import Any, NoReturn

from sandbox.inside.arrays import is_array

__all__ = [
    "Unsupported",
    "approx",
    "fail",
    "fixture",
    "importorskip",
    "main",
    "mark",
    "param",
    "raises",
    "skip",
    "warns",
]


class Failed(AssertionError):
    """A test failed by its own word."""


class Skipped(Exception):
    """A test does not apply here."""


class Unsupported(AttributeError):
    """Something of pytest that is not here: no fault of any solution."""


def __getattr__(name: str) -> NoReturn:
    if name.startswith("__"):
        raise AttributeError(name)
    raise Unsupported(f"pytest.{name} is not supported")


def fail(reason: str = "", pytrace: bool = True) -> NoReturn:
    """Fails the test."""
    raise Failed(reason)


def skip(reason: str = "", allow_module_level: bool = False) -> NoReturn:
    """Skips the test."""
    raise Skipped(reason)


def importorskip(name: str, minversion: str | None = None, reason: str | None = None) -> types.ModuleType:
    """The module, or a skipped test."""
    try:
        __import__(name)
    except ImportError:
        skip(reason or f"no module {name}")
    return sys.modules[name]


def main(*_: object, **__: object) -> int:
    """Does nothing: a file's own `pytest.main()` is not how its tests are run here."""
    return 0


class _Info:
    value: Any = None
    type: Any = None

    def match(self, pattern: str) -> bool:
        """Whether the text of the exception matches."""
        assert re.search(pattern, str(self.value)), f"{pattern!r} does not match {str(self.value)!r}"
        return True

    def __str__(self) -> str:
        return f"{getattr(self.type, '__name__', None)}: {self.value}"

    @property
    def typename(self) -> str:
        """The name of the exception's class."""
        return str(self.type.__name__)


class _Raises(contextlib.AbstractContextManager[_Info]):
    def __init__(self, expected: Any, match: str | None):
        self._expected, self._match, self._info = expected, match, _Info()

    def __enter__(self) -> _Info:
        return self._info

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        if kind is None:
            raise Failed(f"DID NOT RAISE {self._expected}")
        if not issubclass(kind, self._expected):
            return False
        self._info.value, self._info.type = error, kind
        if self._match is not None:
            self._info.match(self._match)
        return True


def raises(expected: Any, *call: Any, match: str | None = None, **named: Any) -> Any:
    """As pytest's: a context manager, or a call that must raise."""
    context = _Raises(expected, match)
    if not call:
        return context
    with context as info:
        call[0](*call[1:], **named)
    return info


@contextlib.contextmanager
def warns(expected: Any = Warning, *, match: str | None = None) -> Iterator[list[Any]]:
    """A block in which any warning will do: those of the solution are raised in its own process."""
    with _warnings.catch_warnings(record=True) as caught:
        yield caught


deprecated_call = warns


class approx:
    """Equal within 1e-6 of the expected value or 1e-12, item by item in containers."""

    def __init__(
        self, expected: Any, rel: float | None = None, abs: float | None = None, nan_ok: bool = False
    ):
        self._expected, self._nan_ok = expected, nan_ok
        self._abs = abs if abs is not None else 1e-12
        self._rel = rel if rel is not None else (0.0 if abs is not None else 1e-6)

    def __eq__(self, found: object) -> bool:
        return self._close(found, self._expected)

    __hash__ = None  # type: ignore[assignment]

    def _close(self, found: Any, wanted: Any) -> bool:
        if isinstance(wanted, dict):
            return (
                isinstance(found, dict)
                and found.keys() == wanted.keys()
                and all(self._close(found[key], value) for key, value in wanted.items())
            )
        if is_array(wanted) or is_array(found):
            return bool(
                getattr(found, "shape", None) == getattr(wanted, "shape", None)
                or not (is_array(wanted) and is_array(found))
            ) and self._close(_listed(found), _listed(wanted))
        if isinstance(wanted, (list, tuple)):
            return (
                isinstance(found, (list, tuple))
                and len(found) == len(wanted)
                and all(self._close(a, b) for a, b in zip(found, wanted, strict=True))
            )
        if isinstance(wanted, (int, float)) and isinstance(found, (int, float)):
            if math.isnan(wanted):
                return self._nan_ok and math.isnan(found)
            if math.isinf(wanted) or math.isinf(found):
                return bool(found == wanted)
            return abs(found - wanted) <= max(self._abs, self._rel * abs(wanted))
        if isinstance(wanted, complex) and isinstance(found, (int, float, complex)):
            return abs(found - wanted) <= max(self._abs, self._rel * abs(wanted))
        return bool(found == wanted)

    def __repr__(self) -> str:
        return f"approx({self._expected!r})"


def _listed(value: Any) -> Any:
    return value.tolist() if is_array(value) else value


class Param:
    def __init__(self, values: tuple[Any, ...], marks: Any, id: str | None):
        self.values, self.id = values, id
        self.marks = marks if isinstance(marks, (list, tuple)) else [marks]


def param(*values: Any, marks: Any = (), id: str | None = None) -> Param:
    """One row of a parametrize table."""
    return Param(values, marks, id)


class Mark:
    def __init__(self, name: str, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None):
        self.name, self.args, self.kwargs = name, args, kwargs or {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs and callable(args[0]) and self.name != "parametrize":
            return self._put(args[0])
        if self.args or self.kwargs:
            return self._put(args[0])
        return Mark(self.name, args, kwargs)

    def _put(self, target: Any) -> Any:
        target.pytestmark = [self, *getattr(target, "pytestmark", [])]
        return target


class Marks:
    def __getattr__(self, name: str) -> Mark:
        return Mark(name)


mark = Marks()


def fixture(function: Any = None, **options: Any) -> Any:
    """Marks a function as a fixture; `params`, `autouse`, `name` and `scope` are honoured."""

    def put(target: Any) -> Any:
        target._fixture = options
        return target

    return put(function) if function is not None else put
