"""Fixtures of pytest files, each made once in its scope and taken down at its end."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import types
from collections.abc import Callable
from typing import Any

from sandbox.inside.minipytest import Unsupported, importorskip

__all__ = ["Fixtures", "Scope", "injected", "is_fixture", "parameters"]

_GENERATOR = 0x20
"""The flag of a generator function's code."""


def parameters(function: Any) -> tuple[str, ...]:
    """Names of a function's parameters, `self` included. The module `inspect` would cost more than a test
    file."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = function.__code__
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return names


def injected(function: Any) -> int:
    """How many of a function's parameters `unittest.mock.patch` fills, right behind `self`."""
    mock: Any = sys.modules.get("unittest.mock")
    patches = getattr(function, "patchings", ()) if mock is not None else ()
    return sum(patch.attribute_name is None and patch.new is mock.DEFAULT for patch in patches)


def is_fixture(item: Any) -> bool:
    """Whether it is a fixture of the tests: what the solution defines is none, whatever it says of itself."""
    return isinstance(item, types.FunctionType) and hasattr(item, "_fixture")


class Scope:
    """What several tests share: made before the first of them, taken down behind the last."""

    def __init__(
        self, set_up: Callable[[], object] | None = None, tear_down: Callable[[], object] | None = None
    ):
        self.made: dict[Any, Any] = {}
        self.stack = contextlib.ExitStack()
        self._set_up, self._tear_down = set_up, tear_down
        self._waiting = 0
        self._begun = False
        self._failed: BaseException | None = None

    def awaits(self) -> None:
        """One more test belongs here."""
        self._waiting += 1

    def enter(self) -> None:
        """Sets up before the first test. Where that fails, each test fails by the same exception."""
        if self._failed is not None:
            raise self._failed
        if self._begun:
            return
        self._begun = True
        try:
            if self._set_up is not None:
                self._set_up()
        except BaseException as error:
            self._failed = error
            raise
        if self._tear_down is not None:
            self.stack.callback(self._tear_down)

    def leave(self) -> None:
        """Takes all down when the last test has ended."""
        self._waiting -= 1
        if self._waiting == 0:
            self.stack.close()


class _Request:
    """`request`: what a fixture may know of the test that it is made for."""

    def __init__(self, fixtures: Fixtures, param: Any = None):
        self._fixtures, self.param = fixtures, param
        self.node = types.SimpleNamespace(name=fixtures.name)
        self.instance, self.function = fixtures.instance, fixtures.function
        self.cls = type(fixtures.instance) if fixtures.instance is not None else None

    def getfixturevalue(self, name: str) -> Any:
        """The value of another fixture."""
        return self._fixtures.value(name)

    def addfinalizer(self, function: Callable[[], object]) -> None:
        """Calls a function when the test ends."""
        self._fixtures.own.stack.callback(function)


class Fixtures:
    """The fixtures of one test."""

    def __init__(self, known: dict[str, Any], scopes: dict[str, Scope], values: dict[str, Any], name: str):
        self.name, self.instance, self.function = name, None, None
        self.own = Scope()
        self._known, self._values = known, values
        self._scopes = {**scopes, "function": self.own}

    def make_automatic(self) -> None:
        """Makes those that ask for no one to ask for them."""
        for name, function in self._known.items():
            if function._fixture.get("autouse"):
                self.value(name)

    def value(self, name: str) -> Any:
        """The value of a fixture, made now unless it is there."""
        if name in self._values:
            return self._values[name]
        function = self._known.get(name)
        param = self._values.get(f"fixture:{name}")
        scope = self._scope_of(function)
        key = (name, repr(param)) if param is not None else name
        if key not in scope.made:
            if name == "request":
                scope.made[key] = _Request(self)
            elif function is None:
                scope.made[key] = _builtin_fixture(name, scope.stack)
            else:
                scope.made[key] = self._make(function, param, scope)
        return scope.made[key]

    def _scope_of(self, function: Any) -> Scope:
        wanted = function._fixture.get("scope", "function") if function is not None else "function"
        wanted = "module" if wanted in ("session", "package") else wanted
        return self._scopes.get(wanted, self.own)

    def _make(self, function: Any, param: Any, scope: Scope) -> Any:
        given: dict[str, Any] = {}
        for item in parameters(function):
            if item in ("self", "cls"):
                given[item] = self.instance
            elif item == "request":
                given[item] = _Request(self, param)
            else:
                given[item] = self.value(item)
        if function.__code__.co_flags & _GENERATOR:
            return scope.stack.enter_context(contextlib.contextmanager(function)(**given))
        return function(**given)


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
        self._stack = contextlib.ExitStack()

    def setattr(self, target: Any, name: Any, value: Any = None, raising: bool = True) -> None:
        """Sets an attribute; `target` may be a dotted path with the value second."""
        from unittest import mock

        if isinstance(target, str):
            value, (module, _, name) = name, target.rpartition(".")
            target = importorskip(module)
        self._stack.enter_context(mock.patch.object(target, name, value, create=not raising))

    def delattr(self, target: Any, name: str) -> None:
        """Takes an attribute away."""
        old = getattr(target, name)
        self._stack.callback(setattr, target, name, old)
        delattr(target, name)

    def setitem(self, mapping: Any, key: Any, value: Any) -> None:
        """Sets an item."""
        from unittest import mock

        self._stack.enter_context(mock.patch.dict(mapping, {key: value}))

    def setenv(self, name: str, value: str) -> None:
        """Sets an environment variable."""
        self.setitem(os.environ, name, value)

    def delenv(self, name: str, raising: bool = True) -> None:
        """Takes an environment variable away."""
        from unittest import mock

        self._stack.enter_context(mock.patch.dict(os.environ))
        if raising or name in os.environ:
            del os.environ[name]

    def chdir(self, path: Any) -> None:
        """Changes the working directory."""
        self._stack.callback(os.chdir, os.getcwd())
        os.chdir(path)

    def undo(self) -> None:
        """Takes all changes back."""
        self._stack.close()


def _builtin_fixture(name: str, stack: contextlib.ExitStack) -> Any:
    if name in ("capsys", "capfd"):
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        return _Capture()
    if name == "monkeypatch":
        patch = MonkeyPatch()
        stack.callback(patch.undo)
        return patch
    if name in ("tmp_path", "tmpdir", "tmp_path_factory"):
        import tempfile  # few tests ask for it, and it brings a dozen modules
        from pathlib import Path

        if name == "tmp_path_factory":
            return types.SimpleNamespace(mktemp=lambda base, **_: Path(tempfile.mkdtemp(prefix=base)))
        return Path(tempfile.mkdtemp())
    raise Unsupported(f"fixture '{name}' not found")
