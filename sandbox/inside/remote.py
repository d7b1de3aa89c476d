"""The judge's stand-ins for what the solution defines.

A stand-in never lets the solution decide a comparison with plain data: `==` with anything plain is False, and
arithmetic or ordering with plain data is refused, so a class whose `__eq__` or `__sub__` agrees with
everything gains nothing. Two objects of the solution may be compared by its own code; that is noted as a weak
harness.
"""

from __future__ import annotations

import builtins
import collections
import io
import sys
import types
from collections.abc import Callable
from typing import Any

from sandbox.inside.arrays import Raw, built, is_array
from sandbox.inside.channel import Closed, Link, TooLarge
from sandbox.inside.codec import CodecError

__all__ = ["Remote", "SolutionDied", "Wire"]


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
        self.foreign: set[str] = set()
        """Kinds of values that the solution holds and that a package made, and not it."""
        self._lent: list[Any] = [None]
        self._errors: dict[int, type[BaseException]] = {}
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
                if message[0] not in ("call", "get", "set"):
                    break
                self._answer(message)
            return self._finish(message, rest)
        except (Closed, TooLarge) as error:
            raise self._dead("the solution ended before it answered") from error
        except (ValueError, TypeError, IndexError) as error:
            if id(error) in self.from_solution:
                raise
            raise self._dead(f"the solution broke the protocol: {error}") from error

    def _dead(self, why: str) -> SolutionDied:
        self.died = self.died or why
        return SolutionDied(why)

    def _finish(self, message: list[Any], rest: tuple[Any, ...]) -> Any:
        if message[0] == "ok":
            _, result, changed, printed = message
            _forward(printed)
            if changed:
                for place, value in changed:
                    _overwrite(rest[1][place], value)
            return result
        _, names, arguments, kinds, printed = message
        _forward(printed)
        raise self._error(names, arguments, kinds)

    def _error(self, names: list[str], arguments: list[Any], kinds: list[Any]) -> BaseException:
        base = next((found for name in names if (found := _builtin_error(name)) is not None), RuntimeError)
        kind: type[BaseException] = next((item for item in kinds if _is_error(item)), base)
        try:
            error = kind(*arguments)
        except Exception:
            error = base.__new__(base)
        self.from_solution.add(id(error))
        self._kept.append(error)
        return error

    def _answer(self, message: list[Any]) -> None:
        """A call, or an attribute, of something that the tests themselves passed in."""
        verb, number = message[0], message[1]
        try:
            if type(number) is not int or not 0 < -number < len(self._lent):
                raise ValueError("no such object")
            target = self._lent[-number]
            if verb == "call":
                result = target(*message[2], **message[3])
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
        except (Closed, CodecError, SolutionDied):
            raise
        except Exception as error:
            self._link.send(["answer", "raise", type(error).__name__, [str(error)]])

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
            if value.__module__ in sys.stdlib_module_names:
                return 0, f"{value.__module__}:{value.__qualname__}"
            return None
        own = (
            isinstance(value, (types.FunctionType, types.MethodType))
            or type(value).__module__ in self.test_modules
        )
        if own and type(value).__module__ not in ("unittest.mock",):
            self._lent.append(value)
            return -(len(self._lent) - 1), ""
        return None

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
        if kind == "foreign":
            self.foreign.add(name[:80])
        return Remote(self, number, kind, name)

    def _array(self, parts: Raw) -> Any:
        # An array without items agrees with every other that it can be spread over.
        self.weak = self.weak or 0 in (parts.shape or ())
        return built(parts)


def _library(name: str) -> Any:
    """A type of the standard library, which is the same on both sides."""
    module, _, path = name.partition(":")
    if module not in ("builtins", "collections", "typing", "fractions", "decimal", "datetime", "types"):
        return None
    found = getattr(sys.modules.get(module) or builtins, path, None)
    return found if isinstance(found, type) else None


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


def _op(name: str) -> Callable[..., Any]:
    def method(self: Remote, *arguments: Any) -> Any:
        return self._wire.ask("op", name, [self, *arguments])

    return method


def _between_objects(name: str, *, plain: Any) -> Callable[[Remote, Any], Any]:
    def method(self: Remote, other: Any) -> Any:
        if not isinstance(other, Remote):
            return plain
        self._wire.weak = True
        return self._wire.ask("op", name, [self, other])

    return method


class Remote:
    """Something that only the solution's process holds."""

    _wire: Wire

    def __init__(self, wire: Wire, number: int, kind: str, name: str):
        for key, value in (("_wire", wire), ("_number", number), ("_kind", kind), ("__name__", name)):
            object.__setattr__(self, key, value)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Calls it, in the solution's process."""
        return self._wire.ask("call", self, list(arguments), named)

    def __getattr__(self, name: str) -> Any:
        # By these numpy is told where in memory, the judge's own, the items of an array are.
        if name.startswith(("__array", "__dlpack", "__buffer")):
            raise AttributeError(name)
        return self._wire.ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._wire.ask("set", self, name, value)

    def __iter__(self) -> Any:
        return self._wire.ask("op", "iter", [self])

    def __next__(self) -> Any:
        return self._wire.ask("op", "next", [self])

    def __contains__(self, item: Any) -> bool:
        return any(found is item or found == item for found in self)

    def __instancecheck__(self, item: Any) -> bool:
        return isinstance(item, Remote) and bool(self._wire.ask("op", "isinstance", [item, self]))

    def __len__(self) -> int:
        length = self._wire.ask("op", "len", [self])
        if type(length) is not int:
            raise TypeError("len() of the solution's object is not an int")
        return length

    def __bool__(self) -> bool:
        return self._wire.ask("op", "bool", [self]) is True

    def __str__(self) -> str:
        return _text(self._wire.ask("op", "str", [self]))

    def __repr__(self) -> str:
        return _text(self._wire.ask("op", "repr", [self]))

    __hash__ = object.__hash__
    __getitem__ = _op("getitem")
    __setitem__ = _op("setitem")
    __delitem__ = _op("delitem")
    __enter__ = _op("enter")
    __neg__ = _op("neg")
    __eq__ = _between_objects("eq", plain=False)
    __ne__ = _between_objects("ne", plain=True)

    def __exit__(self, *error: object) -> None:
        self._wire.ask("op", "exit", [self])


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError("the solution's text is not a str")
    return value


for _name in ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "lt", "le", "gt", "ge"]:
    setattr(Remote, f"__{_name}__", _between_objects(_name, plain=NotImplemented))
for _name in ("and", "or", "xor"):
    setattr(Remote, f"__{_name}__", _between_objects(f"{_name}_", plain=NotImplemented))
