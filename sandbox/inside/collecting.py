"""Finds the tests of a module that was written for pytest, and makes each one runnable with its fixtures."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from sandbox.inside.minipytest import Failed, Mark, Param, Skipped, importorskip, skip

if TYPE_CHECKING:
    import unittest

__all__ = ["collect"]


_GENERATOR = 0x20
"""The flag of a generator function's code."""


def _parameters(function: Any) -> tuple[str, ...]:
    """Names of a function's parameters, `self` included. The module `inspect` would cost more than a test
    file."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = function.__code__
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return names


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
        import tempfile  # few tests ask for it, and it brings a dozen modules
        from pathlib import Path

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
            names = _parameters(self._function)[1 if instance is not None else 0 :]
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
        wanted = _parameters(function)
        values: dict[str, Any] = {}
        for item in wanted:
            if item == "self":
                values[item] = self._owner() if self._owner else None
            elif item == "request":
                values[item] = _Request(self._values.get(f"fixture:{name}"))
            else:
                values[item] = self._fixture(item, stack)
        if function.__code__.co_flags & _GENERATOR:
            return stack.enter_context(contextlib.contextmanager(function)(**values))
        return function(**values)


def _lenient(method: Any, function: Any) -> None:
    """Calls a set-up method with as many arguments as it takes."""
    method(*(function,)[: len(_parameters(method)) - 1])


def _rows(function: Any, marks: list[Mark], fixtures: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(suffix of the name, values) for each combination of the parametrize marks and fixture parameters."""
    tables: list[list[tuple[str, dict[str, Any]]]] = []
    for item in marks:
        if item.name == "parametrize":
            tables.append(
                _table(*item.args[:2] if len(item.args) > 1 else (item.args[0], item.kwargs["argvalues"]))
            )
    for name in _parameters(function):
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
        row = value.values if isinstance(value, Param) else (value,) if len(keys) == 1 else tuple(value)
        rows.append((str(place), dict(zip(keys, row, strict=True))))
    return rows


def _skipped(marks: list[Mark]) -> str | None:
    for item in marks:
        if item.name == "skip" or (item.name == "skipif" and item.args and item.args[0]):
            return str(item.kwargs.get("reason", "skipped"))
    return None


def collect(module: types.ModuleType) -> list[tuple[str, Callable[[], None]]]:
    """(name, body) of each test of a module, in the order of definition."""
    space = vars(module)
    fixtures = {item._fixture.get("name") or name: item for name, item in space.items() if _is_fixture(item)}
    module_marks = space.get("pytestmark", [])
    outer = module_marks if isinstance(module_marks, list) else [module_marks]
    found: list[tuple[str, Callable[[], None]]] = []
    for name, item in list(space.items()):
        if isinstance(item, types.FunctionType) and name.startswith("test"):
            found += _items(name, item, None, outer, fixtures)
        elif isinstance(item, type) and _is_test_case(item):
            found += [(f"{name}.{case._testMethodName}", _unittest_body(case)) for case in _cases(item)]
        elif isinstance(item, type) and name.startswith("Test"):
            found += _of_class(name, item, outer, fixtures)
    return found


def _is_fixture(item: Any) -> bool:
    """Whether it is a fixture of the tests: what the solution defines is none, whatever it says of itself."""
    return isinstance(item, types.FunctionType) and hasattr(item, "_fixture")


def _of_class(name: str, owner: type, outer: list[Mark], fixtures: dict[str, Any]) -> list[Any]:
    own = {key: item for key, item in vars(owner).items() if _is_fixture(item)}
    marks = [*outer, *getattr(owner, "pytestmark", [])]
    if hasattr(owner, "setup_class"):
        owner.setup_class()
    found: list[Any] = []
    for key, item in vars(owner).items():
        if isinstance(item, types.FunctionType) and key.startswith("test"):
            found += _items(f"{name}.{key}", item, owner, marks, {**fixtures, **own})
    return found


def _items(name: str, function: Any, owner: Any, outer: list[Mark], fixtures: dict[str, Any]) -> list[Any]:
    marks = [*outer, *getattr(function, "pytestmark", [])]
    reason = _skipped(marks)
    if reason is not None:
        return [(name, lambda: skip(reason))]
    return [
        (f"{name}[{suffix}]" if suffix else name, _Item(function, values, owner, fixtures).run)
        for suffix, values in _rows(function, marks, fixtures)
    ]


def _is_test_case(item: type) -> bool:
    """Whether it is one of unittest's; the module is there only if the tests have imported it."""
    module = sys.modules.get("unittest")
    return module is not None and issubclass(item, module.TestCase)


def _cases(kind: type[unittest.TestCase]) -> list[unittest.TestCase]:
    import unittest

    return [kind(name) for name in unittest.TestLoader().getTestCaseNames(kind)]


def _unittest_body(case: unittest.TestCase) -> Callable[[], None]:
    """Runs a TestCase so that its exception comes out as it was raised."""

    def run() -> None:
        import unittest

        result = unittest.TestResult()
        case.run(result)
        for skipped in result.skipped:
            raise Skipped(skipped[1])
        for _, text in [*result.failures, *result.errors]:
            raise AssertionError(text.strip().rpartition("\n")[2])

    return run
