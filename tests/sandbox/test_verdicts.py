"""Each kind of program gets the verdict that names what it did."""

from __future__ import annotations

import os
import threading
import time

import pytest

from sandbox import CallTest, Limits, Sandbox, StdinTest, TestResult
from sandbox.verdicts import doubt

ADD1 = [StdinTest("41\n", "42\n"), StdinTest("7\n", "8\n")]

PROGRAMS = {
    "a right program": ("print(int(input()) + 1)", "AC"),
    "a wrong answer": ("print(int(input()))", "WA"),
    "no answer": ("pass", "WA"),
    "a crash": ("print(1 // 0)", "RE"),
    "an exit status": ("print(int(input()) + 1); raise SystemExit(3)", "RE"),
    "a signal to itself": ("import os; os.kill(os.getpid(), 6)", "RE"),
    "a syntax error": ("print(", "CE"),
    "a null byte": ("print(1)\0", "CE"),
    "deep nesting": ("(" * 5000 + ")" * 5000, "CE"),
    "an endless loop": ("while True: pass", "TLE"),
    "a sleep": ("import time; time.sleep(60)", "TLE"),
    "too much memory": ("x = bytearray(1 << 30)", "MLE"),
    "memory page by page": ("x = []\nwhile True: x.append(bytearray(1 << 20))", "MLE"),
    "too much output": ("while True: print('x' * 10000)", "OLE"),
    "too much on stderr": ("import sys\nwhile True: sys.stderr.write('x' * 10000)", "OLE"),
}


@pytest.mark.parametrize("kind", PROGRAMS)
def test_names_what_a_program_did(box: Sandbox, kind: str) -> None:
    code, verdict = PROGRAMS[kind]
    result = box.run_stdin(code, ADD1[:1])
    assert result.verdict == verdict, f"{kind} got {result}"
    assert result.tier == box.tier


def test_counts_each_test_on_its_own(box: Sandbox) -> None:
    code = "n = int(input())\nprint(n + 1 if n > 10 else 0)"
    result = box.run_stdin(code, ADD1)
    assert [test.verdict for test in result.tests] == ["AC", "WA"], "each test has its own verdict"
    assert (result.verdict, result.passed) == ("WA", 1)


def test_stops_after_the_first_failure_when_asked(box: Sandbox) -> None:
    tests = [StdinTest("1\n", "2\n"), StdinTest("1\n", "wrong\n"), StdinTest("1\n", "2\n")]
    result = box.run_stdin("print(int(input()) + 1)", tests, stop_on_first_failure=True)
    assert [test.verdict for test in result.tests] == ["AC", "WA"], "the third test was not wanted"


def test_keeps_output_that_nothing_is_expected_of(box: Sandbox) -> None:
    result = box.run_stdin("print('seen', input())", [StdinTest("é\n")])
    assert (result.verdict, result.tests[0].stdout) == ("AC", "seen é\n")


def test_measures_cpu_and_not_waiting(box: Sandbox) -> None:
    result = box.run_stdin("import time; time.sleep(1.5); print(2)", [StdinTest("", "2\n")])
    assert result.verdict == "AC", "1.5 s asleep is within a limit of 1 s of CPU"
    assert result.tests[0].cpu_s < 0.5 < 1.4 < result.tests[0].wall_s


def test_a_long_run_may_use_every_processor(box: Sandbox) -> None:
    """A supervisor that stays on one processor waits as long as that one is held by others."""
    seen: list[set[int]] = []

    def look() -> None:
        time.sleep(0.8)
        seen.extend(os.sched_getaffinity(pid) for pid in box.processes())

    watcher = threading.Thread(target=look)
    watcher.start()
    box.run_stdin("import time; time.sleep(1.2)", [StdinTest("")])
    watcher.join()
    every = os.sched_getaffinity(0)
    assert seen, "there were processes to look at"
    assert all(found == every for found in seen), f"{seen} of {every}"


