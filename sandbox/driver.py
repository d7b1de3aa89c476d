"""The sandbox as its users see it."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox import compare as comparisons
from sandbox.engine import Engine
from sandbox.inside.codec import CodecError, encode
from sandbox.model import CallTest, Limits, Result, SandboxError, StdinTest, TestResult, Tier
from sandbox.selftest import self_test
from sandbox.slot import Frame
from sandbox.slot_dir import Interpreter, base_interpreter
from sandbox.tiers import tiers_down_to
from sandbox.toolbox import Artifact, Toolbox
from sandbox.verdicts import KEEP_BYTES, call_result, doubt, overall, stdin_result, trial_results

__all__ = ["Sandbox"]

Values = Callable[[Any, Any], bool]
"""(returned value, expected value) -> accepted."""


class Sandbox:
    """Runs untrusted programs against tests. Thread-safe; each run takes one slot.

    Args:
        slots: How many runs may go on at once.
        min_isolation: The weakest tier to accept; the strongest one that works here is used.
        tier: Exactly this tier, or an error.
        limits: Bounds of each test unless a run names others.
        site_dirs: Directories of packages (such as numpy) that programs may import.
        preload: Modules to import once per slot, so that programs find them loaded.
        allow_unsafe_execution: Permits the tier "rlimits", which keeps nothing hidden.
        interpreter: Python to run programs with; by default the one below this process.

    Raises:
        SandboxError: no permitted tier works here, with the system call, its errno and the cure; or a hostile
        probe
            got through.
    """

    def __init__(
        self,
        *,
        slots: int = 1,
        min_isolation: Tier = "landlock",
        tier: Tier | None = None,
        limits: Limits | None = None,
        site_dirs: Sequence[str | Path] = (),
        preload: Sequence[str] = (),
        allow_unsafe_execution: bool = False,
        interpreter: Interpreter | None = None,
    ):
        if slots < 1:
            raise ValueError(f"slots must be at least 1, not {slots}")
        wanted = [tier] if tier else tiers_down_to(min_isolation, allow_unsafe=allow_unsafe_execution)
        if tier == "rlimits" and not allow_unsafe_execution:
            raise SandboxError("the tier 'rlimits' isolates nothing: it needs allow_unsafe_execution=True")
        self.limits = limits or Limits()
        self._toolbox = Toolbox()
        self._engine = Engine(
            slots=slots,
            wanted=wanted,
            limits=self.limits,
            interpreter=interpreter or base_interpreter(),
            site_dirs=[os.path.realpath(path) for path in site_dirs],
            preload=preload,
            tool_roots=self._toolbox.roots,
        )
        weakref.finalize(self, self._engine.abandon)
        self.tier = self._engine.tier
        if self.tier != "namespaces" and os.geteuid() == 0:
            self._toolbox.keep_readable()
        try:
            if self.tier != "rlimits":
                self_test(self, self._engine.shared)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends every process of the sandbox and removes its directory."""
        self._engine.close()

    def abandon(self) -> None:
        """As `close`, at once: runs under way end without a verdict of their own."""
        self._engine.abandon()

    def run_stdin(
        self,
        code: str,
        tests: Sequence[StdinTest],
        *,
        language: str = "python",
        limits: Limits | None = None,
        compare: comparisons.Comparison | str = "exact_tokens",
        stop_on_first_failure: bool = False,
        keep_output: int = KEEP_BYTES,
    ) -> Result:
        """Runs a program once per test; the outputs are compared here, outside.

        `keep_output` bytes of each output's end go into the results.
        """
        bounds = limits or self.limits
        accept = comparisons.resolve(compare)
        started = time.monotonic()
        artifact = self._toolbox.build(self._engine, code, language, bounds)
        if isinstance(artifact, Result):
            return artifact.of(self.tier, language, started=started)

        def judge(frame: Frame, place: int) -> TestResult:
            expected = tests[place].expected
            wanted = None if expected is None else (lambda text: accept(text, expected))
            return stdin_result(frame[0], frame[1], bounds, wanted, keep=keep_output)

        inputs = [test.stdin.encode("utf-8", "surrogatepass") for test in tests]
        results = self._per_test(artifact, inputs, judge, bounds, stop=stop_on_first_failure)
        return results.of(self.tier, language, started=started)

    def run_calls(
        self,
        code: str,
        tests: Sequence[CallTest],
        *,
        entry: str,
        limits: Limits | None = None,
        compare: Values | None = None,
        stop_on_first_failure: bool = False,
    ) -> Result:
        """Calls a function once per test, each time in a new process; the results are compared here, outside.

        Args:
            entry: `f`, `Class.method`, or the name of a method of a class `Solution`.
            compare: How two plain values are compared; `sandbox.compare.values_equal` by default.
        """
        bounds = limits or self.limits
        started = time.monotonic()
        try:
            inputs = [encode(list(test.args)) for test in tests]
        except CodecError as error:
            raise ValueError(f"arguments of a call must be plain built-in values: {error}") from error

        def judge(frame: Frame, place: int) -> TestResult:
            return call_result(frame[0], frame[1], bounds, tests[place].expected, compare)

        artifact = Artifact({"job": "calls", "entry": entry}, [code.encode("utf-8", "surrogatepass")])
        results = self._per_test(artifact, inputs, judge, bounds, stop=stop_on_first_failure)
        return results.of(self.tier, "python", started=started)

    def run_asserts(
        self,
        code: str,
        test_code: str,
        *,
        entry: str = "",
        language: str = "python",
        limits: Limits | None = None,
        silent: bool = False,
    ) -> Result:
        """Runs asserts, or a `check(candidate)` function, in a process that the solution cannot reach.

        Public names of the solution that hide no built-in are known to the tests. Each top-level assert is
        one test. In C++ tests and solution are one program, which passes when `main` returns 0: a weak
        harness. `silent` is a control there: nothing is ever reported, so that only a cheat passes.
        """
        if language != "python":
            return self._native_asserts(code, test_code, language, limits or self.limits, silent=silent)
        head = {"job": "asserts", "style": "asserts", "entry": entry, "module": "solution"}
        return self._trial(head, code, test_code, limits)

    def run_pytest(
        self, code: str, test_code: str, *, module: str = "solution", limits: Limits | None = None
    ) -> Result:
        """Runs a pytest file that imports the solution by the name `module`; each test function is one
        test."""
        head = {"job": "asserts", "style": "pytest", "entry": "", "module": module}
        return self._trial(head, code, test_code, limits)

    def languages(self) -> list[str]:
        """The languages that can be run here."""
        return self._toolbox.languages()

    def processes(self) -> list[int]:
        """Ids of all live processes of the sandbox, oldest first."""
        return [pid for slot in self._engine.pool.slots for pid in slot.processes()]

    @property
    def uid(self) -> int:
        """The host user id that programs of the first slot run as."""
        return self._engine.pool.slots[0].place.uid or os.geteuid()

    @property
    def resting_processes(self) -> int:
        """How many processes the sandbox has when nothing runs."""
        return sum(slot.resting_processes for slot in self._engine.pool.slots)

    def _native_asserts(
        self, code: str, test_code: str, language: str, limits: Limits, *, silent: bool
    ) -> Result:
        started = time.monotonic()
        harness, source = "0" if silent else "1", f"{code}\n{test_code}\n"
        artifact = self._toolbox.build(self._engine, source, language, limits, harness=harness)
        if isinstance(artifact, Result):
            return artifact.of(self.tier, language, started=started)
        token = os.urandom(16).hex()

        def judge(frame: Frame, place: int) -> TestResult:
            del place
            return stdin_result(frame[0], frame[1], limits, lambda text: text.endswith(token))

        result = self._per_test(artifact, [token.encode()], judge, limits, stop=False)
        return replace(result, weak_harness=True).of(self.tier, language, started=started)

    def _trial(self, head: dict[str, Any], code: str, test_code: str, limits: Limits | None) -> Result:
        bounds = limits or self.limits
        started = time.monotonic()
        blobs = [code.encode("utf-8", "surrogatepass")]
        hidden = test_code.encode("utf-8", "surrogatepass")

        def once(*, alone: bool) -> Result:
            record = self._engine.request(head, blobs, limits=bounds, tests=1, alone=alone, hidden=hidden)
            if isinstance(record, Result):
                return record
            tests, weak = trial_results(*record[-1], bounds)
            return Result(overall(tests), tests, weak_harness=weak)

        result = once(alone=False)
        doubts = {doubt(test, bounds) for test in result.tests}
        if doubts - {None}:
            result = once(alone="near" in doubts)
        return result.of(self.tier, "python", started=started)

    def _per_test(
        self,
        artifact: Artifact,
        inputs: list[bytes],
        judge: Callable[[Frame, int], TestResult],
        limits: Limits,
        *,
        stop: bool,
    ) -> Result:
        if not inputs:
            raise ValueError("there are no tests: a program that is not tried has not passed")
        seen: list[TestResult] = []

        def each(frame: Frame) -> bool:
            if "cpu_s" not in frame[0]:
                return True
            seen.append(judge(frame, len(seen)))
            return seen[-1].verdict == "AC"

        record = self._engine.request(
            {**artifact.head, "stop_on_first_failure": stop},
            [*artifact.blobs, *inputs],
            limits=limits,
            tests=len(inputs),
            programs=artifact.programs,
            each=each if stop else None,
        )
        if isinstance(record, Result):
            return record
        results = [judge(frame, place) for place, frame in enumerate(record)]
        self._confirm(results, artifact, inputs, judge, limits)
        return Result(overall(results), results)

    def _confirm(
        self,
        results: list[TestResult],
        artifact: Artifact,
        inputs: list[bytes],
        judge: Callable[[Frame, int], TestResult],
        limits: Limits,
    ) -> None:
        """Runs the tests again whose result may be the machine's doing.

        A sleeper that sleeps again when asked again is believed for its other tests.
        """
        confirmed = False
        for place, result in enumerate(results):
            why = doubt(result, limits)
            if why is None or (why == "idle" and confirmed):
                continue
            again = self._again(artifact, inputs[place], limits, alone=why == "near")
            if isinstance(again, Result):
                results[place] = replace(result, verdict="INFRA", reason=again.reason)
                continue
            results[place] = judge(again[0], place)
            confirmed = confirmed or doubt(results[place], limits) == "idle"

    def _again(self, artifact: Artifact, text: bytes, limits: Limits, *, alone: bool) -> list[Frame] | Result:
        blobs, programs = [*artifact.blobs, text], artifact.programs
        return self._engine.request(
            artifact.head, blobs, limits=limits, tests=1, programs=programs, alone=alone
        )
