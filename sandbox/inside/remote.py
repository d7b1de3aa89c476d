"""The judge's stand-ins for what the solution defines.

A stand-in never lets the solution decide a comparison with plain data: `==` with anything plain is False, and
arithmetic or ordering with plain data is refused, so a class whose `__eq__` or `__sub__` agrees with
everything gains nothing. Two objects of the solution may be compared by its own code; that is noted as a weak
harness.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sandbox.inside.import_guard import own_module

if TYPE_CHECKING:
    from sandbox.inside.wire import Wire

__all__ = ["Remote"]


def _op(name: str) -> Callable[..., Any]:
    def method(self: Remote, *arguments: Any) -> Any:
        return self._wire.ask("op", name, [self, *arguments])

    return method


def _between_objects(name: str, *, plain: Any) -> Callable[[Remote, Any], Any]:
    def method(self: Remote, other: Any) -> Any:
        if type(other) is not Remote:
            return _beside_plain(self, other, [self, other], name, plain)
        self._wire.weak = True
        result = _kin(self, self._wire.ask("op", name, [self, other]))
        if name in _AGREEING and result is not False and _agrees_with_all(self, other, name):
            raise AssertionError("the solution's object agrees with everything")
        return result

    return method


def _reflected(name: str) -> Callable[[Remote, Any], Any]:
    def method(self: Remote, other: Any) -> Any:
        return _beside_plain(self, other, [other, self], name, NotImplemented)

    return method


def _beside_plain(one: Remote, other: Any, operands: list[Any], name: str, refusal: Any) -> Any:
    """What comes of an operator between an object of the solution and a value of the tests.

    The tests may calculate with objects that they have made themselves, by a class of the solution. Where a
    function of the solution gave them an object in the place of a number, it decides nothing.
    """
    if object.__getattribute__(one, "_built") and name not in ("eq", "ne"):
        one._wire.weak = True
        return _kin(one, one._wire.ask("op", name, operands))
    kind, package = object.__getattribute__(one, "_kind"), type(other).__module__.partition(".")[0]
    if kind == "foreign" and package not in sys.stdlib_module_names and package in one._wire.packages:
        # Two values of a package, of which only one is here. Beside anything plain there is no doubt.
        one._wire.doubt(object.__getattribute__(one, "__name__")[:80])
    return refusal


def _kin(one: Remote, result: Any) -> Any:
    """The result of an operator, which the tests may calculate with as with its operand."""
    if type(result) is Remote and object.__getattribute__(one, "_built"):
        object.__setattr__(result, "_built", True)
    return result


_AGREEING = ("eq", "ne", "lt", "gt")


def _agrees_with_all(one: Remote, other: Remote, name: str) -> bool:
    """Whether an object says the same of what it cannot be said of: its opposite, or any value at all."""
    if name == "eq":
        number = int.from_bytes(os.urandom(5), "big")
        others: list[Any] = [[one, value] for value in (number, os.urandom(4).hex(), None)]
        others.sort(key=lambda pair: os.urandom(2))
    else:
        others = [[one, one]] if name == "ne" else [[other, one]]
    for pair in others:
        try:
            if one._wire.ask("op", name, pair) is True:
                return True
        except Exception:
            continue
    return False


class Remote:
    """Something that only the solution's process holds."""

    _wire: Wire

    def __init__(self, wire: Wire, number: int, kind: str, name: str):
        own = {"_wire": wire, "_number": number, "_kind": kind, "__name__": name, "_built": False}
        for key, value in own.items():
            object.__setattr__(self, key, value)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """For `isinstance`: the class that a package of the tests gives the object, where one does."""
        if object.__getattribute__(self, "_kind") != "foreign":
            return Remote
        module, _, path = object.__getattribute__(self, "__name__").partition(":")
        if module.partition(".")[0] not in self._wire.packages:
            return Remote
        found: Any = own_module(module)
        for name in path.split("."):
            found = getattr(found, name, None)
        return found if isinstance(found, type) else Remote

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Calls it, in the solution's process."""
        result = self._wire.ask("call", self, list(arguments), named)
        if type(result) is Remote and object.__getattribute__(self, "_kind") == "class":
            object.__setattr__(result, "_built", True)
        return result

    def __getattr__(self, name: str) -> Any:
        # By these numpy is told where in memory, the judge's own, the items of an array are.
        if name.startswith(("__array", "__dlpack", "__buffer")):
            raise AttributeError(name)
        return self._wire.ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._wire.ask("set", self, name, value)

    def __delattr__(self, name: str) -> None:
        self._wire.ask("del", self, name)

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


for _name in ("lt", "le", "gt", "ge"):
    setattr(Remote, f"__{_name}__", _between_objects(_name, plain=NotImplemented))
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor"):
    setattr(Remote, f"__{_name.rstrip('_')}__", _between_objects(_name, plain=NotImplemented))
    setattr(Remote, f"__r{_name.rstrip('_')}__", _reflected(_name))