CALLS = {
    "the right value": ("def f(x): return [x, {'k': (x,)}]", "AC"),
    "a tuple for a list": ("def f(x): return (x, {'k': [x]})", "AC"),
    "true for one": ("def f(x): return [True, {'k': (x,)}]", "WA"),
    "a method of Solution": ("class Solution:\n    def f(self, x): return [x, {'k': (x,)}]", "AC"),
    "no such function": ("def g(x): return x", "RE"),
    "an exception": ("def f(x): raise KeyError(x)", "RE"),
    "an object": ("class C: pass\ndef f(x): return C()", "WA"),
    "an exit": ("def f(x): raise SystemExit(0)", "RE"),
    "deeper than may cross": ("def f(x):\n    for _ in range(1000): x = [x]\n    return x", "WA"),
    "larger than may cross": ("def f(x): return 'x' * 3_000_000", "OLE"),
}


@pytest.mark.parametrize("kind", CALLS)
def test_compares_what_a_call_returned(box: Sandbox, kind: str) -> None:
    code, verdict = CALLS[kind]
    result = box.run_calls(code, [CallTest([1], [1, {"k": (1,)}])], entry="f")
    assert result.verdict == verdict, f"{kind} got {result}"


def test_values_cross_exactly(box: Sandbox) -> None:
    values = [None, True, -1, 1 << 80, 1.5, float("inf"), 2j, "é\ud800", b"\0", [1] * 20, [0.5] * 20, {1, 2}]
    values += [frozenset({"a"}), {"a": [1, (2, 3)]}, {}, [], (), range(1, 9, 2)]
    tests = [CallTest([value], value) for value in values]
    result = box.run_calls("def f(x): return x", tests, entry="f")
    assert result.verdict == "AC", [test for test in result.tests if test.verdict != "AC"]


ASSERTS = {
    "a check function": ("def f(x): return x + 1", "def check(c):\n    assert c(1) == 2", "AC"),
    "a failing check": ("def f(x): return x", "def check(c):\n    assert c(1) == 2", "WA"),
    "plain asserts": ("def f(x): return x + 1", "assert f(1) == 2\nassert f(2) == 3", "AC"),
    "a helper of the solution": ("def g(x): return 2\ndef f(x): return x", "assert f(g(0)) == 2", "AC"),
    "an argument changed in place": ("def f(x): x.sort()", "v = [2, 1]\nf(v)\nassert v == [1, 2]", "AC"),
    "a function passed in": ("def f(g, x): return g(g(x))", "assert f(lambda v: v * 3, 2) == 18", "AC"),
    "a generator": ("def f(n):\n    yield from range(n)", "assert list(f(3)) == [0, 1, 2]", "AC"),
    "a built-in redefined": ("def abs(x): return 0\ndef f(x): return 99", "assert abs(f(1) - 2) < 1", "WA"),
    "an exception wanted": (
        "def f(x): raise ValueError('no')",
        "try:\n    f(1)\n    assert False\nexcept ValueError as e:\n    assert str(e) == 'no'",
        "AC",
    ),
    "an exception not wanted": ("def f(x): raise ValueError('no')", "assert f(1) == 2", "RE"),
    "no assert at all": ("def f(x): return x", "x = 1", "WA"),
    "tests that do not compile": ("def f(x): return x", "assert (", "RE"),
    "an endless loop": ("def f(x):\n    while True: pass", "assert f(1) == 2", "TLE"),
    "an object that equals all": (
        "class Y:\n    def __eq__(s, o): return True\n    def __sub__(s, o): return 0\ndef f(x): return Y()",
        "assert f(1) == 2",
        "WA",
    ),
    "an object whose difference is nothing": (
        "class Y:\n    def __sub__(s, o): return 0\n    __rsub__ = __sub__\ndef f(x): return Y()",
        "assert abs(f(1) - 2) < 1e-6",
        "WA",
    ),
}


