"""Finds the tests of a module that was written for pytest or unittest, and makes each one runnable."""

from __future__ import annotations

import itertools
import sys
import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from sandbox.inside.fixtures import Fixtures, Scope, injected, is_fixture, parameters
from sandbox.inside.minipytest import Mark, Param, Skipped, skip

if TYPE_CHECKING:
    import unittest

__all__ = ["collect"]

Found = list[tuple[str, Callable[[], None]]]


def collect(module: types.ModuleType) -> Found:
    """(name, body) of each test of a module, in the order of definition."""
    space = vars(module)
    fixtures = {item._fixture.get("name") or name: item for name, item in space.items() if is_fixture(item)}
    scope = Scope(
        *_pair(space, module, ("setup_module", "setUpModule"), ("teardown_module", "tearDownModule"))
    )
    place = _Place(fixtures, {"module": scope}, _marks(space.get("pytestmark", [])), space)
    found: Found = []
    for name, item in list(space.items()):
        if isinstance(item, types.FunctionType) and name.startswith("test"):
            found += place.items(name, item)
        elif isinstance(item, type) and _is_test_case(item):
            found += _of_test_case(name, item, scope)
        elif isinstance(item, type) and name.startswith("Test"):
            found += place.inside(item).methods(name)
    return found


def _pair(
    space: Any, argument: Any, before: tuple[str, ...], after: tuple[str, ...]
) -> tuple[Callable[[], object] | None, Callable[[], object] | None]:
    """The functions of a namespace that set up and take down, as calls without arguments."""

    def named(names: tuple[str, ...]) -> Callable[[], object] | None:
        function = next(
            (space[name] for name in names if isinstance(space.get(name), types.FunctionType)), None
        )
        return None if function is None else lambda: _lenient(function, argument)

    return named(before), named(after)


def _lenient(function: Any, *arguments: Any) -> None:
    """Calls a function with as many of the arguments as it takes."""
    bound = isinstance(function, types.MethodType)
    function(*arguments[: max(0, len(parameters(function)) - bound)])


def _marks(value: Any) -> list[Mark]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


class _Place:
    """Where tests stand: in a module or a class, with the fixtures and scopes in reach."""

    def __init__(
        self,
        fixtures: dict[str, Any],
        scopes: dict[str, Scope],
        marks: list[Mark],
        space: Any,
        owner: Any = None,
    ):
        self._fixtures, self._scopes, self._marks, self._space = fixtures, scopes, marks, space
        self._owner = owner

    def inside(self, owner: type) -> _Place:
        """The place within a class."""
        members = {key: item for kind in reversed(owner.__mro__) for key, item in vars(kind).items()}
        own = {item._fixture.get("name") or key: item for key, item in members.items() if is_fixture(item)}
        scope = Scope(getattr(owner, "setup_class", None), getattr(owner, "teardown_class", None))
        marks = [*self._marks, *_marks(getattr(owner, "pytestmark", []))]
        return _Place({**self._fixtures, **own}, {**self._scopes, "class": scope}, marks, members, owner)

    def methods(self, name: str) -> Found:
        """The tests of the class."""
        functions = {
            key: item
            for key, item in self._space.items()
            if isinstance(item, types.FunctionType) and key.startswith("test")
        }
        return [found for key, item in functions.items() for found in self.items(f"{name}.{key}", item)]

    def items(self, name: str, function: Any) -> Found:
        """The tests of one function, one for each combination of its parameters."""
        marks = [*self._marks, *getattr(function, "pytestmark", [])]
        reason = _skipped(marks)
        if reason is not None:
            return [(name, lambda: skip(reason))]
        found: Found = []
        for suffix, values in _rows(function, marks, self._fixtures):
            full = f"{name}[{suffix}]" if suffix else name
            for scope in self._scopes.values():
                scope.awaits()
            found.append((full, _Item(self, function, values, marks, full).run))
        return found


class _Item:
    """One test function with one row of parameters."""

    def __init__(self, place: _Place, function: Any, values: dict[str, Any], marks: list[Mark], name: str):
        self._place, self._function, self._values, self._marks = place, function, values, marks
        self._name = name

    def run(self) -> None:
        """Runs the test with its fixtures; each is taken down at the end of its scope."""
        scopes = self._place._scopes
        try:
            for scope in scopes.values():
                scope.enter()
            self._run_expecting()
        finally:
            for scope in reversed(scopes.values()):
                scope.leave()

    def _run_expecting(self) -> None:
        if not any(mark.name == "xfail" for mark in self._marks):
            self._run_once()
            return
        try:
            self._run_once()
        except Exception as error:
            raise Skipped("it was expected to fail") from error

    def _run_once(self) -> None:
        fixtures = Fixtures(self._place._fixtures, self._place._scopes, self._values, self._name)
        fixtures.own.awaits()
        try:
            self._call(fixtures)
        finally:
            fixtures.own.leave()

    def _call(self, fixtures: Fixtures) -> None:
        owner, stack = self._place._owner, fixtures.own.stack
        instance = owner() if owner else None
        fixtures.instance, fixtures.function = instance, self._function
        fixtures.make_automatic()
        for mark in self._marks:
            for name in mark.args if mark.name == "usefixtures" else ():
                fixtures.value(name)
        space = {} if instance is not None else self._place._space
        before, after = _pair(space, self._function, ("setup_function",), ("teardown_function",))
        if instance is not None:
            before, after = _methods(instance, self._function)
        if before is not None:
            before()
        if after is not None:
            stack.callback(after)
        own = (instance is not None) + injected(self._function)
        names = parameters(self._function)[own:]
        given = {name: fixtures.value(name) for name in names}
        first = (instance,) if instance is not None else ()
        result = self._function(*first, **given)
        if isinstance(result, types.CoroutineType):
            import asyncio

            asyncio.run(result)


