"""Bytes as plain values again.

The decoder builds nothing but the types that `sandbox.inside.codec` lets cross, calls no method of anyone's,
and stops at a number of nodes and a depth.
"""

from __future__ import annotations

import collections
import struct
from collections.abc import Callable
from typing import Any

from sandbox.inside.arrays import Raw
from sandbox.inside.codec import MAPS, MAX_DEPTH, MAX_NODES, MAX_PART_BYTES, SEQUENCES, CodecError, library
from sandbox.inside.values import made

__all__ = ["decode"]

_PACK_Q = struct.Struct("<q")
_PACK_D = struct.Struct("<d")
_PACK_N = struct.Struct("<I")
_MOST_ALIKE = 64
"""Keys with the same hash; each is compared with all before it, and forged ones may all be alike."""
_BUILD: dict[int, Callable[[Any], Any]] = {mark[0]: kind for kind, mark in {**SEQUENCES, **MAPS}.items()}


class _Decoder:
    def __init__(
        self,
        data: bytes,
        resolve: Callable[[int, str], Any] | None,
        array: Callable[[Raw], Any] | None,
    ):
        self._data = data
        self._array = array
        self._at = 0
        self._nodes = 0
        self._resolve = resolve

    def finished(self) -> bool:
        return self._at == len(self._data)

    def _take(self, size: int) -> bytes:
        piece = self._data[self._at : self._at + size]
        if len(piece) != size:
            raise CodecError("value cut short")
        self._at += size
        return piece

    def _count(self, *, width: int = 0) -> int:
        count: int = _PACK_N.unpack(self._take(4))[0]
        if count * max(width, 1) > len(self._data) - self._at:
            raise CodecError("value cut short")
        return count

    def get(self, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > 2 * MAX_NODES:
            raise CodecError("value too large")
        if depth > MAX_DEPTH:
            raise CodecError("value nested too deep")
        mark = self._take(1)[0]
        if mark in b"ltSZD":
            items = [self.get(depth + 1) for _ in range(self._count())]
            return items if mark == 0x6C else _build(mark, items)
        if mark in b"dCO":
            pairs = [(self.get(depth + 1), self.get(depth + 1)) for _ in range(self._count(width=2))]
            return _build(mark, _dict_of(pairs))
        if mark == 0x76 and self._array is not None:
            return self._made(depth)
        return self._scalar(mark)

    def _made(self, depth: int) -> Any:
        """A value that crossed in parts."""
        name, items = self._text(64), self.get(depth + 1)
        try:
            return made(name, items)
        except (ArithmeticError, ValueError, TypeError, AttributeError, LookupError) as error:
            raise CodecError(f"not a value: {error}") from error

    def _scalar(self, mark: int) -> Any:
        match chr(mark):
            case "N":
                return None
            case "T" | "F":
                return mark == 0x54
            case "i":
                return _PACK_Q.unpack(self._take(8))[0]
            case "I":
                return int.from_bytes(self._take(self._count(width=1)), "little", signed=True)
            case "f":
                return _PACK_D.unpack(self._take(8))[0]
            case "c":
                return complex(_PACK_D.unpack(self._take(8))[0], _PACK_D.unpack(self._take(8))[0])
            case "s":
                return self._text()
            case "b":
                return self._take(self._count(width=1))
            case "y":
                return bytearray(self._take(self._count(width=1)))
            case "A" | "B":
                count = self._count(width=8)
                kind = "q" if mark == 0x41 else "d"
                return list(struct.unpack(f"<{count}{kind}", self._take(8 * count)))
            case _:
                return self._rare(mark)

    def _rare(self, mark: int) -> Any:
        try:
            match chr(mark):
                case "r":
                    return range(*[self._integer() for _ in range(3)])
                case "R":
                    return library("fractions", "Fraction")(self._integer(), self._integer())
                case "X":
                    return library("decimal", "Decimal")(self._text(MAX_PART_BYTES))
                case "n" | "g" if self._array is not None:
                    return self._array(self._raw(mark))
        except (ArithmeticError, ValueError) as error:
            raise CodecError(f"not a value: {error}") from error
        if mark == 0x68 and self._resolve is not None:
            number = _PACK_Q.unpack(self._take(8))[0]
            return self._resolve(number, self._text())
        raise CodecError("not a value")

    def _raw(self, mark: int) -> Raw:
        code, dimensions = self._take(2)
        shape = struct.unpack(f"<{dimensions}I", self._take(4 * dimensions))
        return Raw(code, None if mark == 0x67 else shape, self._take(self._count(width=1)))

    def _integer(self) -> int:
        mark = self._take(1)[0]
        if mark not in b"iI":
            raise CodecError("not a whole number")
        start = self._at
        value = self._scalar(mark)
        if self._at - start > MAX_PART_BYTES + 4:
            raise CodecError("value too large")
        assert type(value) is int
        return value

    def _text(self, most: int | None = None) -> str:
        size = self._count(width=1)
        if most is not None and size > most:
            raise CodecError("value too large")
        try:
            return self._take(size).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise CodecError("not text") from error


def _dict_of(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    try:
        _require_spread([key for key, _ in pairs])
        return dict(pairs)
    except TypeError as error:
        raise CodecError("a key that cannot be hashed") from error


def _require_spread(keys: list[Any]) -> None:
    if len(keys) > _MOST_ALIKE and max(collections.Counter(map(hash, keys)).values()) > _MOST_ALIKE:
        raise CodecError("too many keys that are hard to tell apart")


def _build(mark: int, items: Any) -> Any:
    try:
        if mark in b"SZ":
            _require_spread(items)
        return _BUILD[mark](items)
    except TypeError as error:
        raise CodecError("an item that cannot be hashed") from error


def decode(
    data: bytes,
    *,
    resolve: Callable[[int, str], Any] | None = None,
    array: Callable[[Raw], Any] | None = None,
) -> Any:
    """The value of some bytes; `resolve` turns a reference into what stands for it, `array` an array's parts.

    Raises:
        CodecError: the bytes are not exactly one value within the bounds.
    """
    decoder = _Decoder(data, resolve, array)
    value = decoder.get(0)
    if not decoder.finished():
        raise CodecError("bytes after the value")
    return value