@pytest.mark.parametrize("kind", ASSERTS)
def test_judges_asserts_in_another_process(box: Sandbox, kind: str) -> None:
    code, tests, verdict = ASSERTS[kind]
    result = box.run_asserts(code, tests, entry="f")
    assert result.verdict == verdict, f"{kind} got {result}"
    assert result.weak_harness == ("helper" in kind), "what a helper of the solution says is its own word"


PYTEST_FILE = """
import pytest
from solution import Stack, parse, Problem

@pytest.fixture
def stack():
    made = Stack()
    made.push(1)
    yield made

@pytest.mark.parametrize("text, value", [("1", 1), ("-7", -7)])
def test_parses(text, value):
    assert parse(text) == value

def test_raises():
    with pytest.raises(ValueError, match="invalid literal"):
        parse("x")
    with pytest.raises(Problem):
        parse("")

class TestStack:
    def setup_method(self):
        self.size = 1

    def test_pops(self, stack):
        assert len(stack) == self.size
        assert stack.pop() == 1
        assert isinstance(stack, Stack)

def test_prints(capsys):
    parse("3", loud=True)
    assert capsys.readouterr().out == "3\\n"

def test_close():
    assert parse("3") / 7 == pytest.approx(0.428571, abs=1e-5)
"""
PYTEST_SOLUTION = """
class Problem(Exception): pass
class Stack:
    def __init__(self): self.items = []
    def push(self, x): self.items.append(x)
    def pop(self): return self.items.pop()
    def __len__(self): return len(self.items)
def parse(text, loud=False):
    if not text: raise Problem("empty")
    if loud: print(text)
    return int(text)
"""


def test_runs_a_pytest_file(box: Sandbox) -> None:
    result = box.run_pytest(PYTEST_SOLUTION, PYTEST_FILE)
    assert result.verdict == "AC", [test for test in result.tests if test.verdict != "AC"]
    assert len(result.tests) == 6, "each test function and each row of parameters is a test"


def test_a_wrong_solution_fails_only_the_tests_that_show_it(box: Sandbox) -> None:
    result = box.run_pytest(PYTEST_SOLUTION.replace("return int(text)", "return abs(int(text))"), PYTEST_FILE)
    failed = [test.name for test in result.tests if test.verdict == "WA"]
    assert (result.verdict, failed) == ("WA", ["test_parses[1]"])


def test_two_objects_compared_by_their_own_code_make_a_weak_harness(box: Sandbox) -> None:
    code = "class P:\n    def __init__(s, x): s.x = x\n    def __eq__(s, o): return s.x == o.x"
    result = box.run_pytest(code, "from solution import P\ndef test_equal():\n    assert P(1) == P(1)")
    assert (result.verdict, result.weak_harness) == ("AC", True)


def test_a_timeout_near_the_limit_is_measured_again_and_alone() -> None:
    limits = Limits(cpu_s=1.0)
    near, far = TestResult("TLE", cpu_s=1.1), TestResult("TLE", cpu_s=1.3)
    asleep, passed = TestResult("TLE", cpu_s=0.1, wall_s=3.1), TestResult("AC", cpu_s=0.9)
    assert [doubt(result, limits) for result in (near, far, asleep, passed)] == ["near", None, "idle", None]


SMALL = [
    Limits(memory_mb=1),
    Limits(open_files=5),
    Limits(memory_mb=8, output_mb=64),
    Limits(scratch_files=2),
    Limits(threads=1),
    Limits(compile_memory_mb=8),
]


@pytest.mark.parametrize("limits", SMALL, ids=str)
def test_a_small_limit_is_the_programs_and_not_the_sandboxs(box: Sandbox, limits: Limits) -> None:
    result = box.run_stdin(
        "print('x' * int(input()))", [StdinTest("1", "x"), StdinTest("3000000")], limits=limits
    )
    assert result.verdict in ("AC", "MLE", "RE"), f"the sandbox itself fails under {limits}: {result}"
    assert box.run_calls("def f(): return 1", [CallTest([], 1)], entry="f", limits=limits).verdict == "AC"
    assert box.run_asserts("def f(): return 1", "assert f() == 1", limits=limits).verdict == "AC"
