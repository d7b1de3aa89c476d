"""Solutions that leave the tests nothing to say: by names, by exceptions, by objects, by emptiness."""

# ruff: noqa: E501 - the programs are kept as they would be written

from __future__ import annotations

import pytest

from sandbox import Sandbox

AGENT = """
import sys
frame = sys._getframe()
while "_Agent" not in frame.f_globals: frame = frame.f_back
agent = frame.f_globals["_Agent"]
perform = agent._perform
def answer(self, message):
    if message[0] == "name" and message[1] in fake: return fake[message[1]], []
    if message[0] == "names": return [*fake, "f"], []
    return perform(self, message)
agent._perform = answer
def f(x): return 0
"""
LIAR = "class L:\n    def __getattr__(s, n): return s\n    def __call__(s, *a, **k): return True\n"
EQUAL = "class E:\n    def __eq__(s, o): return True\n    def __ne__(s, o): return False\n    def __hash__(s): return 1\n"

NAMES = {
    "the built-ins": ("fake = {'__builtins__': {'abs': lambda x: 0, 'range': lambda *a: [], 'len': lambda x: 3}}" + AGENT, "for i in range(3):\n    assert f(i) == i + 1"),
    "one built-in": ("fake = {'abs': lambda x: 0, 'all': lambda x: True, 'zip': lambda *a: []}" + AGENT, "assert abs(f(1) - 2) < 1e-9"),
    "names by another route": ("fake = {'sorted': lambda x: [1], '__name__': 'x'}" + AGENT, "assert sorted([f(1)]) == [2]"),
    "a helper of the library": ("isclose = lambda *a, **k: True\ndef f(x): return 0", "assert isclose(f(1), 2)"),
    "a helper of numpy": ("allclose = lambda *a, **k: True\ndef f(x): return [0]", "assert allclose(f(1), [2])"),
    "numpy itself": (LIAR + "np = L()\ndef f(x): return [0]", "assert np.allclose(f(1), [2])"),
    "a module": (LIAR + "math = L()\ndef f(x): return 0", "assert math.isclose(f(1), 2)"),
    "operator": ("def eq(a, b): return True\ndef f(x): return 0", "assert eq(f(1), 2)"),
    "a copy": ("def deepcopy(x): return [1]\ndef f(x): return [1]", "want = deepcopy([2])\nassert f(1) == want"),
    "a name that the tests define later": ("same = lambda a, b: True\ndef f(x): return 0", "def check():\n    assert same(f(1), 2)\ndef same(a, b): return a == b\ncheck()"),
    "the name of a variable": ("want = 0\ndef f(x): return 0", "want = 2\nassert f(1) == want"),
    "any": ("class A:\n    def __eq__(s, o): return True\nANY = A()\ndef f(x): return 0", "assert [f(1), ANY] == [2, 5]"),
}  # fmt: skip

FLOW = [
    f"def f(x): raise {kind}"
    for kind in ("StopIteration", "StopIteration(2)", "StopAsyncIteration", "GeneratorExit", "KeyboardInterrupt", "SystemExit(0)", "type('S', (StopIteration,), {})", "__import__('asyncio').CancelledError")
]  # fmt: skip
SWALLOWING = [
    "want = [2, 3]\nassert all(a == b for a, b in zip(map(f, [1, 2]), want))",
    "assert list(map(f, [1, 2])) == []",
    "for got, want in zip(map(f, [1, 2]), [2, 3]):\n    assert got == want",
    "def rows():\n    for n in (1, 2):\n        yield f(n) == n + 1\nassert all(rows())",
    "import itertools\nfor got, want in itertools.zip_longest(map(f, []), map(f, [1])):\n    assert got == want",
    "assert dict(zip([1, 2], map(f, [1, 2]))) == {}",
    "assert sum(1 for n in filter(lambda n: f(n) != n + 1, [1, 2])) == 0",
    "assert max(map(f, [1, 2]), default=3) == 3",
    "got = next(map(f, [1]), 2)\nassert got == 2",
]  # fmt: skip

