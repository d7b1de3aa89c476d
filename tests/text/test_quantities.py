from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from factory.text.numbers import numbers


def same(one, other):
    signature = numbers(pa.array([one, other])).signature()
    return bool(signature[0] == signature[1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("twenty-five apples", "25 apples"),
        ("two hundred six", "206"),
        ("1,000 and 1{,}000", "one thousand, 1000"),
        ("007 3.50", "7 3.50"),
        ("5 then 6", "six and five"),
        ("one hundred twenty three", "123"),
        ("no number", "none at all"),
        ("twice as many", "2 as many"),
        ("this one has twenty-one", "it has 21"),
        ("one thousand two hundred one", "1201"),
    ],
)
def test_the_same_numbers_in_other_words(one, other):
    assert same(one, other), f"{one!r} and {other!r} hold the same numbers"


@pytest.mark.parametrize(
    ("one", "other"), [("3.5", "3,5"), ("5 5", "5"), ("12", "1 2"), ("3.5", "35"), ("five six", "56")]
)
def test_other_numbers(one, other):
    assert not same(one, other), f"{one!r} and {other!r} hold different numbers"


def test_jaccard_counts_repeated_numbers():
    mine = numbers(pa.array(["1 2 2 3", "none", "7"]))
    other = numbers(pa.array(["2 2 3 4", "nil", ""]))
    rows = np.arange(3)
    assert mine.jaccard(rows, other, rows).tolist() == pytest.approx([3 / 5, 1.0, 0.0])
