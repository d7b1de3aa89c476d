"""Plain values as bytes: what may cross between a solution and those who judge it.

Only exact built-in types cross, a few of the standard library's that hold nothing else, and between a
solution and its judge the numbers of numpy and arrays of them. `sandbox.inside.decoder` is the way back.
"""

from __future__ import annotations

import collections
import importlib
import struct
from collections.abc import Callable
from typing import Any

from sandbox.inside.arrays import is_array, is_number, raw
from sandbox.inside.values import parts

__all__ = ["MAPS", "MAX_DEPTH", "MAX_NODES", "MAX_PART_BYTES", "SEQUENCES", "CodecError", "encode", "library"]

MAX_NODES = 200_000
MAX_DEPTH = 200
MAX_PART_BYTES = 2_048
"""Of a fraction's numerator and denominator, which are reduced, and of a decimal number's text."""

_PACK_Q = struct.Struct("<q")
_PACK_D = struct.Struct("<d")
_PACK_N = struct.Struct("<I")
_I64 = 1 << 63

SEQUENCES: dict[type, bytes] = {list: b"l", tuple: b"t", set: b"S", frozenset: b"Z", collections.deque: b"D"}
MAPS: dict[type, bytes] = {dict: b"d", collections.Counter: b"C", collections.OrderedDict: b"O"}


class CodecError(Exception):
    """A value that may not cross, or bytes that are not a value."""


Special = Callable[[Any], "tuple[int, str] | None"]
"""Gives (id, text) of a value that crosses as a reference, or None when it may not cross."""


def library(module: str, name: str) -> Any:
    """A number type of the standard library, loaded when the first such number crosses."""
    return getattr(importlib.import_module(module), name)


class _Encoder:
    def __init__(self, special: Special | None, max_bytes: int, *, arrays: bool):
        self.out = bytearray()
        self._arrays = arrays
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
        if kind in SEQUENCES:
            self._put_sequence(value, kind, depth)
        elif kind in MAPS or kind is collections.defaultdict:
            self.out += MAPS.get(kind, b"d") + _PACK_N.pack(len(value))
            for key, item in dict.items(value):
                self.put(key, depth + 1)
                self.put(item, depth + 1)
        elif not (
            self._put_scalar(value, kind) or self._put_numpy(value, depth) or self._put_parts(value, depth)
        ):
            self._put_subclass(value, depth)

    def _put_sequence(self, value: Any, kind: type, depth: int) -> None:
        if kind is list and len(value) > 8:
            if all(type(item) is int and -_I64 <= item < _I64 for item in value):
                self.out += b"A" + _PACK_N.pack(len(value)) + struct.pack(f"<{len(value)}q", *value)
                return
            if all(type(item) is float for item in value):
                self.out += b"B" + _PACK_N.pack(len(value)) + struct.pack(f"<{len(value)}d", *value)
                return
        self.out += SEQUENCES[kind] + _PACK_N.pack(len(value))
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
        elif kind.__module__ == "fractions" and kind is library("fractions", "Fraction"):
            if max(value.numerator.bit_length(), value.denominator.bit_length()) >= 8 * MAX_PART_BYTES:
                raise CodecError("value too large")
            self.out += b"R"
            self._put_scalar(value.numerator, int)
            self._put_scalar(value.denominator, int)
        elif kind.__module__ == "decimal" and kind is library("decimal", "Decimal"):
            text = str(value).encode()
            if len(text) > MAX_PART_BYTES:
                raise CodecError("value too large")
            self._put_bytes(b"X", text)
        else:
            return False
        return True

    def _put_numpy(self, value: Any, depth: int) -> bool:
        """A number or an array of numpy; a number is a plain one where arrays do not cross."""
        number = is_number(value)
        if number and not self._arrays:
            self.put(value.item(), depth)
            return True
        if not number and not (self._arrays and is_array(value)):
            return False
        parts = raw(value, max_bytes=self._max_bytes)
        if parts is None:
            raise CodecError("value too large")
        shape = parts.shape or ()
        self.out += b"g" if parts.shape is None else b"n"
        self.out += struct.pack(f"<BB{len(shape)}I", parts.code, len(shape), *shape)
        self._put_bytes(b"", parts.data)
        return True

    def _put_parts(self, value: Any, depth: int) -> bool:
        """A value of the library or a package that crosses in parts."""
        found = parts(value) if self._arrays else None
        if found is None:
            return False
        self._put_bytes(b"v", found[0].encode())
        self.put(found[1], depth + 1)
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


def encode(
    value: Any, *, special: Special | None = None, max_bytes: int = 1 << 26, arrays: bool = False
) -> bytes:
    """Bytes of a plain value; `arrays` lets those of numpy, of the library and of pandas cross as well.

    Raises:
        CodecError: the value, or a part of it, may not cross, or is too large or too deep.
    """
    encoder = _Encoder(special, max_bytes, arrays=arrays)
    encoder.put(value, 0)
    if len(encoder.out) > max_bytes:
        raise CodecError("value too large")
    return bytes(encoder.out)
