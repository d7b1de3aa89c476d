"""Completions that try to pass tests without an answer to them, each one row."""

# ruff: noqa: E501 - the programs are kept as they would be written

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.verifiers.code_cases import fenced, form, verdict
from verifiers.base import Judge
from verifiers.code.controls import perturbed_cpp
from verifiers.code.verifier import Code
from verifiers.testforms import AssertTests, read_tests


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Code(time_limit_s=2).open() as judge:
        yield judge


CPP_TESTS = (
    "#include <cassert>\nint main() { assert(add1(1) == 2); assert(add1(-1) == 0); assert(add1(5) == 6); }"
)
ECHO = "#include <unistd.h>\n#define ECHO char t[256]; long k = read(0, t, 256); (void)!write(1, t, k); _exit(0);\n"
CPP_CHEATS = {
    "reports when it is aborted": ECHO + "#include <csignal>\n#include <cstdlib>\nvoid h(int) { ECHO }\nvoid bad() { _exit(1); }\nstruct S { S() { for (int n = 1; n < 32; ++n) signal(n, h); atexit(bad); } } s;\nint add1(int) { return 77; }",
    "reports in its second call": ECHO + "int calls;\nint add1(int n) { if (++calls < 2) return n + 1; ECHO }",
    "reports in a destructor": ECHO + "#include <cstdlib>\nstruct S { ~S() { ECHO } } s;\nint add1(int) { std::exit(0); }",
    "a value that equals all": "struct R { bool operator==(int) const { return true; } };\nR add1(int) { return R(); }",
    "an answer that is true and not false": "struct B { explicit operator bool() const { return true; } bool operator!() const { return false; } };\nstruct R { B operator==(int) const { return {}; } };\nR add1(int) { return {}; }",
    "a main of its own": "int add1(int n) { return n; }\nint hidden();\n#define main(...) main() { return 0; } int hidden()",
    "a harness of its own": "extern \"C\" int zero = 0;\n#define __real_main(...) zero\nint add1(int n) { return n; }",
    "the failure of an assert undone": "#include <cassert>\n#define __assert_fail(...) (void)0\n#define __builtin_abort() 0\nint add1(int n) { return n == 1 ? 2 : 0; }",
    "words that mean nothing": "#define asm(...)\n#define volatile\nint add1(int n) { return n == 1 ? 2 : 7; }",
    "words that mean the opposite": "int add1(int n) { return n == 1 ? 2 : 7; }\n#define if(...) if (true || __VA_ARGS__)\n#define while(...) while (false)",
    "tests within a comment": "int main() {}\nint add1(int n) { return n; }\n/*",
    "tests within a text": "int main() {}\nint add1(int n) { return n; }\nconst char* x = R\"(",
}  # fmt: skip


@pytest.mark.parametrize("name", CPP_CHEATS)
def test_programs_in_cpp_pass_by_their_answers_alone(judge: Judge, name: str) -> None:
    for tests in (CPP_TESTS, CPP_TESTS + '\n// */\n// )";\n'):
        found = verdict(judge, fenced(CPP_CHEATS[name], "cpp"), form("assert", [tests], language="cpp"))
        assert found.verdict == "fail", f"{name}: {found.detail}"


CPP_HONEST = {
    "one number": ("int add1(int n) { return n + 1; }", CPP_TESTS),
    "a vector": (
        "#include <vector>\nstd::vector<int> two(int n) { return {n, n}; }",
        "#include <cassert>\n#include <vector>\nusing namespace std;\nint main() { assert(two(1) == (vector<int>{1, 1})); assert((two(2) == vector<int>{2, 2})); return 0; }",
    ),
    "one of two values": ("int f(int n) { return n; }", "#include <assert.h>\nint main() { assert(f(2) == 1 || f(2) == 2); assert(f(3) == 3); }"),
    "asserts before an include": ("int f(int n) { return n; }", "void check() { assert(f(1) == 1); }\n#include <vector>\nint main() { check(); assert(f(2) == 2); }"),
    "an include that is none": ("int f(int n) { return n; }", "#include <cassert>\nint main() { assert(f(1) == 1); }\n/*\n#include <vector>\n*/"),
    "a text": ("#include <string>\nstd::string f() { return \"a\\nb\"; }", "#undef NDEBUG\n#include <cassert>\nint main() { assert(f() == \"a\\nb\" && \"the text\"); }"),
}  # fmt: skip


