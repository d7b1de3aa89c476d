"""Messages between the solution's process and the judge: a length, then one plain value."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Any

from sandbox.inside.arrays import Raw, built
from sandbox.inside.codec import encode
from sandbox.inside.decoder import decode

__all__ = ["Closed", "Link", "TooLarge"]

MAX_MESSAGE = 1 << 25
"""Bytes; a value of 200,000 nodes of usual size is a tenth of it."""

_LENGTH = struct.Struct("<I")
# Held here because a solution may replace the names in `os`.
_read, _write = os.read, os.write


class Closed(Exception):
    """The other process is gone."""


class TooLarge(Exception):
    """The other process announced more than may cross."""


class Link:
    """One end of the connection."""

    def __init__(
        self,
        fd: int,
        *,
        special: Callable[[Any], tuple[int, str] | None],
        resolve: Callable[[int, str], Any],
        array: Callable[[Raw], Any] = built,
    ):
        self.fd = fd
        self._special = special
        self._resolve = resolve
        self._array = array

    def pack(self, value: Any) -> bytes:
        """The bytes of a value, with references for what does not cross.

        Raises:
            CodecError: it does not fit.
        """
        return encode(value, special=self._special, max_bytes=MAX_MESSAGE, arrays=True)

    def send(self, value: Any) -> None:
        """Sends one value, all of it or (CodecError) nothing."""
        data = self.pack(value)
        view = memoryview(_LENGTH.pack(len(data)) + data)
        try:
            while view:
                view = view[_write(self.fd, view) :]
        except OSError as error:
            raise Closed from error

    def receive(self) -> Any:
        """The next value.

        Raises:
            Closed: there is none.
            TooLarge, CodecError: it is not one that may cross.
        """
        size = _LENGTH.unpack(self._take(_LENGTH.size))[0]
        if size > MAX_MESSAGE:
            raise TooLarge
        return decode(self._take(size), resolve=self._resolve, array=self._array)

    def _take(self, size: int) -> bytes:
        pieces = []
        while size:
            try:
                piece = _read(self.fd, min(size, 1 << 20))
            except OSError as error:
                raise Closed from error
            if not piece:
                raise Closed
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)
