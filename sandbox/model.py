"""What goes into the sandbox and what comes out: limits, tests, results."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any, Literal

__all__ = ["CallTest", "Limits", "Result", "SandboxError", "StdinTest", "TestResult", "Tier", "Verdict"]

Verdict = Literal["AC", "WA", "TLE", "MLE", "OLE", "RE", "CE", "INFRA"]
"""One status: accepted, wrong answer, time / memory / output limit, run-time error, compile error, or a
failure of the sandbox itself, which says nothing of the program."""

Tier = Literal["namespaces", "landlock", "rlimits"]
"""How strongly a run is isolated, strongest first."""


class SandboxError(Exception):
    """The sandbox cannot give what was asked of it; the message names the system call and the cure."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one test may use. For assert and pytest runs the CPU limit covers the whole run."""

    cpu_s: float = 6.0
    """CPU seconds, the criterion for TLE."""
    wall_s: float | None = None
    """Wall seconds; null means max(3 x CPU, CPU + 2)."""
    total_idle_s: float | None = None
    """Wall seconds that all tests of a run may sleep or wait together, beside the processor time that each
    may use; null means the wall limit of one test. Tests that are left when it is used up are TLE."""
    memory_mb: int = 512
    """Memory above what the bare interpreter needs."""
    output_mb: float = 8.0
    """Bound on stdout, on stderr, on a returned value and on any one file."""
    scratch_mb: int = 64
    """Bound on all files of one test together."""
    scratch_files: int = 1024
    open_files: int = 256
    threads: int = 64
    compile_cpu_s: float = 15.0
    compile_memory_mb: int = 1024

    def effective_wall_s(self) -> float:
        """The wall limit in force."""
        return self.wall_s if self.wall_s is not None else max(3 * self.cpu_s, self.cpu_s + 2)

    def effective_idle_s(self) -> float:
        """The bound in force on the idle time of all tests."""
        return self.total_idle_s if self.total_idle_s is not None else self.effective_wall_s()

    def wire(self) -> dict[str, Any]:
        """The limits in the units of the other side."""
        return {
            "cpu_s": self.cpu_s,
            "wall_s": self.effective_wall_s(),
            "idle_s": self.effective_idle_s(),
            "memory_bytes": self.memory_mb << 20,
            "output_bytes": int(self.output_mb * (1 << 20)),
            "scratch_bytes": self.scratch_mb << 20,
            "scratch_files": self.scratch_files,
            "open_files": self.open_files,
            "threads": self.threads,
            "compile_cpu_s": self.compile_cpu_s,
            "compile_memory_bytes": self.compile_memory_mb << 20,
        }


@dataclass(frozen=True, slots=True)
class StdinTest:
    """Text for standard input and the output wanted; null when the output is only to be captured."""

    stdin: str
    expected: str | None = None


@dataclass(frozen=True, slots=True)
class CallTest:
    """Positional arguments of one call and the result wanted. Both are plain built-in values."""

    args: tuple[Any, ...] | list[Any]
    expected: Any = None


@dataclass(frozen=True, slots=True)
class TestResult:
    """How one test ended."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    verdict: Verdict
    cpu_s: float = 0.0
    wall_s: float = 0.0
    rss_mb: float = 0.0
    reason: str = ""
    """One line; empty when the test passed."""
    stdout: str = ""
    """The end of what the program wrote, at most 10,000 characters."""
    stderr: str = ""
    """The end of what the program wrote there, at most 4,000 characters."""
    name: str = ""
    undecided: str = ""
    """Why a test that failed says nothing of the solution; empty where it does say so."""
    exit_code: int | None = None
    """Exit status, or minus the signal number."""


@dataclass(frozen=True, slots=True)
class Result:
    """How one solution did: the verdict is that of the first test that did not pass, else AC."""

    verdict: Verdict
    tests: list[TestResult] = field(default_factory=list)
    tier: Tier = "namespaces"
    language: str = "python"
    seconds: float = 0.0
    """Wall time of the whole run, waiting for a slot included."""
    weak_harness: bool = False
    """The verdict rests on code of the solution itself, such as its own `__eq__`."""
    reason: str = ""
    """Why there are no tests: a compile error, or what failed in the sandbox."""

    def of(self, tier: Tier, language: str, *, started: float) -> Result:
        """The same result with where it ran, and the wall time since a moment of `time.monotonic`."""
        return replace(self, tier=tier, language=language, seconds=round(time.monotonic() - started, 4))

    @property
    def passed(self) -> int:
        """How many tests passed."""
        return sum(test.verdict == "AC" for test in self.tests)
