"""The judge's end of the link to the solution: values become stand-ins and back, calls go both ways."""

from __future__ import annotations

import builtins
import collections
import io
import sys
import types
from typing import Any

from sandbox.inside.arrays import Raw, built, is_array
from sandbox.inside.channel import Closed, Link, TooLarge
from sandbox.inside.codec import CodecError
from sandbox.inside.import_guard import own_module
from sandbox.inside.operations import OPERATIONS
from sandbox.inside.remote import Remote

__all__ = ["SolutionDied", "Wire"]


class SolutionDied(BaseException):
    """The solution's process ended before it answered, or broke the protocol."""


class Wire:
    """The judge's end: turns values into stand-ins and back, and answers calls that go the other way."""

    def __init__(self, fd: int):
        self.weak = False
        self.died: str | None = None
        """Why the solution answers no more; whatever the tests made of that, they have not passed."""
        self.from_solution: set[int] = set()
        """Ids of exceptions that the solution raised."""
        self.named: set[str] = set()
        """Names that the tests speak of."""
        self.packages: set[str] = set()
        """Packages that the tests import."""
        self.lends_mocks = False
        """Whether the tests put things of their own in the place of the solution's."""
        self.asks_network = False
        """Whether the tests name addresses of a network, which no program here has."""
        self._doubts: set[str] = set()
        self._lent: list[Any] = [None]
        self._lent_by_id: dict[int, int] = {}
        self._errors: dict[int, type[BaseException]] = {}
        self._subclasses: dict[tuple[type, type], type[BaseException]] = {}
        self._kept: list[BaseException] = []
        self._link = Link(fd, special=self._refer, resolve=self._resolve, array=self._array)
        self.test_modules: set[str] = {"__tests__"}

    def ask(self, verb: str, *rest: Any) -> Any:
        """One question to the solution, and its answer.

        Raises:
            SolutionDied: it ended, or sent what may not cross.
            BaseException: what the solution raised, as the built-in class of that name.
        """
        try:
            self._link.send([verb, *rest])
            while True:
                message = self._link.receive()
                if type(message) is not list or not message:
                    raise self._dead("the solution broke the protocol")
                if message[0] not in ("call", "get", "set", "op"):
                    break
                self._answer(message)
            return self._finish(message, rest, stops=verb == "op" and rest[0] in ("next", "getitem"))
        except (Closed, TooLarge) as error:
            raise self._dead("the solution ended before it answered") from error
        except (ValueError, TypeError, IndexError) as error:
            if id(error) in self.from_solution:
                raise
            raise self._dead(f"the solution broke the protocol: {error}") from error

    def doubt(self, why: str) -> None:
        """Notes what keeps a test from saying anything of the solution."""
        self._doubts.add(why)

    def doubt_network(self) -> None:
        """Notes that the solution looked for the network in vain, where the tests would have it do so."""
        if self.asks_network and self.died is None and self.ask("looked-for-network") is True:
            self.doubt("the tests need a network")

    def taken_doubts(self) -> str:
        """What was noted since the last time, as one line."""
        found = ", ".join(sorted(self._doubts)[:4])
        self._doubts.clear()
        return found

    def _dead(self, why: str) -> SolutionDied:
        self.died = self.died or why
        return SolutionDied(why)

    def _finish(self, message: list[Any], rest: tuple[Any, ...], *, stops: bool) -> Any:
        if message[0] == "ok":
            _, result, changed, printed = message
            _forward(printed)
            if changed:
                for place, value in changed:
                    _overwrite(rest[1][place], value)
            return result
        _, names, arguments, kinds, printed = message
        _forward(printed)
        raise self._error(names, arguments, kinds, stops=stops)

    def _error(
        self, names: list[str], arguments: list[Any], kinds: list[Any], *, stops: bool
    ) -> BaseException:
        base = next((found for name in names if (found := _builtin_error(name)) is not None), RuntimeError)
        errors = [item for item in kinds if _is_error(item)]
        kind: type[BaseException] = self._joined([*errors, base])
        flow = next((item for item in _FLOW if issubclass(kind, item) or issubclass(base, item)), None)
        if flow is not None and flow.__name__ not in self.named and not (stops and flow is StopIteration):
            # It would end a loop, a generator or the run of the tests, and look like their own doing.
            base = kind = RuntimeError
            arguments = [f"the solution raised {flow.__name__}"]
        try:
            error = kind(*arguments)
        except Exception:
            error = kind.__new__(kind) if issubclass(kind, Exception) else base.__new__(base)
            error.args = tuple(arguments)
        self.from_solution.add(id(error))
        self._kept.append(error)
        return error

    def _joined(self, kinds: list[type[BaseException]]) -> type[BaseException]:
        """The first of some classes; one that the solution made itself with the next one as its base."""
        first = kinds[0]
        above = next((item for item in kinds if not hasattr(item, "_solution_number")), first)
        if issubclass(first, above):
            return first
        if (first, above) not in self._subclasses:
            try:
                made = type(first.__name__, (first, above), {})
            except TypeError:
                made = first
            self._subclasses[first, above] = made
        return self._subclasses[first, above]

    def _answer(self, message: list[Any]) -> None:
        """A call, or an attribute, of something that the tests themselves passed in."""
        verb, number = message[0], message[1]
        try:
            if type(number) is not int or not 0 < -number < len(self._lent):
                raise ValueError("no such object")
            target = self._lent[-number]
            if verb == "call":
                result = target(*message[2], **message[3])
            elif verb == "op":
                result = OPERATIONS[message[2]](target, *message[3])
            elif (
                type(message[2]) is not str
                or message[2].startswith("_")
                or isinstance(target, types.FunctionType)
            ):
                raise AttributeError(message[2])
            elif verb == "get":
                result = getattr(target, message[2])
            elif callable(getattr(type(target), message[2], None)):
                raise AttributeError(f"{message[2]} is a method of the tests")
            else:
                result = None
                setattr(target, message[2], message[3])
            self._link.send(["answer", "ok", result])
        except (Closed, SolutionDied):
            raise
        except CodecError as error:
            self.doubt(f"the tests lend what cannot cross: {error}")
            self._link.send(["answer", "raise", "builtins:TypeError", [str(error)]])
        except Exception as error:
            kind = f"{type(error).__module__}:{type(error).__qualname__}"
            self._link.send(["answer", "raise", kind, [str(error)]])

    def _refer(self, value: Any) -> tuple[int, str] | None:
        if isinstance(value, Remote):
            return object.__getattribute__(value, "_number"), ""
        if (
            isinstance(value, type)
            and issubclass(value, BaseException)
            and hasattr(value, "_solution_number")
        ):
            return int(value._solution_number), ""
        if isinstance(value, (type, types.BuiltinFunctionType)):
            if str(value.__module__).partition(".")[0] in sys.stdlib_module_names:
                return 0, f"{value.__module__}:{value.__qualname__}"
            return None
        kind = type(value) if not isinstance(value, type) else value
        own = (
            isinstance(value, (types.FunctionType, types.MethodType)) or kind.__module__ in self.test_modules
        )
        if own or kind.__module__ in _LENT_OF:
            return self._lend(value), ""
        return None

    def _lend(self, value: Any) -> int:
        """The number by which the solution knows something of the tests; the same one each time."""
        known = self._lent_by_id.get(id(value))
        if known is None:
            self._lent.append(value)
            known = self._lent_by_id[id(value)] = -(len(self._lent) - 1)
        return known

    def _resolve(self, number: int, text: str) -> Any:
        if number < 0:
            if -number >= len(self._lent):
                raise CodecError("no such object")
            return self._lent[-number]
        kind, _, name = text.partition(":")
        if kind == "library":
            known = _library(name)
            if known is not None:
                return known
        if kind == "error":
            if number not in self._errors:
                self._errors[number] = type(name, (Exception,), {"_solution_number": number})
            return self._errors[number]
        remote = Remote(self, number, kind, name)
        return _awaited(self, remote) if kind == "coroutine" else remote

    def _array(self, parts: Raw) -> Any:
        # An array without items agrees with every other that it can be spread over.
        self.weak = self.weak or 0 in (parts.shape or ())
        return built(parts)