OBJECTS = {
    "equal to all": (EQUAL + "def f(x): return E()", "assert f(1) == 2"),
    "equal to all, the other way": (EQUAL + "def f(x): return E()", "assert 2 == f(1)"),
    "equal to all, in a list": (EQUAL + "def f(x): return [E()]", "assert f(1) == [2]"),
    "equal to all, among many": (EQUAL + "def f(x): return E()", "assert f(1) in (2, 3)"),
    "equal to all, wanted in a variable": (EQUAL + "def make(x): return E()\ndef f(x): return E()", "want = make(2)\nassert f(1) == want"),
    "equal to its kind, wanted by another function": ("class E:\n    def __eq__(s, o): return True\ndef g(x): return E()\ndef f(x): return E()", "want = g(2)\nassert f(1) == want and g(1) == want"),
    "less than all": ("class E:\n    def __lt__(s, o): return True\n    def __gt__(s, o): return True\nclass P(E):\n    def __init__(s, x): pass", "assert P(1) < P(2) and P(2) > P(1)"),
    "differs from itself": ("class P:\n    def __init__(s, x): pass\n    def __ne__(s, o): return True", "assert P(1) != P(2)"),
    "no difference": ("class Z:\n    def __sub__(s, o): return 0\n    def __rsub__(s, o): return 0\n    def __abs__(s): return 0\ndef f(x): return Z()", "assert abs(f(1) - 2) < 1e-6"),
    "no difference, the other way": ("class Z:\n    def __rsub__(s, o): return 0\ndef f(x): return Z()", "assert abs(2 - f(1)) < 1e-6"),
    "rounds to all": ("class R:\n    def __round__(s, n=0): return 2\ndef f(x): return R()", "assert round(f(1), 2) == 2"),
    "a text equal to all": ("class S(str):\n    def __eq__(s, o): return True\ndef f(x): return S('a')", "assert f(1) == 'b'"),
    "a number equal to all": ("class I(int):\n    def __eq__(s, o): return True\n    def __sub__(s, o): return 0\ndef f(x): return I(0)", "assert f(1) == 2 or abs(f(1) - 2) < 1"),
    "a float that is no number": ("def f(x): return float('nan')", "assert not f(1) < 2 and not f(1) > 2 and f(1) == 2"),
    "a class for a value": (EQUAL + "class M(type):\n    def __eq__(s, o): return True\nclass E(metaclass=M): pass\ndef f(x): return E", "assert f(1) == 2"),
}  # fmt: skip

NOTHING = {
    "a loop over nothing": ("def f(x): return []", "for got, want in zip(f([1, 2]), [2, 3]):\n    assert got == want"),
    "a generator of nothing": ("def f(x): return iter(())", "for got, want in zip(f([1, 2]), [2, 3]):\n    assert got == want"),
    "all of nothing": ("def f(x): return []", "assert all(got == want for got, want in zip(f([1, 2]), [2, 3]))"),
    "an empty dict": ("def f(x): return {}", "for key, got in f([1, 2]).items():\n    assert got == key + 1"),
    "an empty array": ("import numpy as np\ndef f(x): return np.empty((0, 1))", "import numpy as np\nwant = np.array([1, 2])\nassert (f(1) == want).all()"),
    "an empty array that is close": ("import numpy as np\ndef f(x): return np.empty((0, 1))", "import numpy as np\nwant = np.array([1, 2])\nassert np.allclose(want, f(1))"),
    "an empty list that is close": ("def f(x): return []", "import numpy as np\nwant = np.array([1.0])\nassert np.allclose(f(1), want)"),
    "an empty array asserted by numpy": ("import numpy as np\ndef f(x): return np.empty((0, 2))", "import numpy as np\nnp.testing.assert_allclose(f(1), [1, 2])\nassert True"),
}  # fmt: skip

GROUPS = {
    **{f"name: {name}": pair for name, pair in NAMES.items()},
    **{f"flow: {number}/{place}": (code, tests) for number, code in enumerate(FLOW) for place, tests in enumerate(SWALLOWING) if (number + place) % 3 == 0},
    **{f"object: {name}": pair for name, pair in OBJECTS.items()},
    **{f"nothing: {name}": pair for name, pair in NOTHING.items()},
}  # fmt: skip


