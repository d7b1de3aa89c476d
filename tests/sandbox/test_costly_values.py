"""Values and outputs made to cost whoever reads them more than they cost their maker."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from fractions import Fraction

import pytest

from sandbox import CallTest, Sandbox
from sandbox.compare import exact_tokens, float_tokens, lines, unordered_lines
from sandbox.inside.codec import CodecError, encode
from sandbox.inside.decoder import decode

PRIME = (1 << 61) - 1
"""Numbers that differ by it have the same hash."""
PATIENCE_S = 2.0


def _int(value: int) -> bytes:
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"I" + struct.pack("<I", len(data)) + data


def _alike(count: int) -> list[bytes]:
    return [_int(number * PRIME) for number in range(1, count + 1)]


BIG = int.from_bytes(os.urandom(1_000_000), "little") | 1
COSTLY = {
    "a set of numbers that hash alike": b"S" + struct.pack("<I", 100_000) + b"".join(_alike(100_000)),
    "a dict of them": b"d" + struct.pack("<I", 50_000) + b"".join(key + b"N" for key in _alike(50_000)),
    "a set of tuples of them": b"S"
    + struct.pack("<I", 40_000)
    + b"".join(b"t" + struct.pack("<I", 1) + key for key in _alike(40_000)),
    "a fraction to reduce": b"R" + _int(BIG) + _int(BIG - 2),
    "a decimal number of a million digits": b"X" + struct.pack("<I", 1_000_000) + b"1" * 1_000_000,
}


@pytest.mark.parametrize("name", COSTLY)
def test_values_that_are_dear_to_build_are_refused(name: str) -> None:
    start = time.monotonic()
    with pytest.raises(CodecError):
        decode(COSTLY[name])
    assert time.monotonic() - start < PATIENCE_S, f"{name} holds up who reads it"


def test_values_that_only_look_dear_cross() -> None:
    for value in (
        {-1, -2},
        set(range(100_000)),
        Fraction(7**1000, 2**1000),
        {float(n): n for n in range(999)},
    ):
        assert decode(encode(value)) == value, "an honest value is held back"


COMPARISONS: list[Callable[[str, str], bool]] = [exact_tokens, float_tokens, lines, unordered_lines]
OUTPUTS = {
    "digits and no number": "1" * 2_000_000 + "x",
    "many dots": "1." * 1_000_000,
    "a long exponent": "1e" + "9" * 2_000_000,
    "white space": " \t" * 1_000_000 + "x",
    "empty lines": "\n" * 2_000_000 + "x",
    "returns": "\r" * 2_000_000 + "x",
}


@pytest.mark.parametrize("compare", COMPARISONS)
@pytest.mark.parametrize("name", OUTPUTS)
def test_long_outputs_are_compared_at_once(name: str, compare: Callable[[str, str], bool]) -> None:
    start = time.monotonic()
    assert not compare(OUTPUTS[name], "0.5\n")
    assert time.monotonic() - start < PATIENCE_S, f"{name} holds up who compares"


def test_a_call_that_returns_them_is_judged_soon(box: Sandbox) -> None:
    body = COSTLY["a set of numbers that hash alike"]
    code = (
        f"import os, struct\nPRIME = {PRIME}\ndef f():\n"
        "    key = lambda n: b'I' + struct.pack('<I', 11) + (n * PRIME).to_bytes(11, 'little')\n"
        f"    data = {body[:5]!r} + b''.join(map(key, range(1, 100_001)))\n"
        "    while data: data = data[os.write(3, data):]\n    os._exit(0)\n"
    )
    start = time.monotonic()
    result = box.run_calls(code, [CallTest([], {1})], entry="f")
    assert result.verdict in ("WA", "OLE", "RE"), result
    assert time.monotonic() - start < 10, "the driver is held up by what a solution returned"
