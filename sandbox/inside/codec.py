"""Plain values as bytes: what may cross between a solution and those who judge it.

Only exact built-in types cross, and a few of the standard library's that hold nothing else. The decoder
builds nothing but those types, calls no method of anyone's, and stops at a number of nodes and a depth.
"""

from __future__ import annotations

import collections
import importlib
import struct
from collections.abc import Callable
from typing import Any

__all__ = ["MAX_DEPTH", "MAX_NODES", "CodecError", "decode", "encode"]

MAX_NODES = 200_000
MAX_DEPTH = 200

_PACK_Q = struct.Struct("<q")
_PACK_D = struct.Struct("<d")
_PACK_N = struct.Struct("<I")
_I64 = 1 << 63

_SEQUENCES: dict[type, bytes] = {list: b"l", tuple: b"t", set: b"S", frozenset: b"Z", collections.deque: b"D"}
_MAPS: dict[type, bytes] = {dict: b"d", collections.Counter: b"C", collections.OrderedDict: b"O"}
_BUILD: dict[int, Callable[[Any], Any]] = {mark[0]: kind for kind, mark in {**_SEQUENCES, **_MAPS}.items()}


class CodecError(Exception):
    """A value that may not cross, or bytes that are not a value."""


Special = Callable[[Any], "tuple[int, str] | None"]
"""Gives (id, text) of a value that crosses as a reference, or None when it may not cross."""


def _library(module: str, name: str) -> Any:
    """A number type of the standard library, loaded when the first such number crosses."""
    return getattr(importlib.import_module(module), name)


class _Encoder:
    def __init__(self, special: Special | None, max_bytes: int):
        self.out = bytearray()
        self._special = special
        self._max_bytes = max_bytes
        self._nodes = 0

    def put(self, value: Any, depth: int) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES or len(self.out) > self._max_bytes:
            raise CodecError("value too large")
        if depth > MAX_DEPTH:
            raise CodecError("value nested too deep")
        kind = type(value)
        if kind in _SEQUENCES:
            self._put_sequence(value, kind, depth)
        elif kind in _MAPS or kind is collections.defaultdict:
            self.out += _MAPS.get(kind, b"d") + _PACK_N.pack(len(value))
            for key, item in dict.items(value):
                self.put(key, depth + 1)
                self.put(item, depth + 1)
        elif not self._put_scalar(value, kind):
            self._put_subclass(value, depth)

    def _put_sequence(self, value: Any, kind: type, depth: int) -> None:
        if kind is list and len(value) > 8:
            if all(type(item) is int and -_I64 <= item < _I64 for item in value):
                self.out += b"A" + _PACK_N.pack(len(value)) + struct.pack(f"<{len(value)}q", *value)
                return
            if all(type(item) is float for item in value):
                self.out += b"B" + _PACK_N.pack(len(value)) + struct.pack(f"<{len(value)}d", *value)
                return
        self.out += _SEQUENCES[kind] + _PACK_N.pack(len(value))
        for item in kind.__iter__(value):  # type: ignore[attr-defined]
            self.put(item, depth + 1)

    def _put_bytes(self, mark: bytes, data: bytes) -> None:
        if len(data) > self._max_bytes:
            raise CodecError("value too large")
        self.out += mark + _PACK_N.pack(len(data)) + data

    def _put_scalar(self, value: Any, kind: type) -> bool:
        if value is None or kind is bool:
            self.out += b"N" if value is None else b"T" if value else b"F"
        elif kind is int:
            if -_I64 <= value < _I64:
                self.out += b"i" + _PACK_Q.pack(value)
            else:
                size = value.bit_length() // 8 + 1
                self._put_bytes(b"I", value.to_bytes(size, "little", signed=True))
        elif kind is float:
            self.out += b"f" + _PACK_D.pack(value)
        elif kind is complex:
            self.out += b"c" + _PACK_D.pack(value.real) + _PACK_D.pack(value.imag)
        elif kind is str:
            if len(value) > self._max_bytes:
                raise CodecError("value too large")
            self._put_bytes(b"s", value.encode("utf-8", "surrogatepass"))
        elif kind is bytes or kind is bytearray:
            self._put_bytes(b"b" if kind is bytes else b"y", bytes(value))
        elif kind is range:
            self.out += b"r"
            for part in (value.start, value.stop, value.step):
                self._put_scalar(part, int)
        elif kind.__module__ == "fractions" and kind is _library("fractions", "Fraction"):
            self.out += b"R"
            self._put_scalar(value.numerator, int)
            self._put_scalar(value.denominator, int)
        elif kind.__module__ == "decimal" and kind is _library("decimal", "Decimal"):
            self._put_bytes(b"X", str(value).encode())
        else:
            return False
        return True

    def _put_subclass(self, value: Any, depth: int) -> None:
        """A reference if the caller gives one; otherwise the built-in value below a subclass, without its
        methods."""
        reference = self._special(value) if self._special else None
        if reference is not None:
            self.out += b"h" + _PACK_Q.pack(reference[0])
            self._put_bytes(b"", reference[1].encode())
            return
        for kind in (bool, int, float, str, bytes, tuple, list, dict, set, frozenset):
            if issubclass(type(value), kind):
                self.put(_plain(value, kind), depth)
                return
        raise CodecError(f"a {type(value).__name__} may not cross")