def _as_pytest(tests: str) -> str:
    body = "\n".join(f"    {line}" for line in tests.split("\n"))
    return f"from solution import *\ndef test_all():\n{body}\n"


WAYS = [(name, "asserts") for name in GROUPS] + [(name, "pytest") for name in GROUPS if "flow" not in name]


@pytest.mark.parametrize(("name", "way"), WAYS)
def test_a_solution_that_solves_nothing_passes_nothing(numeric_box: Sandbox, name: str, way: str) -> None:
    code, tests = GROUPS[name]
    if way == "asserts":
        result = numeric_box.run_asserts(code, tests)
    else:
        result = numeric_box.run_pytest(code, _as_pytest(tests))
    assert result.verdict in ("WA", "RE", "TLE"), f"{name} got {result}"
    assert not any(test.undecided for test in result.tests), f"{name} makes itself no wrong answer: {result}"


HONEST = {
    "a name of the library": ("def f(x): return x + 1e-12", "assert isclose(f(1), 1)"),
    "a module nobody imports": ("def f(x): return x + 1e-12", "assert math.isclose(f(1), 1)"),
    "numpy nobody imports": ("def f(x): return [x]", "assert np.allclose(f(1), [1])"),
    "a function called like one of the library": ("def gcd(a, b): return a if not b else gcd(b, a % b)", "assert gcd(12, 18) == 6"),
    "a function called like a comparison": ("def isclose(a, b): return abs(a - b) < 2", "assert isclose(1, 2)"),
    "a class and a helper": ("class P:\n    def __init__(s, a): s.a = a\ndef f(ps): return max(p.a for p in ps)", "assert f([P(1), P(2)]) == 2"),
    "an end that is wanted": ("def f(): raise StopIteration", "try:\n    f()\nexcept StopIteration:\n    ended = True\nassert ended"),
    "an exit that is wanted": ("import sys\ndef f(): sys.exit(3)", "try:\n    f()\nexcept SystemExit as e:\n    code = e.code\nassert code == 3"),
    "an iterator that ends": ("class I:\n    def __init__(s): s.n = 0\n    def __iter__(s): return s\n    def __next__(s):\n        s.n += 1\n        if s.n > 2: raise StopIteration\n        return s.n", "assert list(I()) == [1, 2]"),
    "calculating with one's own objects": ("class V:\n    def __init__(s, x): s.x = x\n    def __mul__(s, k): return V(s.x * k)\n    __rmul__ = __mul__\n    def __eq__(s, o): return isinstance(o, V) and s.x == o.x", "assert V(1) * 2 == V(2) and 3 * V(1) == V(3)"),
    "objects in order": ("class V:\n    def __init__(s, x): s.x = x\n    def __lt__(s, o): return s.x < o.x", "assert V(1) < V(2)"),
    "empty where empty is wanted": ("import numpy as np\ndef f(x): return np.array([])", "import numpy as np\nassert np.allclose(f(1), []) and (f(1) == np.array([])).all()"),
    "a loop over something": ("def f(x): return [n + 1 for n in x]", "for got, want in zip(f([1, 2]), [2, 3]):\n    assert got == want"),
    "an error that is wanted": ("def f(x): raise ValueError(x)", "try:\n    f(1)\n    assert False\nexcept ValueError:\n    pass"),
    "a check that another function calls": ("def f(x): return x + 1", "def check(candidate):\n    assert candidate(1) == 2\ndef test_check():\n    check(f)\ntest_check()"),
    "a mark of byte order": ("def f(x): return x + 1", "\ufeffassert f(1) == 2"),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_honest_solutions_pass_beside_the_same_guards(numeric_box: Sandbox, name: str) -> None:
    code, tests = HONEST[name]
    result = numeric_box.run_asserts(code, tests)
    assert result.verdict == "AC", f"{name} got {result}"
