"""The solution's side of what belongs to the tests: stand-ins for what they lend, changes that they make."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["CHANGES", "Changes", "OfJudge", "standard"]

CHANGES = ("looked-for-network", "module", "run", "watch-network", "environ", "patch", "unpatch")
_Absent = object()


class Asker(Protocol):
    """Who passes a question on to the judge."""

    def ask_judge(self, request: list[Any]) -> Any:
        """The answer."""


class OfJudge:
    """Stands for a function or an object of the tests."""

    def __init__(self, agent: Asker, number: int):
        object.__setattr__(self, "_agent", agent)
        object.__setattr__(self, "_number", number)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Calls it, in the process of the tests."""
        return self._agent.ask_judge(["call", self._number, list(arguments), named])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._agent.ask_judge(["get", self._number, name])

    def __setattr__(self, name: str, value: Any) -> None:
        self._agent.ask_judge(["set", self._number, name, value])

    def __exit__(self, *error: object) -> bool:
        return self._agent.ask_judge(["op", self._number, "exit", []]) is True

    def __bool__(self) -> bool:
        return self._agent.ask_judge(["op", self._number, "bool", []]) is True

    def __iter__(self) -> Any:
        return self._agent.ask_judge(["op", self._number, "iter", []])

    __hash__ = object.__hash__


def _asking(name: str) -> Callable[..., Any]:
    def method(self: OfJudge, *arguments: Any) -> Any:
        return self._agent.ask_judge(["op", self._number, name, list(arguments)])

    return method


_BY_JUDGE = (
    "next len str int float getitem setitem delitem contains enter eq ne lt le gt ge add sub mul truediv mod"
)
for _name in _BY_JUDGE.split():
    setattr(OfJudge, f"__{_name}__", _asking(_name))


class Changes:
    """What the tests do to their own process, done here as well. `module` is the name of the solution's."""

    def __init__(self, module: str):
        self._module = module
        self._replaced: list[tuple[Any, str, Any]] = []
        self._looked_for_network = False

    def make(self, verb: str, *rest: Any) -> Any:
        """Makes one change; returns the module that was asked for."""
        if verb == "watch-network":
            sys.addaudithook(self._audit)
            return None
        if verb == "looked-for-network":
            looked, self._looked_for_network = self._looked_for_network, False
            return looked
        if verb == "module":
            return importlib.import_module(rest[0])
        if verb == "run":
            standard(rest[0])(*rest[1], **rest[2])
        elif verb == "environ" and rest[1] is None:
            os.environb.pop(rest[0], None)
        elif verb == "environ":
            os.environb[rest[0]] = rest[1]
        elif verb == "patch":
            target = self._patched(rest[0])
            self._replaced.append((target, rest[1], vars(target).get(rest[1], _Absent)))
            setattr(target, rest[1], rest[2])
        else:
            self._restore(self._patched(rest[0]), rest[1])
        return None

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        del arguments
        if event in ("socket.getaddrinfo", "socket.connect"):
            self._looked_for_network = True

    def _patched(self, place: str) -> Any:
        return standard(place) if place else sys.modules[self._module]

    def _restore(self, target: Any, name: str) -> None:
        """Takes back the last change of an attribute."""
        for place in range(len(self._replaced) - 1, -1, -1):
            if self._replaced[place][:2] == (target, name):
                old = self._replaced.pop(place)[2]
                delattr(target, name) if old is _Absent else setattr(target, name, old)
                return


def standard(text: str) -> Any:
    """A module, or something in one, by `module:path`."""
    module, _, path = text.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split(".") if path else ():
        found = getattr(found, name)
    return found