def _plain(value: Any, kind: type) -> Any:
    if kind is int:
        return int.__add__(value, 0)
    if kind is float:
        return float.__pos__(value)
    if kind is str:
        return str.__str__(value)
    if kind is dict:
        return dict(dict.items(value))
    if kind is bytes:
        return bytes.__getitem__(value, slice(None)) + b""
    return kind(kind.__iter__(value))  # type: ignore[attr-defined]


def encode(value: Any, *, special: Special | None = None, max_bytes: int = 1 << 26) -> bytes:
    """Bytes of a plain value.

    Raises:
        CodecError: the value, or a part of it, may not cross, or is too large or too deep.
    """
    encoder = _Encoder(special, max_bytes)
    encoder.put(value, 0)
    if len(encoder.out) > max_bytes:
        raise CodecError("value too large")
    return bytes(encoder.out)


class _Decoder:
    def __init__(self, data: bytes, resolve: Callable[[int, str], Any] | None):
        self._data = data
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
            return _build(mark, dict_of(pairs))
        return self._scalar(mark)

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
                    return _library("fractions", "Fraction")(self._integer(), self._integer())
                case "X":
                    return _library("decimal", "Decimal")(self._text())
        except (ArithmeticError, ValueError) as error:
            raise CodecError("not a number") from error
        if mark == 0x68 and self._resolve is not None:
            number = _PACK_Q.unpack(self._take(8))[0]
            return self._resolve(number, self._text())
        raise CodecError("not a value")

    def _integer(self) -> int:
        mark = self._take(1)[0]
        if mark not in b"iI":
            raise CodecError("not a whole number")
        value = self._scalar(mark)
        assert type(value) is int
        return value

    def _text(self) -> str:
        try:
            return self._take(self._count(width=1)).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise CodecError("not text") from error


def dict_of(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """A dict of pairs whose keys must be hashable."""
    try:
        return dict(pairs)
    except TypeError as error:
        raise CodecError("a key that cannot be hashed") from error


def _build(mark: int, items: Any) -> Any:
    try:
        return _BUILD[mark](items)
    except TypeError as error:
        raise CodecError("an item that cannot be hashed") from error


def decode(data: bytes, *, resolve: Callable[[int, str], Any] | None = None) -> Any:
    """The value of some bytes; `resolve` turns a reference into what stands for it.

    Raises:
        CodecError: the bytes are not exactly one value within the bounds.
    """
    decoder = _Decoder(data, resolve)
    value = decoder.get(0)
    if not decoder.finished():
        raise CodecError("bytes after the value")
    return value