_LENT_OF = ("unittest.mock", "io", "_io", "builtins", "itertools", "contextlib", "tempfile")
"""Modules of whose kinds the tests hand over objects that do not cross: mocks, open files, iterators."""


async def _awaited(wire: Wire, remote: Remote) -> Any:
    """A coroutine of the solution, which runs in its process when the tests await it."""
    return wire.ask("await", remote)


def _library(name: str) -> Any:
    """A type of the standard library, which is the same on both sides."""
    module, _, path = name.partition(":")
    if module in ("builtins", "collections", "typing", "fractions", "decimal", "datetime", "types"):
        found = getattr(sys.modules.get(module) or builtins, path, None)
        return found if isinstance(found, type) else None
    # An exception of `unittest` would say how the test ended.
    loaded = own_module(module) if module.partition(".")[0] != "unittest" else None
    found = getattr(loaded, path, None)
    return found if isinstance(found, type) and issubclass(found, Exception) else None


_FLOW = (StopIteration, StopAsyncIteration, GeneratorExit, KeyboardInterrupt, SystemExit)
"""Exceptions that steer what they pass through."""


def _is_error(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseException)


def _builtin_error(name: Any) -> type[BaseException] | None:
    found = getattr(builtins, name, None) if type(name) is str else None
    return found if _is_error(found) else None


def _forward(printed: Any) -> None:
    """What the solution printed during a call appears where the tests capture output."""
    if type(printed) is str and printed and isinstance(sys.stdout, io.TextIOBase):
        sys.stdout.write(printed)


def _overwrite(target: Any, value: Any) -> None:
    """An argument that the call changed in place, changed here in place as well."""
    if type(target) is not type(value) and not (isinstance(target, dict) and isinstance(value, dict)):
        raise TypeError("an argument changed its type")
    if isinstance(target, (list, bytearray)):
        target[:] = value
    elif is_array(target):
        if (target.shape, target.dtype) != (value.shape, value.dtype):
            raise TypeError("an argument changed its shape")
        target[...] = value
    else:
        target.clear()
        (target.extend if isinstance(target, collections.deque) else target.update)(value)
