"""Tests and completions as public sources write them, and what they leave to their grader."""

# ruff: noqa: E501 - the programs are kept as they would be written

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.verifiers.code_cases import fenced, verdict
from verifiers.base import Judge
from verifiers.code.usual_imports import with_usual_imports
from verifiers.code.verifier import Code


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Code(time_limit_s=2).open() as judge:
        yield judge


TWO_SUM = "class Solution:\n    def twoSum(self, nums: List[int], target: int) -> List[int]:\n        seen = defaultdict(int)\n        for i, n in enumerate(nums):\n            if target - n in seen: return [seen[target - n], {last}]\n            seen[n] = i"
DEEP = "@lru_cache(None)\ndef f(n: Optional[int]): return math.floor(n) + {last} if n < 1 else f(n - 1) + 1"
SUMS = "def main():\n    print(sum(map(int, sys.stdin.read().split())) + {last}, gcd(4, 6))\nmain()"
INC = "def f(x):\n    return x + {last}"
LCB = [{"input": "[2,7]\n9", "output": "[0,1]", "testtype": "functional"}]
ASSERTED = "def check(candidate):\n    assert candidate(nums = [2,7], target = 9) == [0,1]\n"

FORMS: dict[str, tuple[str, Any, str, str]] = {
    "LeetCode, called": (TWO_SUM, {"functional": f"{ASSERTED}\ncheck(Solution().twoSum)"}, "i", "i + 1"),
    "LeetCode, its entry beside": (TWO_SUM, {"functional": ASSERTED, "entry_point": "Solution().twoSum"}, "i", "i + 1"),
    "LeetCode, cases": (TWO_SUM, {"functional": LCB, "fn_name": "twoSum"}, "i", "i + 1"),
    "LeetCode, as HumanEval": (TWO_SUM, {"prompt": "", "test": ASSERTED, "entry_point": "Solution().twoSum"}, "i", "i + 1"),
    "LiveCodeBench, a method": (TWO_SUM, {"public_test_cases": json.dumps(LCB), "metadata": '{"func_name": "twoSum"}'}, "i", "i + 1"),
    "APPS, a deep function": (DEEP, {"inputs": [[3000]], "outputs": [3000], "fn_name": "f"}, "0", "1"),
    "TACO, a program": (SUMS, {"inputs": ["1 2"], "outputs": ["3 2"]}, "0", "1"),
    "Prime, a program": (SUMS, {"verification_info": {"language": "python", "test_cases": [{"type": "stdin_stdout", "input": "1 2", "output": "3 2"}]}}, "0", "1"),
    "MultiPL-E": (INC, "def check(candidate):\n    assert candidate(1) == 2\n\ndef test_check():\n    check(f)\n\ntest_check()\n", "1", "2"),
    "a class of unittest without an import": (INC, "import unittest\nclass TestF(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f(1), 2)", "1", "2"),
    "a module and a helper of the library": (INC, "assert isclose(f(1), 2) and math.isclose(f(2), 3)", "1", "2"),
}  # fmt: skip


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "marked"])
@pytest.mark.parametrize("name", FORMS)
def test_each_form_passes_what_is_right_and_nothing_else(judge: Judge, name: str, mark: str) -> None:
    code, tests, right, wrong = FORMS[name]
    value = tests if isinstance(tests, str) else json.dumps(tests)
    for last, expected in ((right, "pass"), (wrong, "fail")):
        found = verdict(judge, mark + fenced(mark + code.replace("{last}", last)), value)
        assert found.verdict == expected, f"{name}: {found.detail}"


def test_imports_are_added_only_where_they_are_missing() -> None:
    code = (
        '"""A."""\nfrom __future__ import annotations\n\n@lru_cache\ndef f(x: List[int]): return deque(x)\n'
    )
    lines = with_usual_imports(code).split("\n")
    assert lines[:3] == code.split("\n")[:3], "what must stay first stays first"
    assert lines[3].split("; ")[1:] == [
        "from typing import List",
        "from collections import deque",
        "from functools import lru_cache",
    ]
    assert lines[4:] == code.split("\n")[3:]
    own = "import math\ndef gcd(a, b): return math.gcd(a, b)\nprint(gcd(4, 6), no_such_name)"
    assert "import" not in with_usual_imports(own).split("\n")[0].removeprefix("__import__")


CHOSEN = [
    "def f(x): raise ValueError('CodecError')",
    "def f(x): raise ValueError('a ndarray may not cross')",
    "def f(x): raise ModuleNotFoundError(\"No module named 'pandas'\")",
    "def f(x): raise NameError(\"name 'helper' is not defined\")",
    "def f(x): raise TypeError(\"unsupported operand: 'Remote' and 'int'\")",
    "def f(x): return object()",
    "def f(x): return lambda: 0",
    "import numpy as np\ndef f(x): return np.array([object()])",
    "import numpy as np\ndef f(x): return np.zeros(2, 'i4,i4')",
    "import re\ndef f(x): return re.compile('a')",
    "import sys\ndef f(x):\n    print('sandbox: INFRA', file=sys.stderr)\n    sys.exit(1)",
    "def f(x): return '\\ud800'",
    "def f(x): raise ValueError('\\ud800')",
    "def f(x):\n    a = []\n    a.append(a)\n    return a",
    "def f(x): return 1 << 100_000_000",
]
CHOOSING_TESTS = [
    json.dumps({"kind": "assert", "entry_point": "f", "tests": ["assert f(1) == 2"]}),
    json.dumps({"kind": "pytest", "tests": "from solution import f\ndef test_f():\n    assert abs(f(1) - 2) < 1e-9"}),
    json.dumps({"kind": "call", "entry_point": "f", "tests": [{"args": [1], "expected": 2}]}),
]  # fmt: skip


@pytest.mark.parametrize("code", CHOSEN)
@pytest.mark.parametrize("tests", CHOOSING_TESTS, ids=["assert", "pytest", "call"])
def test_a_solution_cannot_choose_error_over_fail(judge: Judge, code: str, tests: str) -> None:
    found = verdict(judge, fenced(code), tests)
    assert found.verdict == "fail", found.detail


def test_an_output_that_a_checker_chokes_on_is_rejected(judge: Judge) -> None:
    checker = {"code": "import sys\nprint(int(int(open(sys.argv[3]).read()) > 0))"}
    tests = json.dumps({"kind": "stdin", "tests": [{"input": "5", "output": "2"}], "checker": checker})
    assert verdict(judge, fenced("input()\nprint(3)"), tests).verdict == "pass"
    assert verdict(judge, fenced("input()\nprint('three')"), tests).verdict == "fail"
