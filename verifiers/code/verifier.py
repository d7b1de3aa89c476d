"""The code verifier: finds the program in a completion and runs it against tests in the sandbox.

`Case.tests` holds the tests in the form that `verifiers.testforms.form` documents, or in the form of a public
dataset that `verifiers.testforms.detect` knows. Expected outputs never enter the sandbox.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field

import sandbox
from sandbox import Sandbox, SandboxError, Tier
from verifiers.base import Case, Judge, Outcome, Verdict, Verifier
from verifiers.code.blocks import Program, find_program
from verifiers.code.faults import harness_fault
from verifiers.code.runs import Ran, Rules, broken_control, run_tests
from verifiers.testforms import BadTests, CodeTests, read_tests

__all__ = ["Code", "package_dirs", "sandbox_version"]

SHOWN = 160
"""Characters of a reason that a verdict's detail shows."""


class Code(Verifier):
    """Whether the program of a completion passes its tests. The score is the share of tests passed.

    A program that is wrong, crashes, does not compile or breaks a limit is a `fail`; tests that cannot be
    used, a language that is not available and a failure of the sandbox are an `error`. The sandbox measures a
    time-out near the limit again, alone, before it is believed.
    """

    version = "2"
    type: Literal["code"] = "code"
    max_tests: int | None = Field(default=10, ge=1)
    """Only so many of a problem's first tests are run; null: all."""
    min_score: float = Field(default=1.0, gt=0, le=1)
    """Least share of tests passed for a `pass`."""
    time_limit_s: float = Field(default=6.0, gt=0)
    """CPU seconds of one test where the tests name none; of the whole run for assert and pytest tests."""
    memory_limit_mb: int = Field(default=512, ge=16)
    """Memory of one test where the tests name none, above what the interpreter needs."""
    interpreter_factor: float = Field(default=4.0, ge=1)
    """What Python and JavaScript get where a contest's time limit is meant for compiled programs."""
    max_time_limit_s: float = Field(default=30.0, gt=0)
    """Longest time limit, whatever the tests say."""
    stop_at_first_failure: bool = False
    """Whether the tests after a failed one are spared and count as failed, for stdin and call tests."""
    packages: tuple[str, ...] = ("numpy",)
    """Installed packages, by the name that programs import, that they must find; their versions are part of
    each verdict's version."""
    min_isolation: Tier = "landlock"
    """The weakest isolation to run programs in; the strongest that works here is used."""
    allow_unsafe_execution: bool = False
    """Permits the isolation `rlimits`, which keeps nothing hidden."""

    @contextmanager
    def open(self) -> Iterator[Judge]:
        """Holds the sandbox.

        Raises:
            SandboxError: this machine cannot isolate programs as asked, or a package is not installed.
        """
        slots = max(1, min(4, len(os.sched_getaffinity(0))))
        with (
            Sandbox(
                slots=slots,
                min_isolation=self.min_isolation,
                site_dirs=package_dirs(self.packages),
                preload=self.packages,
                allow_unsafe_execution=self.allow_unsafe_execution,
            ) as box,
            ThreadPoolExecutor(slots) as threads,
        ):
            session = _Session(box, self)
            yield lambda cases: session.judge(cases, threads)

    def rules(self) -> Rules:
        """What the runs need of this."""
        return Rules(
            max_tests=self.max_tests,
            time_limit_s=self.time_limit_s,
            memory_limit_mb=self.memory_limit_mb,
            interpreter_factor=self.interpreter_factor,
            max_time_limit_s=self.max_time_limit_s,
            stop_at_first_failure=self.stop_at_first_failure,
        )


def package_dirs(packages: Sequence[str]) -> list[str]:
    """Directories from which programs in the sandbox can import these packages.

    Raises:
        SandboxError: one is not installed.
    """
    found = []
    for name in packages:
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.origin:
            raise SandboxError(f"the package '{name}' is not installed; install it or take it off 'packages'")
        home = Path(spec.origin).parent
        found.append(str(home.parent if spec.submodule_search_locations else home))
    return list(dict.fromkeys(found))


