"""What a judge tells of its tests, event by event: what had ended stays known when a limit ends the run.

One line of JSON says that a test begins, another how it ended, and the last one that nothing is to come.
"""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

__all__ = ["Teller", "Told", "read"]

# Held here because tests may replace the names in `os` and `json`.
_write, _dumps = os.write, json.dumps


class Teller:
    """The judge's side."""

    def __init__(self, fd: int):
        self.tests = 0
        """How many tests have ended."""
        self.passed = 0
        self._fd = fd

    def begins(self, name: str) -> None:
        """Says what is under way; forgotten unless it turns out to be a test."""
        self._put({"begins": name})

    def ended(self, name: str, outcome: str, reason: str, *, weak: bool, undecided: str = "") -> None:
        """Says how a test ended, and whether a harness was weak up to here.

        `undecided` is why the test says nothing of the solution where it failed.
        """
        self.tests += 1
        self.passed += outcome in ("passed", "skipped")
        entry = {"name": name, "outcome": outcome, "reason": reason, "weak": weak}
        self._put({**entry, "undecided": undecided} if undecided else entry)

    def closed(self, *, error: str | None) -> None:
        """Says that this was all; `error` is why there could be no tests."""
        self._put({"closed": True, "error": error})

    def _put(self, entry: dict[str, Any]) -> None:
        view = memoryview(f"{_dumps(entry)}\n".encode())
        while view:
            view = view[_write(self._fd, view) :]


class Told(NamedTuple):
    """What has been told."""

    tests: list[dict[str, Any]]
    """Name, outcome and reason of each test that ended, in order."""
    under_way: str
    """What had begun last and not ended; empty when that is unknown."""
    closed: bool
    """Whether all has been told; false: the judge was stopped."""
    error: str | None
    weak: bool


def read(data: bytes) -> Told:
    """The events up to the first that was cut short."""
    tests: list[dict[str, Any]] = []
    under_way = ""
    weak = False
    for line in data.split(b"\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            break
        if "closed" in entry:
            return Told(tests, "", True, entry["error"], weak)
        if "begins" in entry:
            under_way = entry["begins"]
            continue
        weak, under_way = entry.pop("weak"), ""
        tests.append(entry)
    return Told(tests, under_way, False, None, weak)