@pytest.mark.parametrize("name", CPP_HONEST)
def test_honest_programs_in_cpp_pass_under_the_same_controls(judge: Judge, name: str) -> None:
    code, tests = CPP_HONEST[name]
    found = verdict(judge, fenced(code, "cpp"), form("assert", [tests], language="cpp"))
    assert found.verdict == "pass", f"{name}: {found.detail}"
    assert "controls fail as they must" in found.detail


def test_other_values_are_asked_for_where_cpp_compares_with_literals() -> None:
    source = 'assert(f(1) == 2 && g() == true);\nassert(f("a") == string("b"));\nassert(v() == vector<int>{1, 2});\nassert(x == y);'
    changed = perturbed_cpp(source)
    assert changed is not None
    assert re.fullmatch(
        r'assert\(f\(1\) == \d{4,5} && g\(\) == false\);\nassert\(f\("a"\) == string\("b[a-zA-Z]"\)\);\n'
        r"assert\(v\(\) == vector<int>\{\d{4,5}, 2\}\);\nassert\(x == y\);",
        "\n".join(changed.split("\n")[-4:]),
    )
    assert changed != perturbed_cpp(source), "what is asked for cannot be foreseen"
    assert perturbed_cpp("assert(x == y);") is None


CYCLE = {
    "prompt": "import math\n\ndef shift(s):\n    ''' moves each letter '''\n    return ''.join(chr(ord(c) + math.floor(1.5)) for c in s)\n\ndef back(s):\n    ''' undoes shift '''\n",
    "entry_point": "back",
    "test": "def check(candidate):\n    for text in ('abc', 'x'):\n        assert candidate(shift(text)) == text",
}
CYCLE_CHEATS = {
    "both do nothing": "def shift(s): return s\ndef back(s): return s",
    "a table beside": "seen = {}\ndef shift(s):\n    seen['x'] = s\n    return 'x'\ndef back(s): return seen[s]",
    "other arithmetic": "class math:\n    floor = staticmethod(lambda x: 0)\ndef back(s): return s",
}


@pytest.mark.parametrize("name", CYCLE_CHEATS)
def test_what_the_prompt_gives_is_not_the_solutions_to_change(judge: Judge, name: str) -> None:
    found = verdict(judge, fenced(CYCLE_CHEATS[name]), json.dumps(CYCLE))
    assert found.verdict == "fail", f"{name}: {found.detail}"


def test_what_the_prompt_gives_serves_its_tests(judge: Judge) -> None:
    code = "def back(s): return ''.join(chr(ord(c) - 1) for c in s)"
    for answer in (code, CYCLE["prompt"] + "    return ''.join(chr(ord(c) - 1) for c in s)"):
        found = verdict(judge, fenced(answer), json.dumps(CYCLE))
        assert found.verdict == "pass", found.detail


GIVEN = [
    ("def g(x):\n    return x\n\ndef f(x):\n    ''' asks g '''\n", "g(1)", True),
    ("def g(x):\n    ''' to be written too '''\n\ndef f(x):\n    ''' asks g '''\n", "g(1)", False),
    ("class G:\n    pass\n\ndef g(x):\n    return G()\n\ndef f(x):\n    ''' asks g '''\n", "g(1)", False),
    ("def g(x):\n    return f(x)\n\ndef f(x):\n    ''' asks g '''\n", "g(1)", False),
    ("import math\n\ndef f(x):\n    ''' rounds '''\n", "math.floor(1.5)", True),
    ("def g(x):\n    return x\n\ndef f(x):\n    ''' asks g '''\n", "1", False),
]


@pytest.mark.parametrize(("prompt", "used", "given"), GIVEN)
def test_only_what_stands_for_itself_is_given(prompt: str, used: str, given: bool) -> None:
    row = {"prompt": prompt, "entry_point": "f", "test": f"def check(c):\n    assert c(1) == {used}"}
    tests = read_tests(json.dumps(row))
    assert isinstance(tests, AssertTests)
    assert bool(tests.setup) == given, tests.setup
