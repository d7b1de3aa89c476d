"""The code verifier on small programs: kinds of tests, verdicts, what is recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import SandboxError
from tests.verifiers.code_cases import ADD1, STDIN, fenced, form, verdict
from verifiers.base import Case, Judge
from verifiers.code.verifier import Code


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Code(time_limit_s=2).open() as judge:
        yield judge


PROMPT = 'import math\n\ndef half(x): return x // 2\n\ndef f(x):\n    """Adds one to half of x."""\n'
HUMANEVAL = json.dumps(
    {
        "prompt": PROMPT,
        "entry_point": "f",
        "test": "def check(c):\n    assert c(4) == 3\n    assert half(4) == 2\n",
    }
)


@pytest.mark.parametrize(
    "content",
    [
        "    return half(x) + 1",
        "return half(x) + 1",
        "y = half(x)\n    return y + 1",
        fenced("def f(x):\n    return half(x) + 1"),
        fenced("from __future__ import annotations\ndef half(x): return 2\ndef f(x): return half(x) + 1"),
    ],
    ids=["body", "body without indentation", "first line stripped", "function alone", "future import"],
)
def test_a_prompt_that_is_code_stands_before_the_completion(judge: Judge, content: str) -> None:
    found = verdict(judge, content, HUMANEVAL)
    assert found.verdict == "pass", found.detail


CALLS = [
    ("exact", {}, "return [1, 2]", [1, 2], "pass"),
    ("a tuple for a list", {}, "return (1, 2)", [1, 2], "pass"),
    ("True for 1", {}, "return True", 1, "fail"),
    ("an int for a float", {}, "return 2", 2.0, "fail"),
    ("an int for a float, numeric", {"compare": "numeric"}, "return {'a': [2]}", {"a": [2.0]}, "pass"),
    ("True for 1, numeric", {"compare": "numeric"}, "return True", 1, "fail"),
    ("a float nearly right", {}, "return 0.1 + 0.2", 0.3, "pass"),
    ("a float nearly right, no tolerance", {"tolerance": 0}, "return 0.1 + 0.2", 0.3, "fail"),
    ("int keys", {"int_keys": True}, "return {1: 2}", {"1": 2}, "pass"),
    ("text keys", {}, "return {1: 2}", {"1": 2}, "fail"),
    ("nothing", {}, "return None", None, "pass"),
    ("an object equal to all", {}, "return type('X', (), {'__eq__': lambda s, o: True})()", 1, "fail"),
]


@pytest.mark.parametrize(("what", "more", "body", "wanted", "expected"), CALLS, ids=[row[0] for row in CALLS])
def test_a_result_is_compared(
    judge: Judge, what: str, more: dict[str, Any], body: str, wanted: Any, expected: str
) -> None:
    tests = form("call", [{"args": [0], "expected": wanted}], entry_point="f", **more)
    found = verdict(judge, fenced(f"def f(x):\n    {body}"), tests)
    assert found.verdict == expected, f"{what}: {found.detail}"


def test_a_method_of_a_class_solution_is_called_by_its_name(judge: Judge) -> None:
    code = "class Solution:\n    def f(self, x):\n        return x + 1"
    tests = form("call", [{"args": [1], "any_of": [5, 2]}], entry_point="f")
    assert verdict(judge, fenced(code), tests).verdict == "pass"


def test_cpp_is_compiled_and_read_from_stdin(judge: Judge) -> None:
    code = '#include <cstdio>\nint main() { long n; scanf("%ld", &n); printf("%ld\\n", n + 1); }'
    tests = form("stdin", [{"input": "41\n", "output": "42\n"}], language="cpp")
    assert verdict(judge, fenced(code, "cpp"), tests).verdict == "pass"
    broken = verdict(judge, fenced(code.replace("long", "lang"), "cpp"), tests)
    assert (broken.verdict, broken.score) == ("fail", 0.0)
    assert "CE" in broken.detail


def test_a_pytest_file_counts_each_of_its_tests(judge: Judge) -> None:
    tests = "from solution import add1\n" + "".join(
        f"def test_{name}():\n    assert add1(1) == {wanted}\n" for name, wanted in (("a", 2), ("b", 3))
    )
    found = verdict(judge, fenced(ADD1), form("pytest", tests))
    assert (found.verdict, found.score) == ("fail", 0.5)
    assert "test_b" in found.detail


def test_a_function_named_like_a_builtin_is_tested_by_its_own_name(judge: Judge) -> None:
    code = "def sum(a, b):\n    return a + b"
    assert (
        verdict(judge, fenced(code), json.dumps({"test_list": ["assert sum(10,15) == 25"]})).verdict == "pass"
    )
    assert (
        verdict(judge, fenced(code), json.dumps({"test_list": ["assert sum(10,15) == 26"]})).verdict == "fail"
    )


SCORE_CHECKER = """
import sys
given, wanted, output = (open(name).read() for name in sys.argv[1:4])
n = int(given)
parts = output.split()
print(100 if len(parts) == 2 and sum(map(int, parts)) == n and len(wanted) else 0)
"""
TESTLIB_CHECKER = """
#include <fstream>
#include <cstdlib>
#include <cstring>
int main(int argc, char* argv[]) {
    std::ifstream given(argv[1]), output(argv[2]), wanted(argv[3]);
    int n, a, b, c;
    if (argc != 4 || !(given >> n) || !(wanted >> c)) exit(3);
    if (!(output >> a >> b)) exit(2);
    exit(a + b == n ? 0 : 1);
}
"""


@pytest.mark.parametrize(
    "checker",
    [{"code": SCORE_CHECKER}, {"code": TESTLIB_CHECKER, "language": "cpp", "protocol": "testlib"}],
    ids=["score", "testlib"],
)
def test_a_checker_judges_where_more_than_one_output_is_right(judge: Judge, checker: dict[str, Any]) -> None:
    tests = form("stdin", [{"input": "5", "output": "2 3"}], checker=checker)
    assert verdict(judge, fenced("n = int(input())\nprint(1, n - 1)"), tests).verdict == "pass"
    assert verdict(judge, fenced("n = int(input())\nprint(1, n)"), tests).verdict == "fail"
    assert verdict(judge, fenced("n = int(input())\nprint(n)"), tests).verdict == "fail"


@pytest.mark.parametrize("code", ["print('maybe')", "1 / 0", "import sys; sys.exit(1)", "this is no python"])
def test_a_checker_that_does_not_work_is_an_error_and_no_fail(judge: Judge, code: str) -> None:
    tests = form("stdin", [{"input": "5", "output": "2 3"}], checker={"code": code})
    found = verdict(judge, fenced("input()\nprint(1, 4)"), tests)
    assert (found.verdict, found.score) == ("error", None)
    assert "checker" in found.detail


IO10 = [{"input": str(n), "output": str(n + 1)} for n in range(12)]


def test_the_score_is_the_share_of_the_first_tests(judge: Judge) -> None:
    half = fenced("n = int(input())\nprint(n + 1 if n < 5 else 0)")
    found = verdict(judge, half, form("stdin", IO10))
    assert (found.verdict, found.score) == ("fail", 0.5)
    assert "test 6: WA" in found.detail
    beyond = fenced("n = int(input())\nprint(n + 1 if n < 10 else 0)")
    assert verdict(judge, beyond, form("stdin", IO10)).verdict == "pass"
    lines = [f"assert add1({n}) == {n + 1}" for n in range(10)] + ["assert add1(0) == 5"]
    assert verdict(judge, fenced(ADD1), json.dumps({"test_list": lines})).verdict == "pass"
    with Code(max_tests=None, min_score=0.8).open() as every:
        found = verdict(every, beyond, form("stdin", IO10))
        assert (found.verdict, found.score) == ("pass", pytest.approx(10 / 12))
        found = verdict(every, fenced(ADD1), json.dumps({"test_list": lines}))
        assert (found.verdict, found.score) == ("pass", pytest.approx(10 / 11))


FAILS = [
    ("TLE", "while True: pass"),
    ("MLE", "x = [0] * 10**9"),
    ("OLE", "while True: print('x' * 10**6)"),
    ("RE", "1 / 0"),
    ("WA", "print(0)"),
    ("RE", "import made_up_module"),
]


@pytest.mark.parametrize(("name", "code"), FAILS, ids=[f"{row[0]} {row[1][:12]}" for row in FAILS])
def test_what_a_program_does_wrong_is_a_fail_that_says_so(judge: Judge, name: str, code: str) -> None:
    found = verdict(judge, fenced(f"input()\n{code}"), STDIN)
    assert (found.verdict, found.score) == ("fail", 0.0), found.detail
    assert name in found.detail


UNKNOWN_NAME = json.dumps({"entry_point": "add1", "test": "def check(c):\n    assert c(1) == other(1)"})
ERRORS = [
    ("no tests", fenced(ADD1), None),
    ("broken tests", fenced(ADD1), '{"type": "code", "kind": "stdin"}'),
    ("tests of another verifier", fenced(ADD1), '{"type": "ifeval", "instructions": []}'),
    ("a language that is not run", fenced("package main", "go"), STDIN),
    ("a package that is not there", fenced("import tensorflow\ninput()\nprint(2)"), STDIN),
    ("tests with a name that nobody has", fenced(ADD1), UNKNOWN_NAME),
]


@pytest.mark.parametrize(("what", "content", "tests"), ERRORS, ids=[row[0] for row in ERRORS])
def test_what_is_not_the_completions_fault_is_an_error(
    judge: Judge, what: str, content: str, tests: str | None
) -> None:
    found = verdict(judge, content, tests)
    assert (found.verdict, found.score) == ("error", None), f"{what}: {found.detail}"


def test_a_batch_keeps_its_order_and_records_what_judged_it(judge: Judge) -> None:
    cases = [
        Case(prompt="", content=fenced(f"def add1(n): return {n}"), tests=f"assert add1(0) == {n % 3}")
        for n in range(12)
    ]
    found = judge(cases)
    assert [v.verdict for v in found] == ["pass" if n < 3 else "fail" for n in range(12)]
    for part in ("2+sandbox-", "-python3.", "+numpy"):
        assert part in found[0].version, f"the version does not record {part}"


def test_numpy_can_be_imported_and_a_missing_package_is_refused(judge: Judge) -> None:
    code = "import numpy as np\ndef f(x): return np.array(x).sum().item()"
    assert verdict(judge, fenced(code), "assert f([1, 2]) == 3").verdict == "pass"
    with pytest.raises(SandboxError, match="made_up_package"), Code(packages=("made_up_package",)).open():
        pass
