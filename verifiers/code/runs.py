"""Runs a program against its tests in the sandbox, whatever their kind."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sandbox import CallTest, Limits, Result, Sandbox, StdinTest, TestResult
from sandbox.compare import values_equal
from verifiers.code.blocks import Program
from verifiers.code.checkers import accepts
from verifiers.code.controls import (
    compares_cpp,
    guarded_cpp,
    negated,
    negated_cpp,
    null_solution,
    perturbed_cpp,
)
from verifiers.code.perturbing import compares, perturbed
from verifiers.testforms import AssertTests, CallTests, CodeTests, PytestTests, StdinTests
from verifiers.testforms.source import cut_asserts, parsed, pytest_tests, shadowed_builtin

__all__ = ["Ran", "Rules", "broken_control", "run_tests"]

_INTERPRETED = ("python", "javascript")
_OUTPUT_MB = 8.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What the verifier adds to the tests."""

    max_tests: int | None
    time_limit_s: float
    memory_limit_mb: int
    interpreter_factor: float
    max_time_limit_s: float
    stop_at_first_failure: bool


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program did on the tests that count."""

    result: Result
    total: int
    """Tests that count, run or not."""
    source: str = ""
    """The test program that was run, where there is one."""

    @property
    def passed(self) -> int:
        """How many of them passed."""
        return sum(test.verdict == "AC" for test in self.result.tests)


def run_tests(box: Sandbox, program: Program, tests: CodeTests, rules: Rules) -> Ran:
    """Runs the first tests, as many as count.

    Raises:
        SandboxError: the language is not available here.
        BadTests: an argument of a call may not cross into the sandbox, or a checker does not work.
    """
    limits = _limits(program.language, tests, rules)
    if isinstance(tests, StdinTests):
        return _run_stdin(box, program, tests, limits, rules)
    if isinstance(tests, CallTests):
        return _run_calls(box, program, tests, limits, rules)
    if isinstance(tests, PytestTests):
        return _run_pytest(box, program, tests, limits, rules)
    source, total = tests.source(), 1
    if tests.language == "python":
        source, total = cut_asserts(source, _tree(source), most=rules.max_tests)
    return _counted(_run_asserts(box, program.code, source, tests, limits), total, source, rules)


def _limits(language: str, tests: CodeTests, rules: Rules) -> Limits:
    seconds = tests.time_limit_s or rules.time_limit_s
    megabytes = tests.memory_limit_mb or rules.memory_limit_mb
    if isinstance(tests, StdinTests) and tests.limit_for == "compiled" and language in _INTERPRETED:
        seconds *= rules.interpreter_factor
        megabytes = max(megabytes, rules.memory_limit_mb)
    return Limits(cpu_s=min(seconds, rules.max_time_limit_s), memory_mb=megabytes, output_mb=_OUTPUT_MB)


def _run_stdin(box: Sandbox, program: Program, tests: StdinTests, limits: Limits, rules: Rules) -> Ran:
    chosen = tests.tests[: rules.max_tests]
    checker = tests.checker
    result = box.run_stdin(
        program.code,
        [StdinTest(test.input, None if checker else test.output) for test in chosen],
        language=program.language,
        limits=limits,
        compare=tests.compare,
        stop_on_first_failure=rules.stop_at_first_failure,
        **({"keep_output": int(_OUTPUT_MB * (1 << 20))} if checker else {}),
    )
    if checker is None:
        return Ran(result, len(chosen))
    checked: list[TestResult] = []
    for test, ended in zip(chosen, result.tests, strict=False):
        if ended.verdict == "AC" and not accepts(box, checker, test.input, test.output, ended.stdout):
            ended = replace(ended, verdict="WA", reason="the checker rejects the output")
        checked.append(replace(ended, stdout=""))
    first = next((ended.verdict for ended in checked if ended.verdict != "AC"), result.verdict)
    return Ran(replace(result, verdict=first, tests=checked), len(chosen))


@dataclass(frozen=True, slots=True)
class _Answers:
    """The values that are right for one call; they stay outside of the sandbox."""

    values: Sequence[Any]


def _run_calls(box: Sandbox, program: Program, tests: CallTests, limits: Limits, rules: Rules) -> Ran:
    def accept(found: Any, wanted: _Answers) -> bool:
        return any(_same(found, value, tests) for value in wanted.values)

    calls = []
    for call in tests.tests[: rules.max_tests]:
        answers = [_int_keys(value) if tests.int_keys else value for value in call.answers()]
        args = [_int_keys(value) if tests.int_keys else value for value in call.args]
        calls.append(CallTest(args, _Answers(answers)))
    result = box.run_calls(
        program.code,
        calls,
        entry=tests.entry_point,
        limits=limits,
        compare=accept,
        stop_on_first_failure=rules.stop_at_first_failure,
    )
    return Ran(result, len(calls))


def _same(found: Any, wanted: Any, tests: CallTests) -> bool:
    if tests.compare == "numeric":
        found = _aligned(found, wanted)
    return values_equal(found, wanted, relative=tests.tolerance)


def _aligned(found: Any, wanted: Any) -> Any:
    """The value found, its numbers of the kind wanted where that changes no value."""
    if type(found) is int and type(wanted) is float and abs(found) < 1 << 53:
        return float(found)
    if type(found) is float and type(wanted) is int and found.is_integer():
        return int(found)
    if type(found) in (list, tuple) and type(wanted) in (list, tuple) and len(found) == len(wanted):
        return [_aligned(a, b) for a, b in zip(found, wanted, strict=True)]
    if type(found) is dict and type(wanted) is dict:
        return {key: _aligned(value, wanted.get(key)) for key, value in found.items()}
    return found


def _int_keys(value: Any) -> Any:
    """A dict with int keys where all keys spell whole numbers, alone or as the only item of a list."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return [_int_keys(value[0])]
    if not isinstance(value, dict) or not value:
        return value
    spelt = all(key.isascii() and key.removeprefix("-").isdigit() for key in value)
    return {int(key): item for key, item in value.items()} if spelt else value


