"""Passes that rest on code of the solution itself, and the controls that they must survive."""

# ruff: noqa: E501 - the programs are kept as they would be written

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.verifiers.code_cases import fenced, form, verdict
from verifiers.base import Judge
from verifiers.code.controls import negated, null_solution
from verifiers.code.perturbing import perturbed
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
    assert "class A" in null_solution("import os\nclass A:\n    def f(self): return 1\n")


WANTED = {
    "a constant": ("assert f(1) == W", 1),
    "constants in a list": ("assert f(1) == [W, W, [W]]", 3),
    "a call that makes it": ("assert f(1) == P(W, x=W)", 2),
    "a name": ("want = P(W)\nassert f(1) == want", 1),
    "one of two names": ("other, want = 1, 2\nfor given, want in [(1, W), (2, W)]:\n    assert f(given) == want", 2),
    "a table": ("@pytest.mark.parametrize('a,want', [(1, W), (2, W)])\ndef test_a(a, want):\n    assert f(a) == want", 2),
    "within a check": ("def check(c):\n    want = W\n    assert c(1) == want and c(2) == W", 2),
    "a method of unittest": ("class T(TestCase):\n    def test_a(self):\n        self.assertEqual(f(1), W)", 1),
    "a comparison of numpy": ("want = [W]\nassert np.allclose(f(1), want, 1e-3)", 1),
    "an approximate value": ("assert f(1) == approx(W)", 1),
}  # fmt: skip


@pytest.mark.parametrize("constant", ["7", "-0.25", "'seven'", "True", "''"])
@pytest.mark.parametrize("name", WANTED)
def test_other_values_are_asked_for_wherever_they_are_written(name: str, constant: str) -> None:
    template, count = WANTED[name]
    control = perturbed(template.replace("W", constant))
    assert control is not None
    before, after = (
        [ast.literal_eval(x) for x in re.findall(r"<(.*?)>", ast.unparse(_marked(source)))]
        for source in (template.replace("W", constant), control.source)
    )
    changed = [type(a) is type(b) and a != b for a, b in zip(before, after, strict=True)]
    assert sum(changed) >= count, f"{control.source} must ask for {count} other values of the same kind"
    drawn = {found.source for _ in range(40) if (found := perturbed(template.replace("W", constant)))}
    assert len(drawn) > 5 or constant == "True", "what is asked for cannot be foreseen"


def _marked(source: str) -> ast.Module:
    """The program with each constant as `<constant>`."""

    class Mark(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.Name:
            return ast.Name(f"<{node.value!r}>")

    return ast.fix_missing_locations(Mark().visit(ast.parse(source)))


def test_where_nothing_is_wanted_in_writing_there_is_no_such_control() -> None:
    for source in ("assert f(1)", "assert f(1) == g(x)", "f(1)", "assert P() == P()"):
        assert perturbed(source) is None, source


LIAR = "class P:\n    def __init__(self, *a): pass\n    def __eq__(self, o): return type(o) is P\ndef f(x): return P()\ndef g(x): return x + 1\n"
LIES = {
    "wanted in a variable": ("want = P(3)\nassert f(1) == want", "fail"),
    "wanted in rows": ("for x, want in [(1, P(2)), (2, P(3))]:\n    assert f(x) == want", "fail"),
    "one lie among truths": (
        "assert g(1) == 2\nassert g(2) == 3\nassert f(1) == P(3)\nassert g(3) == 4",
        "fail",
    ),
    "wanted in a check": ("def check():\n    want = P(7)\n    assert f(1) == want\ncheck()", "fail"),
    "nothing to change": ("assert f(1) == f(2)\nassert f(3) == P()", "fail|error"),
    "nothing written down": ("assert P() == P()", "error"),
}


@pytest.mark.parametrize("name", LIES)
def test_what_only_equals_its_own_kind_is_found_out(judge: Judge, name: str) -> None:
    tests, expected = LIES[name]
    found = verdict(judge, fenced(LIAR), tests)
    assert found.verdict in expected.split("|"), found.detail


def test_cpp_that_compares_with_nothing_written_down_is_not_judged(judge: Judge) -> None:
    code = "struct R { bool operator==(int) const { return true; } };\nR add1(int) { return R(); }"
    tests = "#include <cassert>\nint main() { int want = add1_of(1); assert(add1(1) == want); }"
    code += "\nint add1_of(int n) { return n + 1; }"
    found = verdict(judge, fenced(code, "cpp"), form("assert", [tests], language="cpp"))
    assert found.verdict in ("error", "fail"), found.detail


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
