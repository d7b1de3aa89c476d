"""What tests change in their own process, changed in the solution's as well: replaced functions, seeds, the
environment and the working directory.

Tests that are written for one process replace `requests.get` by a mock and expect the solution to call it.
The mock stays with the tests, and the solution gets a stand-in that asks it.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
from collections.abc import Callable
from typing import Any

from sandbox.inside.codec import CodecError
from sandbox.inside.remote import Remote
from sandbox.inside.wire import Wire

__all__ = ["mirror"]

_STREAMS = ("stdout", "stderr")
"""What the solution prints reaches the tests anyway."""


def mirror(wire: Wire, source: str) -> None:
    """Makes the changes that some tests speak of reach the solution's process too."""
    if any(word in source for word in ("mock", "monkeypatch")):
        _mirror_patches(wire)
    if "seed" in source:
        _mirror_call(wire, "random", "seed")
        if "numpy" in wire.packages:
            _mirror_call(wire, "numpy.random", "seed")
    if "environ" in source or "env" in source:
        _mirror_environment(wire)
    if "chdir" in source:
        _mirror_call(wire, "os", "chdir")
    if "://" in source:
        wire.asks_network = _told(wire, "watch-network")
    if "matplotlib" in wire.packages:
        _share_figures(wire)


def _mirror_call(wire: Wire, module_name: str, name: str) -> None:
    """Calls a function of the library on both sides."""
    try:
        module = importlib.import_module(module_name)
    except ImportError:
        return
    own = getattr(module, name)

    def both(*arguments: Any, **named: Any) -> Any:
        result = own(*arguments, **named)
        _told(wire, "run", f"{module_name}:{name}", list(arguments), named)
        return result

    setattr(module, name, both)


def _told(wire: Wire, *message: Any) -> bool:
    """Tells the solution's process of a change; one that cannot reach it leaves the test undecided."""
    try:
        wire.ask(*message)
    except CodecError as error:
        wire.doubt(f"the tests change what the solution's process cannot see: {error}")
    except Exception as error:
        wire.doubt(f"the tests change what the solution's process has not: {type(error).__name__}")
    else:
        return True
    return False


def _mirror_environment(wire: Wire) -> None:
    put, remove = os.putenv, os.unsetenv

    def putenv(key: Any, value: Any) -> None:
        put(key, value)
        _told(wire, "environ", key, value)

    def unsetenv(key: Any) -> None:
        remove(key)
        _told(wire, "environ", key, None)

    os.putenv, os.unsetenv = putenv, unsetenv


def _share_figures(wire: Wire) -> None:
    """The current figure is the one that the solution has drawn."""
    try:
        pyplot = importlib.import_module("matplotlib.pyplot")
        theirs = wire.ask("module", "matplotlib.pyplot")
    except Exception:
        return
    for name in ("gcf", "gca", "get_fignums", "close", "figure", "fignum_exists"):
        setattr(pyplot, name, _call_of(theirs, name))


def _call_of(theirs: Any, name: str) -> Callable[..., Any]:
    return lambda *arguments, **named: getattr(theirs, name)(*arguments, **named)


def _mirror_patches(wire: Wire) -> None:
    mock: Any = importlib.import_module("unittest.mock")
    kind = mock._patch
    enter, leave = kind.__enter__, kind.__exit__

    def entered(self: Any) -> Any:
        result = enter(self)
        place = _place_of(self.target, self.attribute)
        self._place = None
        if place is not None and _told(
            wire, "patch", place, self.attribute, getattr(self.target, self.attribute)
        ):
            self._place = place
        return result

    def left(self: Any, *error: Any) -> Any:
        try:
            return leave(self, *error)
        finally:
            if getattr(self, "_place", None) is not None:
                _told(wire, "unpatch", self._place, self.attribute)

    kind.__enter__, kind.__exit__ = entered, left
    wire.lends_mocks = True


def _place_of(target: Any, attribute: str) -> str | None:
    """Where the solution's process has what is replaced; null where it has nothing to do with it."""
    if type(target) is Remote:
        return None  # setting it has been a call already
    if isinstance(target, types.ModuleType):
        if target is sys and attribute in _STREAMS:
            return None
        if target.__name__ == "__tests__":
            return None
        if type(target) is not types.ModuleType:
            return ""  # the solution itself
        return f"{target.__name__}:"
    if isinstance(target, type) and target.__module__ not in ("__tests__",):
        return f"{target.__module__}:{target.__qualname__}"
    return None
