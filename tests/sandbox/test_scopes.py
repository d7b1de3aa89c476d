"""Set-up and tear-down of every scope in files for pytest and unittest, and tests that wait for coroutines."""

# ruff: noqa: E501 - the programs are kept as they would be written

from __future__ import annotations

import pytest

from sandbox import CallTest, Sandbox

COUNT = "def f(x): return x + 1\nasync def g(x): return x + 1\nclass Box:\n    def __init__(self): self.items = []\n    def add(self, x): self.items.append(x); return len(self.items)\n"
HEAD = "import pytest, unittest\nfrom solution import f, g, Box\nseen = []\n"

FILES = {
    "module functions of pytest": "def setup_module(module):\n    module.box = Box()\ndef teardown_module():\n    seen.append('down')\ndef test_a():\n    assert box.add(1) == 1 and not seen\ndef test_b():\n    assert box.add(1) == 2 and not seen",
    "functions around each test": "def setup_function(function):\n    seen.append(function.__name__)\ndef teardown_function():\n    seen.append('down')\ndef test_a():\n    assert seen == ['test_a']\ndef test_b():\n    assert seen == ['test_a', 'down', 'test_b'] and f(1) == 2",
    "a class of pytest": "class TestBox:\n    @classmethod\n    def setup_class(cls):\n        cls.box = Box()\n    @classmethod\n    def teardown_class(cls):\n        seen.append('down')\n    def setup_method(self, method):\n        self.name = method.__name__\n    def test_a(self):\n        assert self.box.add(1) == 1 and self.name == 'test_a'\n    def test_b(self):\n        assert self.box.add(1) == 2 and not seen\ndef test_c():\n    assert seen == ['down'] and f(1) == 2",
    "a class of unittest": "class T(unittest.TestCase):\n    @classmethod\n    def setUpClass(cls):\n        cls.box = Box()\n    @classmethod\n    def tearDownClass(cls):\n        seen.append('down')\n    def setUp(self):\n        self.own = Box()\n    def test_a(self):\n        self.assertEqual(self.box.add(1), 1)\n        self.assertEqual(self.own.add(1), 1)\n    def test_b(self):\n        self.assertEqual(self.box.add(1), 2)\n        self.assertEqual(self.own.add(1), 1)\nclass U(unittest.TestCase):\n    def test_c(self):\n        self.assertEqual((seen, f(1)), (['down'], 2))",
    "a module of unittest": "def setUpModule():\n    global box\n    box = Box()\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(box.add(1), 1)\n    def test_b(self):\n        with self.subTest(i=1):\n            self.assertEqual(box.add(1), 2)",
    "fixtures of every scope": "@pytest.fixture(scope='module')\ndef shared():\n    box = Box()\n    yield box\n    seen.append('module')\n@pytest.fixture(scope='session')\ndef whole(): return Box()\n@pytest.fixture(scope='class')\ndef classy(): return Box()\n@pytest.fixture\ndef own(): return Box()\ndef test_a(shared, whole, own):\n    assert (shared.add(1), whole.add(1), own.add(1)) == (1, 1, 1)\nclass TestA:\n    def test_b(self, shared, whole, classy, own):\n        assert (shared.add(1), whole.add(1), classy.add(1), own.add(1)) == (2, 2, 1, 1)\n    def test_c(self, shared, classy):\n        assert (shared.add(1), classy.add(1)) == (3, 2) and seen == []\nclass TestB:\n    def test_d(self, classy):\n        assert classy.add(1) == 1",
    "fixtures with parameters": "@pytest.fixture(params=[1, 2], ids=str)\ndef n(request): return request.param\n@pytest.fixture\ndef m(n): return n + 1\ndef test_a(m, n):\n    assert f(n) == m",
    "fixtures by marks": "@pytest.fixture\ndef noted(): seen.append(1)\n@pytest.fixture\ndef doubled(request): return request.param * 2\n@pytest.mark.usefixtures('noted')\ndef test_a():\n    assert seen == [1] and f(1) == 2\n@pytest.mark.parametrize('doubled', [2], indirect=True)\ndef test_b(doubled, request):\n    assert f(doubled) == 5 and request.getfixturevalue('doubled') == 4",
    "what is skipped or expected to fail": "@pytest.mark.skip\ndef test_a(): assert False\n@pytest.mark.xfail\ndef test_b(): assert f(1) == 3\n@pytest.mark.parametrize('n', [pytest.param(1), 2])\ndef test_c(n): assert f(n) == n + 1",
    "a coroutine awaited": "import asyncio\ndef test_a():\n    assert asyncio.run(g(1)) == 2\nasync def both():\n    return await asyncio.gather(g(1), g(2))\ndef test_b():\n    assert asyncio.run(both()) == [2, 3]",
    "tests that are coroutines": "import asyncio\n@pytest.mark.asyncio\nasync def test_a():\n    assert await g(1) == 2\nclass T(unittest.IsolatedAsyncioTestCase):\n    async def test_b(self):\n        self.assertEqual(await g(2), 3)",
    "arrays and approximate values": "import math\ndef test_a():\n    assert f(0.1) == pytest.approx(1.1) and [f(1)] == pytest.approx([2.0])",
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_runs_as_its_own_runner_would_run_it(box: Sandbox, name: str) -> None:
    result = box.run_pytest(COUNT, HEAD + FILES[name])
    assert result.verdict == "AC", f"{name}: {[(t.name, t.reason) for t in result.tests]}"
    wrong = COUNT.replace("x + 1", "x + 2").replace("len(self.items)", "7")
    assert box.run_pytest(wrong, HEAD + FILES[name]).verdict == "WA", f"{name} must be able to fail"


BROKEN = {
    "setUpClass": "class T(unittest.TestCase):\n    @classmethod\n    def setUpClass(cls): assert f(1) == 3\n    def test_a(self): pass\n    def test_b(self): pass",
    "setup_module": "def setup_module(): assert f(1) == 3\ndef test_a(): pass\ndef test_b(): pass",
    "a fixture": "@pytest.fixture(scope='module')\ndef x(): assert f(1) == 3\ndef test_a(x): pass\ndef test_b(x): pass",
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_where_the_set_up_fails_each_test_fails(box: Sandbox, name: str) -> None:
    result = box.run_pytest(COUNT, HEAD + BROKEN[name])
    assert [test.verdict for test in result.tests] == ["WA", "WA"], result


def test_what_pytest_has_and_the_sandbox_has_not_is_no_wrong_answer(box: Sandbox) -> None:
    for body in ("def test_a(caplog): assert f(1) == 2", "def test_a():\n    with pytest.deprecated(): f(1)"):
        result = box.run_pytest(COUNT, HEAD + body)
        assert result.tests[0].undecided, result


def test_a_coroutine_that_a_call_returns_is_awaited(box: Sandbox) -> None:
    assert box.run_calls(COUNT, [CallTest([1], 2)], entry="g").verdict == "AC"
    assert box.run_calls(COUNT, [CallTest([1], 3)], entry="g").verdict == "WA"


ERRORS = {
    "of a module": ("import xml.etree.ElementTree as ET\ndef f(x): ET.fromstring(x)", "import xml.etree.ElementTree as ET\ntry:\n    f('<a')\nexcept ET.ParseError:\n    ended = True\nassert ended"),
    "with arguments": ("import json\ndef f(x): return json.loads(x)", "import json\ntry:\n    f('{')\nexcept json.JSONDecodeError:\n    ended = True\nassert ended"),
    "of its own, by a base of the library": ("import json\nclass E(LookupError): pass\ndef f(x): raise E(x)", "try:\n    f(1)\nexcept LookupError as e:\n    ended = e.args\nassert ended == (1,)"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_exceptions_of_the_library_are_caught_by_their_class(box: Sandbox, name: str) -> None:
    code, tests = ERRORS[name]
    result = box.run_asserts(code, tests)
    assert result.verdict == "AC", f"{name}: {result}"


@pytest.mark.parametrize("kind", ["unittest.SkipTest", "unittest.case.SkipTest", "unittest.case._ShouldStop"])
def test_no_exception_of_the_solution_skips_a_test(box: Sandbox, kind: str) -> None:
    code = f"import unittest\ndef f(x):\n    if x == 1: return 2\n    raise {kind}('no')"
    tests = "import unittest\nfrom solution import f\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(f(1), 2)\n    def test_b(self): self.assertEqual(f(2), 3)"
    assert box.run_pytest(code, tests).verdict in ("WA", "RE")
