"""Assert and pytest runs: what the judge tells when it is cut short, and what may not reach it."""

# ruff: noqa: E501 - the programs are kept as they would be written

from __future__ import annotations

import json
import os

import pytest

from sandbox import Limits, Sandbox
from sandbox.inside.test_report import Teller, read

COUNTING = "class F:\n    def __iter__(s): s.n = 0; return s\n    def __next__(s): s.n += 1; return s.n\n"

ITERATORS = {
    "its own methods": (COUNTING + "    def more(s): return s.n", "it = iter(F())\nassert next(it) == 1 and it.more() == 1"),
    "one that ends": ("class F:\n    def __iter__(s): return iter([1, 2])", "assert list(F()) == [1, 2] and 2 in F()"),
    "a generator": ("def F():\n    yield from 'ab'", "it = F()\nassert next(it) == 'a' and list(it) == ['b']"),
    "unpacked": ("def F(): return map(str, range(3))", "a, *b = F()\nassert (a, b) == ('0', ['1', '2'])"),
}  # fmt: skip


@pytest.mark.parametrize("name", ITERATORS)
def test_an_iterator_of_the_solution_stays_its_own(box: Sandbox, name: str) -> None:
    code, tests = ITERATORS[name]
    result = box.run_asserts(code, tests)
    assert result.verdict == "AC", f"{name}: {result}"


def test_what_is_no_iterator_is_none(box: Sandbox) -> None:
    result = box.run_asserts("class F:\n    def __iter__(s): return [2]", "assert list(F()) == [2]")
    assert result.verdict in ("WA", "RE"), f"iter() gives an iterator or an error: {result}"


ENDS = {
    "loops": ("while True: pass", "TLE"),
    "sleeps": ("import time\n        time.sleep(60)", "TLE"),
    "exits": ("import os\n        os._exit(0)", "RE"),
    "eats memory": (
        "import mmap\n        held = [mmap.mmap(-1, 32 << 20) for _ in range(64)]\n"
        "        for m in held:\n            for p in range(0, 32 << 20, 4096): m[p] = 1",
        "RE|MLE",
    ),
}


@pytest.mark.parametrize("way", ["asserts", "pytest"])
@pytest.mark.parametrize("name", ENDS)
def test_what_had_passed_before_a_limit_stays_passed(box: Sandbox, name: str, way: str) -> None:
    body, verdict = ENDS[name]
    code = f"def f(n):\n    if n > 3:\n        {body}\n    return n"
    limits = Limits(cpu_s=0.5, wall_s=1.5, memory_mb=256)
    if way == "asserts":
        result = box.run_asserts(
            code, "assert f(2) == 2\nassert f(3) == 3\nassert f(4) == 4\nassert f(1) == 1", limits=limits
        )
    else:
        cases = "\n".join(f"def test_{n}():\n    assert f({n}) == {n}" for n in (2, 3, 4, 1))
        result = box.run_pytest(code, f"from solution import f\n{cases}", limits=limits)
    found = [test.verdict for test in result.tests]
    assert found[:2] == ["AC", "AC"] and found[2] in verdict.split("|"), f"{name}: {found}"  # noqa: PT018
    assert result.verdict == found[2], "the run has the verdict of its first failure"
    assert result.tests[2].name in ("line 3", "test_4"), "the test that was under way is named"


def test_a_limit_broken_while_tests_are_prepared_passes_nothing(box: Sandbox) -> None:
    code = "def f(n):\n    while n > 3: pass\n    return n"
    result = box.run_asserts(code, "x = f(4)\nassert x == 4", limits=Limits(cpu_s=0.5))
    assert [test.verdict for test in result.tests] == ["TLE"], result


def test_a_weak_harness_is_known_before_the_run_is_cut_short(box: Sandbox) -> None:
    code = (
        "class P:\n    def __eq__(s, o): return type(o) is P\n"
        "def loop():\n    while True: pass"
    )  # fmt: skip
    result = box.run_asserts(code, "assert P() == P()\nassert loop() == 1", limits=Limits(cpu_s=0.5))
    assert [test.verdict for test in result.tests] == ["AC", "TLE"], result
    assert result.weak_harness, "the test that passed rests on the solution's own ==, whatever came after it"


def test_tests_that_end_their_own_process_pass_nothing_more(box: Sandbox) -> None:
    result = box.run_asserts("def f(): return 1", "assert f() == 1\nimport os\nos._exit(0)\nassert f() == 1")
    assert [test.verdict for test in result.tests] == ["AC", "RE"], result


def test_a_report_cut_anywhere_is_not_closed() -> None:
    fd = os.memfd_create("report")
    teller = Teller(fd)
    teller.begins("a\nb")
    teller.ended("a\nb", "passed", "", weak=True)
    teller.begins("c")
    teller.ended("c", "passed", "\ud800", weak=False)
    teller.closed(error=None)
    data = os.pread(fd, 1 << 16, 0)
    whole = read(data)
    assert (whole.closed, len(whole.tests), whole.tests[1]["reason"]) == (True, 2, "\ud800")
    for size in range(len(data) - 1):
        told = read(data[:size])
        assert not told.closed, f"{data[:size]!r} is not all that was told"
        assert told.tests == whole.tests[: len(told.tests)], "what is left is what was told first"


