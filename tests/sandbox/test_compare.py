"""Laws of comparison: what may differ, and that nothing else may."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.compare import MODES, resolve, values_equal

TOKENS = st.lists(st.text("ab1.-", min_size=1, max_size=4), min_size=1, max_size=6)


@settings(deadline=None)
@given(TOKENS)
def test_every_mode_accepts_the_output_itself(tokens: list[str]) -> None:
    text = "\n".join(tokens) + "\n"
    assert all(accept(text, text) for accept in MODES.values()), text


@settings(deadline=None)
@given(TOKENS, TOKENS)
def test_no_mode_accepts_a_part_or_an_addition(tokens: list[str], more: list[str]) -> None:
    text, longer = "\n".join(tokens), "\n".join(tokens + more)
    assert not any(accept(longer, text) or accept(text, longer) for accept in MODES.values())


@pytest.mark.parametrize("spelt", ["4_2", "４２", "+42", "42.0", "0x2a", "4.2e1", "42\u00a0", "042"])
def test_an_integer_is_only_itself(spelt: str) -> None:
    for name, accept in MODES.items():
        assert not accept(spelt, "42"), f"{name} takes {spelt!r} for 42"


def test_white_space_between_tokens_does_not_count() -> None:
    assert resolve("exact_tokens")("1  2\r\n3", "1 2 3\n\n")
    assert not resolve("lines")("1  2", "1 2")
    assert resolve("lines")("1 2  \n\n", "1 2")


@pytest.mark.parametrize(
    ("found", "wanted", "same"),
    [
        ("0.3333333", "0.33333333", True),
        ("0.33", "0.33333333", False),
        ("1000000007", "1000000000", False),
        ("1000000007", "1000000000.0", True),
        ("nan", "0.5", False),
        ("nan", "nan", True),
        ("inf", "1e400", False),
        ("1e-9", "0.0", True),
        ("1_0.5", "10.5", False),
    ],
)
def test_a_tolerance_holds_for_fractions_alone(found: str, wanted: str, same: bool) -> None:
    assert resolve("float")(found, wanted) is same


def test_case_and_order_count_unless_told_otherwise() -> None:
    assert not resolve("exact_tokens")("yes", "YES")
    assert resolve("case_insensitive")("yes", "YES")
    assert not resolve("lines")("b\na", "a\nb")
    assert resolve("unordered_lines")("b\na", "a\nb")
    assert not resolve("unordered_lines")("a\na", "a\nb")


def test_an_unknown_mode_is_named() -> None:
    with pytest.raises(ValueError, match="unknown comparison 'fuzzy'"):
        resolve("fuzzy")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(VALUES)
def test_a_value_equals_itself(value: object) -> None:
    assert values_equal(value, value)


@pytest.mark.parametrize(
    ("found", "wanted", "same"),
    [
        (True, 1, False),
        (1, 1.0, False),
        (1.0 + 1e-12, 1.0, True),
        (math.nan, math.nan, False),
        ((1, 2), [1, 2], True),
        ([1], [1, 1], False),
        ({1: "a"}, {True: "a"}, False),
        ({1, 2}, [1, 2], False),
        ("1", 1, False),
    ],
)
def test_types_count(found: object, wanted: object, same: bool) -> None:
    assert values_equal(found, wanted) is same


def test_a_tuple_is_a_list_only_when_allowed() -> None:
    assert not values_equal((1,), [1], tuple_is_list=False)
