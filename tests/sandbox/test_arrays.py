"""Arrays of numpy between a solution and its judge."""

# ruff: noqa: E501 - the programs are kept as they would be written

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from sandbox import CallTest, Sandbox
from sandbox.inside.arrays import MAX_ITEMS, Raw, built
from sandbox.inside.codec import CodecError, encode
from sandbox.inside.decoder import decode


@pytest.fixture
def box(numeric_box: Sandbox) -> Sandbox:
    """The one whose programs find numpy."""
    return numeric_box


HONEST = {
    "equal": ("np.arange(n)", "np.array_equal(f(3), [0, 1, 2])"),
    "compared item by item": ("np.arange(n)", "(f(3) == np.array([0, 1, 2])).all()"),
    "as numpy's own tests do": ("np.arange(n) / 2", "np.testing.assert_allclose(f(3), [0, 0.5, 1]) is None"),
    "listed": ("np.arange(n)", "list(f(3)) == [0, 1, 2] and f(3).tolist() == [0, 1, 2]"),
    "its kind and its shape": ("np.zeros((n, 2), np.float32)", "isinstance(f(3), np.ndarray) and f(3).dtype == np.float32 and f(3).shape == (3, 2)"),
    "a number": ("np.arange(n).sum()", "f(3) == 3 and isinstance(f(3), np.integer) and range(9)[f(3)] == 3"),
    "a truth": ("np.bool_(n > 2)", "f(3) and not f(1) and f(3) == True"),
    "within a dict": ("{'a': [np.eye(n), np.float64(n)]}", "f(2)['a'][0].trace() == f(2)['a'][1] == 2.0"),
    "without items": ("np.empty((0, n))", "f(3).shape == (0, 3)"),
    "of no dimension": ("np.array(n)", "f(3).shape == () and f(3) == 3"),
    "turned around": ("np.arange(n).reshape(1, n).T[::-1]", "f(3).tolist() == [[2], [1], [0]]"),
    "not finite": ("np.array([np.nan, np.inf, 1j])", "np.isnan(f(3)[0]) and np.isinf(f(3)[1])"),
    "passed in": ("np.asarray(n).sum()", "f(np.array([[1, 2], [3, 4]])) == 10"),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_arrays_of_honest_solutions_are_judged_as_they_are(box: Sandbox, name: str) -> None:
    body, condition = HONEST[name]
    result = box.run_asserts(
        f"import numpy as np\ndef f(n): return {body}", f"import numpy as np\nassert {condition}"
    )
    assert result.verdict == "AC", f"{name}: {result.tests}"


def test_an_array_changed_in_place_is_changed_for_the_tests(box: Sandbox) -> None:
    tests = "import numpy as np\na = np.array([3.0, 1.0])\nf(a)\nassert a.tolist() == [1.0, 3.0]"
    assert box.run_asserts("def f(a): a.sort()", tests).verdict == "AC"


WRONG = {
    "other items": ("np.arange(n) + 1", "np.array_equal(f(3), [0, 1, 2])"),
    "a class that agrees": ("type('ndarray', (), {'__eq__': lambda s, o: True, '__array__': lambda s, *a, **k: np.ones(n)})()", "np.array_equal(f(3), [0, 1, 2])"),
    "a class that says where to look": ("type('A', (), {'__array_interface__': {'data': (id(n), False), 'shape': (1,), 'typestr': '<i8', 'version': 3}})()", "np.asarray(f(3)).dtype == np.int64"),
    "a subclass that agrees": ("type('A', (np.ndarray,), {'__eq__': lambda s, o: np.bool_(True)})((n,))", "np.array_equal(f(3), [0, 1, 2])"),
    "objects that agree": ("np.array([type('Y', (), {'__eq__': lambda s, o: True})()] * n)", "(f(3) == np.array([0, 1, 2])).all()"),
    "an endless view": ("np.broadcast_to(np.int8(0), (1 << 40,))", "(f(3) == 0).all()"),
    "more than may cross": ("np.zeros(1 << 23)", "(f(3) == 0).all()"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_arrays_of_dishonest_solutions_pass_nothing(box: Sandbox, name: str) -> None:
    body, condition = WRONG[name]
    result = box.run_asserts(
        f"import numpy as np\ndef f(n): return {body}", f"import numpy as np\nassert {condition}"
    )
    assert result.verdict in ("WA", "RE", "MLE", "OLE"), f"{name}: {result}"


def test_an_array_without_items_makes_a_weak_harness(box: Sandbox) -> None:
    code = "import numpy as np\ndef f(n): return np.empty((0, 1))"
    result = box.run_asserts(code, "import numpy as np\nassert np.allclose(f(3), [0, 1, 2])")
    assert result.verdict != "AC" or result.weak_harness, "it agrees with all that it can be spread over"


def test_what_cannot_be_compared_is_said_so(box: Sandbox) -> None:
    code = "import numpy as np\ndef f(n): return np.zeros(n, 'i4,i4')"
    result = box.run_asserts(code, "import numpy as np\nassert (f(2) == np.zeros(2, 'i4,i4')).all()")
    assert result.tests[0].undecided, "two arrays of a kind that does not cross may be equal"
    plain = box.run_asserts(code, "import numpy as np\nassert f(2) == [1, 1]")
    assert (plain.verdict, plain.tests[0].undecided) == ("WA", ""), (
        "a list is no such array, whatever it holds"
    )


def test_numbers_returned_by_a_call_are_plain_and_arrays_are_not(box: Sandbox) -> None:
    code = "import numpy as np\ndef f(kind): return {'int': np.int64(3), 'float': np.float32(0.5), 'bool': np.bool_(True), 'list': [np.uint8(1)]}[kind]"
    wanted = {"int": 3, "float": 0.5, "bool": True, "list": [1]}
    result = box.run_calls(code, [CallTest([kind], value) for kind, value in wanted.items()], entry="f")
    assert result.verdict == "AC", [test.reason for test in result.tests]
    result = box.run_calls(
        "import numpy as np\ndef f(): return np.arange(2)", [CallTest([], [0, 1])], entry="f"
    )
    assert "a ndarray may not cross" in result.tests[0].reason, "outside of the sandbox no array is built"


def _bytes(
    code: int, shape: tuple[int, ...], data: bytes, *, mark: bytes = b"n", dimensions: int | None = None
) -> bytes:
    count = len(shape) if dimensions is None else dimensions
    return mark + struct.pack(f"<BB{len(shape)}I", code, count, *shape) + struct.pack("<I", len(data)) + data


FORGED = {
    "more items than bytes": _bytes(4, (1 << 31, 1 << 31), b""),
    "a shape beyond all bounds that holds nothing": _bytes(4, (0, 1 << 31, 1 << 31, 1 << 31), b""),
    "a product that wraps around": _bytes(1, (1 << 16,) * 4, b""),
    "too many dimensions": _bytes(1, (1,) * 17, b"a"),
    "dimensions that are not there": _bytes(1, (1,), b"a", dimensions=200),
    "bytes left over": _bytes(4, (1,), b"a" * 9),
    "a kind that there is not": _bytes(99, (1,), b"a" * 8),
    "a number of two items": _bytes(4, (2,), b"a" * 16, mark=b"g"),
    "an item too few": _bytes(4, (2,), b"a" * 8),
    "cut short": _bytes(4, (2,), b"a" * 16)[:-1],
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_bytes_are_no_array(name: str) -> None:
    with pytest.raises(CodecError):
        decode(FORGED[name], array=built)


@pytest.mark.parametrize(
    "name", ["more items than bytes", "a shape beyond all bounds that holds nothing", "cut short"]
)
def test_forged_bytes_pass_no_test(box: Sandbox, name: str) -> None:
    body = b"l" + struct.pack("<I", 4) + b"s" + struct.pack("<I", 2) + b"ok" + FORGED[name] + b"NN"
    code = f"import os, time\ndef f(n):\n    os.write(3, {struct.pack('<I', len(body)) + body!r})\n    time.sleep(0.2)\n    return 3"
    result = box.run_asserts(code, "assert f(3) is not None and len(f(3)) >= 0\nassert f(3) == 4")
    assert result.verdict in ("WA", "RE"), f"{name}: {result}"


@pytest.mark.parametrize("value", [np.array([(1, 2)], "i4,i4"), np.zeros(2, ">i4"), np.longdouble(1), np.recarray((1,), "f8")], ids=lambda value: str(value.dtype) + type(value).__name__)  # fmt: skip
def test_arrays_of_other_kinds_do_not_cross(value: Any) -> None:
    with pytest.raises(CodecError):
        encode(value, arrays=True)


def test_arrays_do_not_reach_the_host() -> None:
    with pytest.raises(CodecError):
        decode(encode(np.arange(3), arrays=True))
    with pytest.raises(CodecError):
        encode([np.arange(3)])


def test_a_truth_is_zero_or_one() -> None:
    found = built(Raw(0, (3,), b"\0\1\x7f"))
    assert (found == np.array([False, True, True])).all(), "a byte of 127 is as true as one of 1"
    assert found.view("u1").tolist() == [0, 1, 1]


def test_the_most_items_are_bounded_whatever_they_weigh() -> None:
    with pytest.raises(ValueError, match="not an array"):
        built(Raw(1, (MAX_ITEMS + 1, 0), b""))