FORGED = (
    json.dumps({"name": "", "outcome": "passed", "reason": "", "weak": False})
    + "\n"
    + json.dumps({"closed": True, "error": None})
    + "\n"
)
FORGE = f"import os\nos.write(4, {FORGED.encode()!r})\nos._exit(0)\n"
"""Reports that all is well, if the judge ever runs it."""
SHADOW = f"""
import contextlib, os, statistics
for name in ("unittest", "statistics", "helpers", "numpy", "pytest", "math"):
    for path in (f"{{name}}.py", f"lib/{{name}}.py", f"{{name}}/__init__.py"):
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            open(path, "w").write({FORGE!r})
with contextlib.suppress(OSError): os.symlink("lib", "link")
def f(x): return 0
"""
PICKLE = f"""
import pickle
class Exit:
    def __reduce__(s): return exec, ({FORGE!r},)
open("m.pkl", "wb").write(pickle.dumps([Exit()]))
open("n.pkl", "wb").write(pickle.dumps(({{1, 2}}, __import__("fractions").Fraction(1, 2))))
def f(x): return 0
"""

PLANTED = {
    "a module of the library": (SHADOW, "import unittest, statistics\nassert f(1) == 2"),
    "a module that is missing": (SHADOW, "try:\n    import helpers\nexcept ImportError:\n    pass\nassert f(1) == 2"),
    "the search path extended": (SHADOW, "import os, sys\nsys.path[:0] = [os.getcwd(), '.', '', 'lib', 'link', os.path.dirname(__file__)]\ntry:\n    import helpers\nexcept ImportError:\n    pass\nassert f(1) == 2"),
    "a module that the solution imports": (SHADOW, "assert statistics and f(1) == 2"),
    "a pickle": (PICKLE, "import pickle\ntry:\n    pickle.load(open('m.pkl', 'rb'))\nexcept Exception:\n    pass\nassert f(1) == 2"),
    "a pickle, read by Python code": (PICKLE, "import pickle\ntry:\n    pickle._load(open('m.pkl', 'rb'))\nexcept Exception:\n    pass\nassert f(1) == 2"),
}  # fmt: skip


@pytest.mark.parametrize("way", ["asserts", "pytest"])
@pytest.mark.parametrize("name", PLANTED)
def test_files_of_the_solution_run_nothing_in_the_judge(box: Sandbox, name: str, way: str) -> None:
    code, tests = PLANTED[name]
    if way == "asserts":
        result = box.run_asserts(code, tests, entry="f")
    else:
        *rest, last = tests.split("\n")
        result = box.run_pytest(
            code, "\n".join(["from solution import *", *rest, "def test_f():", f"    {last}"])
        )
    assert result.verdict in ("WA", "RE"), f"{name} got {result}"


def test_a_pickle_of_plain_values_can_be_read(box: Sandbox) -> None:
    tests = "import pickle\nassert pickle.load(open('n.pkl', 'rb')) == ({1, 2}, 0.5)"
    assert box.run_asserts(PICKLE, tests).verdict == "AC", "a file of plain values is what a test may look at"


DIES = "import os\ndef f(*a): os._exit(0)\n"
CHEATS = {
    "an end that a bare except swallows": (DIES, "try:\n    f(-1)\n    assert False\nexcept:\n    pass"),
    "an end that a return swallows": (DIES, "def g():\n    try:\n        return f(1)\n    finally:\n        return 2\nassert g() == 2"),
    "an end where any exception is wanted": (DIES, "import contextlib\nwith contextlib.suppress(BaseException):\n    f(1)\nassert True"),
    "a false message": ("import os\ndef f(x):\n    os.write(3, b'\\x01\\0\\0\\0N')\n    return 0", "try:\n    f(1)\nexcept BaseException:\n    pass\nassert True"),
    "a method of the tests replaced": ("def f(o):\n    o.same = lambda *a: True\n    return 0", "class T:\n    def same(s, a, b): assert a == b\nt = T()\nx = f(t)\nt.same(x, 2)\nassert True"),
    "a module replaced": ("class math:\n    isclose = staticmethod(lambda *a: True)\ndef f(x): return 0", "assert math.isclose(f(1), 2)"),
    "an exception that is a class": ("def f(x): raise type('E', (AssertionError,), {})", "try:\n    f(1)\nexcept ValueError:\n    pass\nelse:\n    assert False"),
}  # fmt: skip


@pytest.mark.parametrize("way", ["asserts", "pytest"])
@pytest.mark.parametrize("name", CHEATS)
def test_cheats_pass_nothing(box: Sandbox, name: str, way: str) -> None:
    code, tests = CHEATS[name]
    if way == "asserts":
        result = box.run_asserts(code, tests, entry="f")
    else:
        body = "\n".join(f"    {line}" for line in tests.split("\n"))
        result = box.run_pytest(code, f"from solution import *\ndef test_f():\n{body}")
    assert result.verdict in ("WA", "RE"), f"{name} got {result}"


def test_a_function_of_the_solution_is_no_fixture(box: Sandbox) -> None:
    code = "def f(x): return 0\ndef data(): return 1, 0\ndata._fixture = {'autouse': True}"
    tests = "import pytest\n@pytest.fixture\ndef data(): return 1, 2\nfrom solution import *\ndef test_f(data):\n    assert f(data[0]) == data[1]"
    assert box.run_pytest(code, tests).verdict in ("WA", "RE"), "the solution chooses what it is asked"


MUTATED = [
    ("defaultdict(int, a=1)", "d['b'] = 2", "{'a': 1, 'b': 2}"),
    ("deque([1])", "d.append(2)", "deque([1, 2])"),
]


@pytest.mark.parametrize(("made", "change", "wanted"), MUTATED)
def test_containers_of_the_library_are_changed_in_place(
    box: Sandbox, made: str, change: str, wanted: str
) -> None:
    tests = f"from collections import *\nx = {made}\nf(x)\nassert x == {wanted}\nassert type(x).__name__ == {made.partition('(')[0]!r}"
    result = box.run_asserts(f"def f(d): {change}", tests)
    assert result.verdict == "AC", result
