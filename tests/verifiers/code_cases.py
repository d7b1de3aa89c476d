"""Small completions and tests that the code verifier's tests share."""

from __future__ import annotations

import json
from typing import Any

from verifiers.base import Case, Judge, Verdict

__all__ = ["ADD1", "ASSERTS", "READS", "STDIN", "fenced", "form", "verdict"]

ADD1 = "def add1(n):\n    return n + 1\n"
ASSERTS = "assert add1(41) == 42"
READS = "print(int(input()) + 1)"


def fenced(code: str, tag: str = "python") -> str:
    """A completion with one block of code."""
    return f"Some words.\n\n```{tag}\n{code}\n```\n"


def form(kind: str, tests: Any, **more: Any) -> str:
    """A tests value in the documented form."""
    return json.dumps({"type": "code", "kind": kind, "tests": tests, **more})


def verdict(judge: Judge, content: str, tests: str | None) -> Verdict:
    """What is said of one completion."""
    return judge([Case(prompt="", content=content, tests=tests)])[0]


STDIN = form("stdin", [{"input": "1", "output": "2"}])
