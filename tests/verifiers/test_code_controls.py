"""Passes that rest on code of the solution itself, and the controls that they must survive."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.verifiers.code_cases import fenced, form, verdict
from verifiers.base import Judge
from verifiers.code.controls import negated, null_solution, perturbed
from verifiers.code.verifier import Code


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Code(time_limit_s=2).open() as judge:
        yield judge


POINT = """
class Point:
    def __init__(self, x): self.x = x
    def __add__(self, other): return Point(self.x + other.x)
    def __eq__(self, other): return {equal}
"""
POINTS = "assert Point(1) + Point(2) == Point(3)\nassert Point(1) == Point(1)"


def test_a_pass_by_the_solutions_own_word_counts_if_it_can_also_say_no(judge: Judge) -> None:
    honest = verdict(judge, fenced(POINT.format(equal="self.x == other.x")), POINTS)
    assert honest.verdict == "pass", honest.detail
    assert "weak harness, controls fail as they must" in honest.detail
    assert verdict(judge, fenced(POINT.format(equal="True")), POINTS).verdict == "fail", "it agrees with all"
    cheat = verdict(judge, fenced(POINT.format(equal="type(other) is Point")), POINTS)
    assert (cheat.verdict, cheat.score) == ("fail", 0.0), cheat.detail
    assert "ask for other values" in cheat.detail


def test_tests_that_an_empty_solution_passes_are_an_error(judge: Judge) -> None:
    code = "class A:\n    def __eq__(self, other): return type(other) is A\ndef make(): return A()"
    found = verdict(judge, fenced(code), "made = make()\nassert made == made\nassert A() is not None")
    assert found.verdict == "error", found.detail
    assert "empty solution" in found.detail


CPP_TESTS = "#include <cassert>\nint main() { assert(add1(1) == 2); assert(add1(-1) == 0); }"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("int add1(int n) { return n + 1; }", "pass"),
        ("int add1(int n) { return n; }", "fail"),
        ("#define NDEBUG\nint add1(int n) { return n; }", "fail"),
        ("#include <cassert>\n#undef assert\n#define assert(x)\nint add1(int n) { return n; }", "fail"),
        (
            "#include <unistd.h>\nint add1(int n) { return n; }\n"
            "struct S { S() { char t[256]; long k = read(0, t, 256); (void)!write(1, t, k); _exit(0); } } s;",
            "fail",
        ),
    ],
    ids=["right", "wrong", "NDEBUG", "its own assert", "leaves before main"],
)
def test_asserts_in_cpp_cannot_be_disarmed_by_the_solution(judge: Judge, code: str, expected: str) -> None:
    found = verdict(judge, fenced(code, "cpp"), form("assert", [CPP_TESTS], language="cpp"))
    assert found.verdict == expected, found.detail


def test_controls_change_what_they_should() -> None:
    assert negated("assert f(1) == 2") == "assert not f(1) == 2\n"
    assert negated("f(1)") is None
    assert perturbed("assert f(1) == [2, 'a']") == "assert f(1) == [3, 'a~']\n"
    assert perturbed("assert f(1)") is None
    assert "class A" in null_solution("import os\nclass A:\n    def f(self): return 1\n")
    assert perturbed("assert np.allclose(f(1), [2, 3])") == "assert np.allclose(f(1), [3, 4])\n"


ARRAYS = [
    ("np.arange(n)", "assert np.allclose(f(3), [0, 1, 2])", "pass"),
    ("np.arange(n) + 1", "assert np.allclose(f(3), [0, 1, 2])", "fail"),
    ("np.empty((0, 1))", "assert np.allclose(f(3), [0, 1, 2])", "fail"),
    ("np.empty((0, 1))", "assert (f(3) == np.array([0, 1, 2])).all()", "fail"),
    ("np.array(['a'] * n)", "assert (f(3) == np.array(['a'] * 3)).all()", "pass"),
    ("np.array(['a'] * n)", "assert (f(3) == np.array(['b'] * 3)).all()", "fail"),
    ("np.empty((0, 1))", "want = np.array([0, 1, 2])\nassert np.allclose(f(3), want)", "fail"),
    ("[]", "want = np.array([0, 1, 2])\nassert np.allclose(f(3), want)", "fail"),
    ("[]", "want = [0, 1, 2]\nnp.testing.assert_allclose(f(3), want)", "fail"),
    ("np.arange(n).sum()", "assert f(3) == 4", "fail"),
]


@pytest.mark.parametrize(("body", "tests", "expected"), ARRAYS)
def test_arrays_are_compared_and_agree_with_nothing_but_their_like(
    judge: Judge, body: str, tests: str, expected: str
) -> None:
    code = f"import numpy as np\ndef f(n): return {body}"
    found = verdict(judge, fenced(code), f"import numpy as np\n{tests}")
    assert found.verdict == expected, found.detail
