"""The part of pytest that test files of coding datasets use, for the judge: `import pytest` gives this
module.

It loads no plugin and no conftest.py, and reads nothing from the working directory.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import itertools
import math
import os
import re
import sys
import tempfile
import types
import unittest
import warnings as _warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

__all__ = [
    "approx",
    "collect",
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


Skipped = unittest.SkipTest


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


class _Param:
    def __init__(self, values: tuple[Any, ...], marks: Any, id: str | None):
        self.values, self.id = values, id
        self.marks = marks if isinstance(marks, (list, tuple)) else [marks]


def param(*values: Any, marks: Any = (), id: str | None = None) -> _Param:
    """One row of a parametrize table."""
    return _Param(values, marks, id)


class _Mark:
    def __init__(self, name: str, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None):
        self.name, self.args, self.kwargs = name, args, kwargs or {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs and callable(args[0]) and self.name != "parametrize":
            return self._put(args[0])
        if self.args or self.kwargs:
            return self._put(args[0])
        return _Mark(self.name, args, kwargs)

    def _put(self, target: Any) -> Any:
        target.pytestmark = [self, *getattr(target, "pytestmark", [])]
        return target


class _Marks:
    def __getattr__(self, name: str) -> _Mark:
        return _Mark(name)


mark = _Marks()


def fixture(function: Any = None, **options: Any) -> Any:
    """Marks a function as a fixture; `params`, `autouse` and `name` are honoured, scope is always the
    test."""

    def put(target: Any) -> Any:
        target._fixture = options
        return target

    return put(function) if function is not None else put


class _Request:
    def __init__(self, param: Any = None):
        self.param = param


class _Capture:
    """`capsys`: what was printed since the last look, by the tests or by the solution in a call."""

    def readouterr(self) -> Any:
        out, err = sys.stdout, sys.stderr
        assert isinstance(out, io.StringIO)
        assert isinstance(err, io.StringIO)
        text = types.SimpleNamespace(out=out.getvalue(), err=err.getvalue())
        for stream in (out, err):
            stream.seek(0)
            stream.truncate()
        return text


class MonkeyPatch:
    """Changes that are taken back when the test ends."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], Any]] = []

    def setattr(self, target: Any, name: Any, value: Any = None, raising: bool = True) -> None:
        """Sets an attribute; `target` may be a dotted path with the value second."""
        if isinstance(target, str):
            value, (module, _, name) = name, target.rpartition(".")
            target = importorskip(module)
        old = getattr(target, name)
        self._undo.append(lambda: setattr(target, name, old))
        setattr(target, name, value)

    def setitem(self, mapping: Any, key: Any, value: Any) -> None:
        """Sets an item."""
        old = dict(mapping)
        self._undo.append(lambda: (mapping.clear(), mapping.update(old)))
        mapping[key] = value

    def setenv(self, name: str, value: str) -> None:
        """Sets an environment variable."""
        self.setitem(os.environ, name, value)

    def undo(self) -> None:
        """Takes all changes back."""
        while self._undo:
            self._undo.pop()()


def _builtin_fixture(name: str, stack: contextlib.ExitStack) -> Any:
    if name in ("capsys", "capfd"):
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        return _Capture()
    if name == "monkeypatch":
        patch = MonkeyPatch()
        stack.callback(patch.undo)
        return patch
    if name in ("tmp_path", "tmpdir"):
        return Path(tempfile.mkdtemp())
    raise Failed(f"fixture '{name}' not found")


class _Item:
    """One test function with one row of parameters."""

    def __init__(self, function: Any, values: dict[str, Any], owner: Any, fixtures: dict[str, Any]):
        self._function, self._values, self._owner, self._fixtures = function, values, owner, fixtures
        self._made: dict[str, Any] = {}

    def run(self) -> None:
        """Runs the test with its fixtures; each is taken down afterwards."""
        with contextlib.ExitStack() as stack:
            for name, made in self._fixtures.items():
                if made._fixture.get("autouse"):
                    self._fixture(name, stack)
            instance = self._owner() if self._owner else None
            if instance is not None and hasattr(instance, "setup_method"):
                _lenient(instance.setup_method, self._function)
            if instance is not None and hasattr(instance, "teardown_method"):
                stack.callback(_lenient, instance.teardown_method, self._function)
            names = list(inspect.signature(self._function).parameters)[1 if instance is not None else 0 :]
            values = {
                name: self._values[name] if name in self._values else self._fixture(name, stack)
                for name in names
            }
            first = (instance,) if instance is not None else ()
            self._function(*first, **values)

    def _fixture(self, name: str, stack: contextlib.ExitStack) -> Any:
        if name in self._made:
            return self._made[name]
        function = self._fixtures.get(name)
        if function is None:
            value = _Request() if name == "request" else _builtin_fixture(name, stack)
        else:
            value = self._make(name, function, stack)
        self._made[name] = value
        return value

    def _make(self, name: str, function: Any, stack: contextlib.ExitStack) -> Any:
        wanted = inspect.signature(function).parameters
        values: dict[str, Any] = {}
        for item in wanted:
            if item == "self":
                values[item] = self._owner() if self._owner else None
            elif item == "request":
                values[item] = _Request(self._values.get(f"fixture:{name}"))
            else:
                values[item] = self._fixture(item, stack)
        if inspect.isgeneratorfunction(function):
            return stack.enter_context(contextlib.contextmanager(function)(**values))
        return function(**values)