def _run_pytest(box: Sandbox, program: Program, tests: PytestTests, limits: Limits, rules: Rules) -> Ran:
    result = box.run_pytest(program.code, tests.tests, module=tests.module, limits=limits)
    return _counted(result, pytest_tests(_tree(tests.tests)), tests.tests, rules)


def _run_asserts(box: Sandbox, code: str, source: str, tests: AssertTests, limits: Limits) -> Result:
    if tests.language == "cpp":
        return box.run_asserts(code, guarded_cpp(source), language="cpp", limits=limits)
    entry = tests.entry_point
    shadowed = entry if hasattr(builtins, entry or "") else shadowed_builtin(_tree(source))
    if shadowed is not None:
        # The sandbox lets no name of a solution hide a built-in from the tests unless they say so.
        code += f"\n\nsolution_{shadowed} = {shadowed}\n"
        source = f"{shadowed} = solution_{shadowed}\n{source}"
    return box.run_asserts(code, source, entry=tests.entry_point or "", limits=limits)


def _counted(result: Result, least: int, source: str, rules: Rules) -> Ran:
    """A run whose tests are known only when it has come to its end."""
    first = result.tests[: rules.max_tests]
    verdict = next(
        (test.verdict for test in first if test.verdict != "AC"), "AC" if first else result.verdict
    )
    if verdict == "AC":
        return Ran(replace(result, verdict=verdict, tests=first), len(first), source)
    total = max(least, len(result.tests))
    total = total if rules.max_tests is None else min(total, rules.max_tests)
    return Ran(replace(result, verdict=verdict, tests=first), max(total, 1), source)


def broken_control(
    box: Sandbox, program: Program, tests: CodeTests, ran: Ran, rules: Rules
) -> tuple[Literal["fail", "error"], str] | None:
    """The negative control that passed, as (outcome, sentence); null when all failed as they must.

    Asked where a run passed by the word of the solution's own code. An empty solution that passes says that
    the tests test nothing (`error`); opposite or other expectations that pass say that the solution agrees
    to anything (`fail`).
    """
    limits = _limits(program.language, tests, rules)

    def run(code: str, source: str) -> Result:
        if isinstance(tests, PytestTests):
            return box.run_pytest(code, source, module=tests.module, limits=limits)
        assert isinstance(tests, AssertTests)
        return _run_asserts(box, code, source, tests, limits)

    if tests.language == "cpp":
        return _broken_cpp(box, program.code, ran.source, limits)
    if run(null_solution(program.code), ran.source).verdict == "AC":
        return "error", "the tests also pass on an empty solution"
    opposite = negated(ran.source)
    if opposite is not None and run(program.code, opposite).verdict == "AC":
        return "fail", "the tests also pass when they say the opposite"
    known = _agrees_with_others(program.code, ran.source, run)
    if known:
        return "fail", "the tests also pass when they ask for other values"
    if known is None and (opposite is None or compares(ran.source)):
        return "error", "the tests rest on the solution's own word, and ask for nothing that could be changed"
    return None


def _agrees_with_others(code: str, source: str, run: Callable[[str, str], Result]) -> bool | None:
    """Whether tests, or one of them, pass twice when they ask for other values; null where none is there.

    Twice, since a value drawn at random may be as right as the one wanted.
    """
    still: frozenset[int] | None = None
    for _ in range(2):
        control = perturbed(source)
        if control is None:
            return None
        result = run(code, control.source)
        passed = frozenset(place for place, test in enumerate(result.tests) if test.verdict == "AC")
        found = control.changed & passed
        if not found and result.verdict != "AC":
            return False
        still = found if still is None else still & found
    return bool(still) or result.verdict == "AC"


def _broken_cpp(
    box: Sandbox, code: str, source: str, limits: Limits
) -> tuple[Literal["fail", "error"], str] | None:
    others = perturbed_cpp(source)
    controls = [
        (negated_cpp(source), False, "when each assert says the opposite"),
        (guarded_cpp(source), True, "when their end is reported by nobody"),
        (others, False, "when they ask for other values"),
    ]
    for control, silent, how in controls:
        if control is None:
            continue
        if box.run_asserts(code, control, language="cpp", limits=limits, silent=silent).verdict == "AC":
            return "fail", f"the tests also pass {how}"
    if others is None and compares_cpp(source):
        return "error", "the tests compare, and with nothing that could be changed"
    return None


def _tree(source: str) -> ast.Module:
    tree = parsed(source)
    assert isinstance(tree, ast.Module), "the form of the tests has been checked"
    return tree