def _methods(instance: Any, function: Any) -> tuple[Callable[[], object] | None, Callable[[], object] | None]:
    """What a class has to set up and to take down around each of its tests."""

    def named(*names: str) -> Callable[[], object] | None:
        method = next((getattr(instance, name) for name in names if hasattr(instance, name)), None)
        return None if method is None else lambda: _lenient(method, function)

    return named("setup_method", "setup"), named("teardown_method", "teardown")


def _rows(function: Any, marks: list[Mark], fixtures: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(suffix of the name, values) for each combination of the parametrize marks and fixture parameters."""
    tables: list[list[tuple[str, dict[str, Any]]]] = []
    for item in marks:
        if item.name == "parametrize":
            names = item.args[0] if item.args else item.kwargs["argnames"]
            values = item.args[1] if len(item.args) > 1 else item.kwargs["argvalues"]
            tables.append(_table(names, values, indirect=item.kwargs.get("indirect", False)))
    for name in _reached(function, fixtures):
        options = getattr(fixtures.get(name), "_fixture", {})
        if options.get("params"):
            tables.append([(str(value), {f"fixture:{name}": value}) for value in options["params"]])
    for row in itertools.product(*tables):
        values = {key: value for _, part in row for key, value in part.items()}
        yield "-".join(suffix for suffix, _ in row), values


def _reached(function: Any, fixtures: dict[str, Any]) -> list[str]:
    """The fixtures that a test asks for, by itself, by another fixture, or unasked."""
    waiting = [
        *parameters(function),
        *(name for name, item in fixtures.items() if item._fixture.get("autouse")),
    ]
    seen: dict[str, None] = {}
    while waiting:
        name = waiting.pop(0)
        if name not in seen:
            seen[name] = None
            waiting += parameters(fixtures[name]) if name in fixtures else ()
    return list(seen)


def _table(names: Any, values: Any, *, indirect: Any) -> list[tuple[str, dict[str, Any]]]:
    keys = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    keys = [key for key in keys if key]
    through = keys if indirect is True else list(indirect or ())
    keys = [f"fixture:{key}" if key in through else key for key in keys]
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


def _is_test_case(item: type) -> bool:
    """Whether it is one of unittest's; the module is there only if the tests have imported it."""
    module = sys.modules.get("unittest")
    return module is not None and issubclass(item, module.TestCase)


def _of_test_case(name: str, kind: type[unittest.TestCase], outer: Scope) -> Found:
    import unittest

    def tear_down() -> None:
        kind.tearDownClass()
        kind.doClassCleanups()

    scope = Scope(kind.setUpClass, tear_down)
    found: Found = []
    for method in unittest.TestLoader().getTestCaseNames(kind):
        outer.awaits()
        scope.awaits()
        found.append((f"{name}.{method}", _unittest_body(kind(method), [outer, scope])))
    return found


def _unittest_body(case: unittest.TestCase, scopes: list[Scope]) -> Callable[[], None]:
    """Runs a TestCase so that its exception comes out as it was raised."""

    def run() -> None:
        raised: list[BaseException] = []
        try:
            for scope in scopes:
                scope.enter()
            case.run(_result(raised))
        finally:
            for scope in reversed(scopes):
                scope.leave()
        if raised:
            raise raised[0]

    return run


def _result(raised: list[BaseException]) -> unittest.TestResult:
    """A result that keeps the exceptions themselves."""
    import unittest

    class Result(unittest.TestResult):
        def addError(self, test: Any, err: Any) -> None:
            raised.append(err[1])

        addFailure = addError

        def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
            if err is not None:
                raised.append(err[1])

        def addSkip(self, test: Any, reason: str) -> None:
            raised.append(Skipped(reason))

        def addExpectedFailure(self, test: Any, err: Any) -> None:
            raised.append(Skipped("it was expected to fail"))

        def addUnexpectedSuccess(self, test: Any) -> None:
            raised.append(AssertionError("it was expected to fail"))

    return Result()
