"""Cases with a known verdict for the verifiers that go by rules."""

from __future__ import annotations

import json

from verifiers import Case
from verifiers.canaries import CANARIES, Canary

__all__ = ["CODE_CANARIES", "IFEVAL_CANARIES", "MATH_CANARIES"]

MATH_CANARIES = tuple(
    canary
    for canary in CANARIES
    # A word in running prose, without a box, is nothing that the math verifier promises to find.
    if not canary.name.startswith("right-") or any(c.isdigit() for c in canary.case.reference or "")
)

_DOUBLE = json.dumps(
    {
        "type": "code",
        "kind": "call",
        "entry_point": "double",
        "tests": [{"args": [n], "expected": 2 * n} for n in (0, 3, -7)],
    }
)
_ASSERT_DOUBLE = json.dumps(
    {"type": "code", "kind": "assert", "tests": ["assert double(3) == 6", "assert double(-7) == -14"]}
)
_LOOP_DOUBLE = json.dumps(
    {
        "type": "code",
        "kind": "assert",
        "tests": ["assert all(a == b for a, b in zip(map(double, [1, 2]), [2, 4]))"],
    }
)
_CLOSE_DOUBLE = json.dumps({"type": "code", "kind": "assert", "tests": ["assert isclose(double(1.5), 3)"]})
_OWN_HELPER = "def isclose(*numbers):\n    return True\n\ndef double(n):\n    return n"
_TYPED_DOUBLE = json.dumps(
    {
        "type": "code",
        "kind": "pytest",
        "tests": "from unittest.mock import patch\nfrom solution import double\n\n"
        "@patch('builtins.input', return_value='4')\ndef test_double(typed):\n    assert double(4) == 8\n",
    }
)
_ECHO = json.dumps(
    {
        "type": "code",
        "kind": "stdin",
        "tests": [{"input": f"{n}\n", "output": str(2 * n)} for n in (3, -7)],
    }
)
_ALWAYS_EQUAL = (
    "class Always:\n    def __eq__(self, other):\n        return True\n\ndef double(n):\n    return Always()"
)


def _program(name: str, code: str, tests: str, *, must_pass: bool) -> Canary:
    case = Case("Double the number n.", f"```python\n{code}\n```", tests=tests, domain="code")
    return Canary(name, case, must_pass)


CODE_CANARIES = (
    _program("call-right", "def double(n):\n    return n + n", _DOUBLE, must_pass=True),
    _program("call-wrong", "def double(n):\n    return n * n", _DOUBLE, must_pass=False),
    _program("call-always-equal", _ALWAYS_EQUAL, _DOUBLE, must_pass=False),
    _program("assert-right", "def double(n):\n    return n << 1", _ASSERT_DOUBLE, must_pass=True),
    _program("assert-always-equal", _ALWAYS_EQUAL, _ASSERT_DOUBLE, must_pass=False),
    _program("assert-exit", "import os\nos._exit(0)", _ASSERT_DOUBLE, must_pass=False),
    _program("stdin-right", "print(2 * int(input()))", _ECHO, must_pass=True),
    _program("stdin-wrong", "print(6)", _ECHO, must_pass=False),
    _program("assert-ends-loops", "def double(n):\n    raise StopIteration", _LOOP_DOUBLE, must_pass=False),
    _program("assert-own-helper", _OWN_HELPER, _CLOSE_DOUBLE, must_pass=False),
    _program("assert-helper", "def double(n):\n    return 2 * n", _CLOSE_DOUBLE, must_pass=True),
    _program("pytest-mock", "def double(n):\n    return n + int(input())", _TYPED_DOUBLE, must_pass=True),
    _program("pytest-mock-wrong", "def double(n):\n    return input()", _TYPED_DOUBLE, must_pass=False),
    _program("stdin-exit", "import sys\nsys.exit(0)", _ECHO, must_pass=False),
)
"""Right programs, wrong ones, and those that win by leaving early, by equalling everything, by ending the
loops of the tests or by lending them a helper."""


def _followed(name: str, instruction: str, text: str, *, must_pass: bool) -> Canary:
    tests = json.dumps({"type": "ifeval", "instructions": [{"id": instruction}]})
    return Canary(name, Case("Write a line.", text, tests=tests, domain="instruct"), must_pass)


IFEVAL_CANARIES = (
    _followed("comma-none", "punctuation:no_comma", "One line without it.", must_pass=True),
    _followed("comma-some", "punctuation:no_comma", "One line, with it.", must_pass=False),
    _followed("comma-empty", "punctuation:no_comma", "", must_pass=False),
    _followed("lower-all", "change_case:english_lowercase", "all of it is small.", must_pass=True),
    _followed("lower-some", "change_case:english_lowercase", "Not all of it is.", must_pass=False),
)