@cache
def sandbox_version() -> str:
    """Eight hex digits of the sandbox's own source, and the interpreter that programs run in."""
    root = Path(sandbox.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return f"sandbox-{digest.hexdigest()[:8]}-python{platform.python_version()}"


def _version_of(package: str) -> str:
    """The version of an importable package, whatever the distribution that brings it is called."""
    names = importlib.metadata.packages_distributions().get(package, [package])
    return "+".join(sorted({importlib.metadata.version(name) for name in names}))


@dataclass(frozen=True, slots=True)
class _Finding:
    outcome: Outcome
    score: float | None
    detail: str


class _Session:
    def __init__(self, box: Sandbox, config: Code) -> None:
        self._box = box
        self._config = config
        self._rules = config.rules()
        # The completions of one problem come together, and its tests may be megabytes.
        self._read = lru_cache(maxsize=16)(read_tests)
        packages = [f"{name}{_version_of(name)}" for name in config.packages]
        self._version = "+".join([config.version, f"{sandbox_version()}-{box.tier}", *packages])

    def judge(self, cases: Sequence[Case], threads: ThreadPoolExecutor) -> list[Verdict]:
        return list(threads.map(self._verdict, cases))

    def _verdict(self, case: Case) -> Verdict:
        start = time.perf_counter()
        try:
            finding = self._find(case)
        except (BadTests, SandboxError) as error:
            finding = _Finding("error", None, _shown(str(error)))
        except (ValueError, RecursionError) as error:
            # Values that cannot cross into the sandbox; the completion has no part in it.
            finding = _Finding("error", None, _shown(f"{type(error).__name__}: {error}"))
        seconds = time.perf_counter() - start
        return Verdict("code", self._version, finding.outcome, finding.score, finding.detail, seconds)

    def _find(self, case: Case) -> _Finding:
        if case.tests is None:
            return _Finding("error", None, "no tests")
        tests = self._read(case.tests)
        program = find_program(case.content, tests)
        if isinstance(program, str):
            return _Finding("fail", 0.0, program)
        if program.language not in self._box.languages():
            language = program.language.removeprefix("other:")
            return _Finding("error", None, f"programs in {_shown(language)} are not run here")
        return self._judged(program, tests)

    def _judged(self, program: Program, tests: CodeTests) -> _Finding:
        ran = run_tests(self._box, program, tests, self._rules)
        where = f"{tests.kind}, {program.language}, {program.where}, {self._box.tier}"
        infra = next((t.reason for t in ran.result.tests if t.verdict == "INFRA"), None)
        if ran.result.verdict == "INFRA" or infra is not None:
            return _Finding("error", None, f"sandbox: {_shown(infra or ran.result.reason)}; {where}")
        score = ran.passed / ran.total
        fault = harness_fault(program, ran, tests) if score < self._config.min_score else None
        if fault is not None:
            return _Finding("error", None, f"{fault}{_first_failure(ran)}; {where}")
        detail = f"{ran.passed}/{ran.total} tests{_first_failure(ran)}; {where}"
        if score < self._config.min_score:
            return _Finding("fail", score, detail)
        if not ran.result.weak_harness:
            return _Finding("pass", score, detail)
        return self._controlled(program, tests, ran, detail)

    def _controlled(self, program: Program, tests: CodeTests, ran: Ran, detail: str) -> _Finding:
        """A pass by the word of the solution's own code, which counts only if it can also say no."""
        broken = broken_control(self._box, program, tests, ran, self._rules)
        if broken is None:
            return _Finding(
                "pass", ran.passed / ran.total, f"{detail}; weak harness, controls fail as they must"
            )
        outcome, why = broken
        return _Finding(outcome, 0.0 if outcome == "fail" else None, f"weak harness: {why}; {detail}")


def _first_failure(ran: Ran) -> str:
    if not ran.result.tests:
        return f", {ran.result.verdict}: {_shown(ran.result.reason)}" if ran.result.verdict != "AC" else ""
    for number, test in enumerate(ran.result.tests, 1):
        if test.verdict != "AC":
            name = f" {test.name}" if test.name else ""
            return f", first failure test {number}{name}: {test.verdict} {_shown(test.reason)}"
    return ""


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