def _lenient(method: Any, function: Any) -> None:
    """Calls a set-up method with as many arguments as it takes."""
    method(*(function,)[: len(inspect.signature(method).parameters)])


def _rows(
    function: Any, marks: list[_Mark], fixtures: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(suffix of the name, values) for each combination of the parametrize marks and fixture parameters."""
    tables: list[list[tuple[str, dict[str, Any]]]] = []
    for item in marks:
        if item.name == "parametrize":
            tables.append(
                _table(*item.args[:2] if len(item.args) > 1 else (item.args[0], item.kwargs["argvalues"]))
            )
    for name in inspect.signature(function).parameters:
        options = getattr(fixtures.get(name), "_fixture", {})
        if options.get("params"):
            tables.append([(str(value), {f"fixture:{name}": value}) for value in options["params"]])
    for row in itertools.product(*tables):
        values = {key: value for _, part in row for key, value in part.items()}
        yield "-".join(suffix for suffix, _ in row), values


def _table(names: Any, values: Any) -> list[tuple[str, dict[str, Any]]]:
    keys = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    keys = [key for key in keys if key]
    rows = []
    for place, value in enumerate(values):
        row = value.values if isinstance(value, _Param) else (value,) if len(keys) == 1 else tuple(value)
        rows.append((str(place), dict(zip(keys, row, strict=True))))
    return rows


def _skipped(marks: list[_Mark]) -> str | None:
    for item in marks:
        if item.name == "skip" or (item.name == "skipif" and item.args and item.args[0]):
            return str(item.kwargs.get("reason", "skipped"))
    return None


def collect(module: types.ModuleType) -> list[tuple[str, Callable[[], None]]]:
    """(name, body) of each test of a module, in the order of definition."""
    space = vars(module)
    fixtures = {
        item._fixture.get("name") or name: item
        for name, item in space.items()
        if hasattr(item, "__code__") and hasattr(item, "_fixture")
    }
    module_marks = space.get("pytestmark", [])
    outer = module_marks if isinstance(module_marks, list) else [module_marks]
    found: list[tuple[str, Callable[[], None]]] = []
    for name, item in list(space.items()):
        if isinstance(item, types.FunctionType) and name.startswith("test"):
            found += _items(name, item, None, outer, fixtures)
        elif isinstance(item, type) and issubclass(item, unittest.TestCase):
            found += [(f"{name}.{case._testMethodName}", _unittest_body(case)) for case in _cases(item)]
        elif isinstance(item, type) and name.startswith("Test"):
            found += _of_class(name, item, outer, fixtures)
    return found


def _of_class(name: str, owner: type, outer: list[_Mark], fixtures: dict[str, Any]) -> list[Any]:
    own = {key: item for key, item in vars(owner).items() if hasattr(item, "_fixture")}
    marks = [*outer, *getattr(owner, "pytestmark", [])]
    if hasattr(owner, "setup_class"):
        owner.setup_class()
    found: list[Any] = []
    for key, item in vars(owner).items():
        if isinstance(item, types.FunctionType) and key.startswith("test"):
            found += _items(f"{name}.{key}", item, owner, marks, {**fixtures, **own})
    return found


def _items(name: str, function: Any, owner: Any, outer: list[_Mark], fixtures: dict[str, Any]) -> list[Any]:
    marks = [*outer, *getattr(function, "pytestmark", [])]
    reason = _skipped(marks)
    if reason is not None:
        return [(name, lambda: skip(reason))]
    return [
        (f"{name}[{suffix}]" if suffix else name, _Item(function, values, owner, fixtures).run)
        for suffix, values in _rows(function, marks, fixtures)
    ]


def _cases(kind: type[unittest.TestCase]) -> list[unittest.TestCase]:
    return [kind(name) for name in unittest.TestLoader().getTestCaseNames(kind)]


def _unittest_body(case: unittest.TestCase) -> Callable[[], None]:
    """Runs a TestCase so that its exception comes out as it was raised."""

    def run() -> None:
        result = unittest.TestResult()
        case.run(result)
        for skipped in result.skipped:
            raise Skipped(skipped[1])
        for _, text in [*result.failures, *result.errors]:
            raise AssertionError(text.strip().rpartition("\n")[2])

    return run
