"""The documented form of code tests, and what becomes of the forms of public datasets."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifiers.testforms import (
    FORMS,
    AssertTests,
    BadTests,
    CallTests,
    PytestTests,
    StdinTests,
    convert,
    detect,
    dump_tests,
    from_python,
    parse_tests,
    read_tests,
)
from verifiers.testforms.source import parsed

PAIRS = {"input": ["1\n", "2\n"], "output": ["2\n", "3\n"]}
FORM = {"type": "code", "kind": "stdin", "tests": [{"input": "1", "output": "2"}]}


def packed(value: object) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


LCB_CASES = [{"input": "1\n[2]", "output": "[3]", "testtype": "functional"}]
HUMANEVAL = {
    "prompt": "def f(n):\n    ''' adds '''\n",
    "entry_point": "f",
    "test": "def check(c):\n    assert c(1) == 2",
}
PRIME_CASE = {"type": "stdin_stdout", "input": "1", "output": "2"}
CHECK = "def check(c):\n    assert c(1) == 2\n\n"
KODCODE = "from solution import f\n\ndef test_f():\n    assert f(1) == 2\n"

UPSTREAM: list[tuple[str, Any, Callable[[Any], bool]]] = [
    ("humaneval", HUMANEVAL, lambda t: t.entry_point == "f" and t.prefix == HUMANEVAL["prompt"]),
    ("mbpp", {"test_list": ["assert f(1)"], "test_setup_code": "import math"}, lambda t: "math" in t.setup),
    ("mbpp", ["assert f(1) == 2", "assert f(2) == 3"], lambda t: len(t.tests) == 2),
    ("functional", {"functional": f"{CHECK}check(Solution().f)"}, lambda t: t.usual_imports),
    ("functional", {"functional": CHECK, "entry_point": "A().f"}, lambda t: t.entry_point == "A().f"),
    ("functional", {"functional": LCB_CASES, "fn_name": "f"}, lambda t: t.tests[0].args == [1, [2]]),
    ("kodcode", {"test_code": KODCODE, "test_entry_point": "f"}, lambda t: t.module == "solution"),
    ("kodcode", {"test": KODCODE, "test_info": [{"function_name": "g"}]}, lambda t: t.entry_point == "g"),
    ("python", "assert add1(41)==42", lambda t: isinstance(t, AssertTests)),
    ("python", KODCODE, lambda t: isinstance(t, PytestTests)),
    ("apps", {"input_output": '{"inputs": ["1"], "outputs": ["2"]}'}, lambda t: t.tests[0].output == "2"),
    (
        "apps",
        {"inputs": [[1, {"2": 3}]], "outputs": [[4]], "fn_name": "f"},
        lambda t: t.int_keys and t.tests[0].any_of == [[4], 4],
    ),
    ("apps", {"inputs": [["a", "b"]], "outputs": [["c", "d"]]}, lambda t: t.tests[0].input == "a\nb"),
    (
        "code_contests",
        {
            "public_tests": PAIRS,
            "private_tests": PAIRS,
            "time_limit": {"seconds": 2, "nanos": 500_000_000},
            "memory_limit_bytes": 256_000_000,
            "input_file": "",
        },
        lambda t: (t.time_limit_s, t.memory_limit_mb, t.limit_for, len(t.tests)) == (2.5, 256, "compiled", 4),
    ),
    ("code_contests", PAIRS, lambda t: len(t.tests) == 2),
    (
        "livecodebench",
        {
            "public_test_cases": "[]",
            "private_test_cases": packed(json.dumps(LCB_CASES)),
            "metadata": '{"func_name": "f"}',
        },
        lambda t: t.tests[0].args == [1, [2]] and t.tests[0].expected == [3],
    ),
    (
        "livecodebench",
        packed({"input_output": '{"inputs": ["1"], "outputs": ["2"]}'}),
        lambda t: t.kind == "stdin",
    ),
    (
        "livecodebench",
        [{"input": "1", "output": "2", "testtype": "stdin"}],
        lambda t: t.compare == "float" and t.time_limit_s == 6,
    ),
    (
        "prime",
        {"verification_info": {"language": "python", "test_cases": [PRIME_CASE]}},
        lambda t: t.language == "python",
    ),
    (
        "prime",
        {"test_cases": [{"type": "function_call", "fn_name": "f", "input": [1], "output": 2}]},
        lambda t: t.entry_point == "f",
    ),
    (
        "codeforces",
        {
            "official_tests": [{"input": "1", "output": "2"}],
            "generated_checker": "print(1)",
            "time_limit": 2.0,
            "memory_limit": 256.0,
            "input_mode": "stdio",
            "interaction_format": None,
        },
        lambda t: t.checker.code == "print(1)" and t.limit_for == "compiled",
    ),
    (
        "sandboxfusion",
        [{"input": {"stdin": "1"}, "output": {"stdout": "2"}}],
        lambda t: t.tests[0].input == "1",
    ),
    (
        "sandboxfusion",
        {"code": "def f(x): ...", "input": "1", "output": "(2,)"},
        lambda t: t.tests == ["assert f(1) == (2,)"],
    ),
    ("am", {"test_case": '{"inputs": ["1"], "outputs": ["2"]}'}, lambda t: isinstance(t, StdinTests)),
    ("code", FORM, lambda t: t.tests[0].output == "2"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "holds"), UPSTREAM, ids=lambda part: part if type(part) is str else ""
)
def test_each_public_form_is_known_by_its_keys_and_survives_the_documented_form(
    name: str, value: Any, holds: Callable[[Any], bool]
) -> None:
    text = value if isinstance(value, str) else json.dumps(value)
    assert detect(text) == name
    tests = read_tests(text)
    assert holds(tests), f"the converter of {name} lost something: {tests}"
    assert parse_tests(dump_tests(tests)) == tests, f"{name} does not survive the documented form"


def test_every_form_has_an_example_here() -> None:
    assert {name for name, _, _ in UPSTREAM} == set(FORMS)


def form(kind: str, tests: Any, **more: Any) -> str:
    """The JSON of a tests value in the documented form."""
    return json.dumps({"type": "code", "kind": kind, "tests": tests, **more})


IO = [{"input": "1", "output": "2"}]
NO_ARGS = {"args": [], "expected": 1}
TWO_NAMES = [{"fn_name": name, "input": [], "output": 1} for name in "fg"]
BROKEN = [
    ("", "tests.0"),
    ("{", "no JSON"),
    ("[]", "empty list"),
    ("3", "holds no assert"),
    ("assert f(", "neither JSON nor Python"),
    ('{"type": "ifeval"}', "another type"),
    ('{"what": 1}', "keys"),
    ('{"type": "code"}', "kind"),
    (form("stdin", []), "tests"),
    (form("stdin", [{"input": "1"}]), "output"),
    (form("stdin", [{"input": 1, "output": "2"}]), "input"),
    (form("stdin", IO, time_limit=3), "time_limit"),
    (form("stdin", IO, time_limit_s=-1), "time_limit_s"),
    (form("stdin", IO, compare="close"), "compare"),
    (form("call", [{"args": [1]}], entry_point="f"), "expected"),
    (form("call", [NO_ARGS], entry_point="f()"), "entry_point"),
    (form("call", [NO_ARGS]), "entry_point"),
    (form("assert", ["assert ("]), "does not parse"),
    (form("assert", ["x = 1"]), "no assert"),
    (form("assert", ["def check(c): assert c(1)"]), "entry_point"),
    (form("pytest", "x = 1"), "no test function"),
    ('{"inputs": ["1"], "outputs": []}', "1 inputs and 0 outputs"),
    ('{"inputs": [], "outputs": []}', "tests"),
    ('{"inputs": [[1]], "outputs": [1], "fn_name": "not a name"}', "entry_point"),
    ('{"public_tests": {"input": ["1"], "output": ["2"]}, "input_file": "a.in"}', "files"),
    (json.dumps({"official_tests": IO, "interaction_format": "talk"}), "interactive"),
    ('{"public_test_cases": "[]", "private_test_cases": "eJxL"}', "cut short"),
    ('{"public_test_cases": "[]", "private_test_cases": "????"}', "neither"),
    (json.dumps({"test_cases": TWO_NAMES}), "several"),
    ('{"test_list": "assert f(1)"}', "test_list"),
]


@pytest.mark.parametrize(("text", "told"), BROKEN, ids=range(len(BROKEN)))
def test_broken_tests_are_one_clear_error(text: str, told: str) -> None:
    with pytest.raises(BadTests, match=told) as caught:
        read_tests(text)
    assert "\n" not in str(caught.value), "the error is more than one line"


KEYS = [
    "input", "output", "inputs", "outputs", "fn_name", "test", "tests", "test_list", "entry_point", "kind",
    "type", "test_cases", "official_tests", "public_tests", "private_test_cases", "input_output",
    "labels", "content",
]  # fmt: skip


@given(
    st.one_of(
        st.text(),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(
                    st.sampled_from(KEYS),
                    inner,
                    max_size=4,
                ),
            ),
            max_leaves=8,
        ).map(json.dumps),
    )
)
def test_any_text_is_read_or_refused_and_never_breaks_the_reader(text: str) -> None:
    try:
        tests = read_tests(text)
    except BadTests:
        return
    assert parse_tests(dump_tests(tests)) == tests


class _Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return eval, ("1/0",)


@pytest.mark.parametrize("value", [_Evil(), {"input_output": _Evil()}, [1], 3, b"[]"], ids=range(5))
def test_a_pickle_that_holds_more_than_text_is_refused_and_runs_nothing(value: object) -> None:
    with pytest.raises(BadTests, match="not text"):
        convert({"private_test_cases": packed(value)}, form="livecodebench")


def test_a_compressed_bomb_is_refused_before_it_unfolds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifiers.testforms.contests.MAX_CHARS", 1_000_000)
    with pytest.raises(BadTests, match="larger than"):
        convert({"private_test_cases": packed("[" + " " * 5_000_000 + "]")}, form="livecodebench")


def test_a_test_class_without_an_import_takes_the_names_of_the_solution() -> None:
    tests = from_python(
        "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertTrue(f())\n",
        entry="f",
    )
    assert isinstance(tests, PytestTests)
    assert "from solution import f\n" in tests.tests


def test_a_form_that_nobody_knows_is_named_with_those_that_there_are() -> None:
    with pytest.raises(BadTests, match="there are am, apps"):
        convert("x", form="leetcode")


def test_an_answer_of_a_call_may_be_null() -> None:
    tests = parse_tests(
        '{"type":"code","kind":"call","entry_point":"f","tests":[{"args":[],"expected":null}]}'
    )
    assert isinstance(tests, CallTests)
    assert tests.tests[0].answers() == [None]
    assert parse_tests(dump_tests(tests)) == tests


def test_packed_tests_are_bounded_by_the_text_that_holds_them() -> None:
    bomb = packed(json.dumps("0" * 20_000_000))
    with pytest.raises(BadTests, match="larger than"):
        read_tests(bomb)


def test_the_items_of_tests_are_bounded_and_what_stands_in_texts_is_none() -> None:
    many = ",".join(["1"] * 5_100_000)
    with pytest.raises(BadTests, match="items"):
        read_tests('{"inputs": [' + many + '], "outputs": []}')
    assert read_tests(json.dumps({"inputs": [many], "outputs": ["1"]})).kind == "stdin"


def test_a_program_that_would_take_all_memory_is_not_parsed() -> None:
    for name in (".".join(["a"] * 20_000), " . ".join(["a"] * 20_000), "\\\n.".join(["a"] * 20_000)):
        assert isinstance(parsed(f"import {name}"), str)
    assert isinstance(parsed("x;" * 60_000, of_completion=True), str), "too much code for a completion"
    assert isinstance(parsed('# """\n' + "x;" * 60_000 + '\n# """', of_completion=True), str)
    for mark in ("'", '"', "'''", '"""'):
        table = f"table = {mark}{'1 2 ' * 50_000}{mark}"
        assert not isinstance(parsed(table, of_completion=True), str), "a long text is no code"
    assert not isinstance(parsed("import a.b.c\nx = a.b.c.d.e().f"), str)
    for long in ("a" * 300_000, "a " * 150_000, ". " * 150_000, "a.\\\n" * 50):
        parsed(long)
