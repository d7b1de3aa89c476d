"""Whether one word stands for another: a slip of the pen does, a word of other meaning does not."""

from __future__ import annotations

import re
from functools import lru_cache

from factory.sameness.numerals import VALUES, is_number
from factory.sameness.vocabulary import LANGUAGES, SPELLINGS, contrary, known

__all__ = ["is_slip"]

_LEAST_LETTERS = 4
_LONG = 6
_TERM = re.compile(r"(?:ate|ite|ide|ane|ene|yne|ose|ase|ine|ic|ous|ol|al|yl|ium|tion|sis)s?\Z")
"""Endings by which terms of science differ from one another."""


@lru_cache(maxsize=65536)
def is_slip(one: str, other: str) -> bool:
    """Whether one of two words is the other with one letter too much, too few, wrong, or two exchanged.

    For English texts. One of the two must be a common word and the other none: of two words that are both
    common neither is a slip of the other, and of two that are both unknown (names, terms) only long ones that
    begin alike.
    """
    if is_number(one) or is_number(other):
        return _number_slip(one, other)
    if not _plain(one) or not _plain(other) or contrary(one, other) or {one, other} & LANGUAGES:
        return False
    if one in SPELLINGS or other in SPELLINGS:
        return _unit_slip(one, other)
    if one in (f"{other}s", f"{other}'s") or other in (f"{one}s", f"{one}'s"):
        return False
    both = known(one.lower()), known(other.lower())
    if all(both) or (_substituted(one, other) and _TERM.search(one) and _TERM.search(other)):
        return False
    if not any(both) and not (one[0] == other[0] and min(len(one), len(other)) >= _LONG):
        return False
    return _one_edit(one, other)


def _substituted(one: str, other: str) -> bool:
    return len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) == 1


def _plain(word: str) -> bool:
    return len(word) >= _LEAST_LETTERS - 1 and word.isascii() and word.replace("'", "").isalpha()


def _unit_slip(one: str, other: str) -> bool:
    unit, word = (one, other) if one in SPELLINGS else (other, one)
    return not known(word) and any(_one_edit(name, word) for name in SPELLINGS[unit] if len(name) > 3)


def _number_slip(one: str, other: str) -> bool:
    number, word = (one, other) if is_number(one) else (other, one)
    if not word.isalpha() or not word.isascii() or len(word) < _LEAST_LETTERS or known(word):
        return False
    return any(
        f"#{value}" == number and _one_edit(name, word) for name, value in VALUES.items() if len(name) > 2
    )


def _one_edit(one: str, other: str) -> bool:
    """Damerau's distance of 1: one insertion, deletion, substitution or exchange of neighbours."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    left, right = one[start:], other[start:]
    if len(left) != len(right):
        return left[1:] == right if len(left) > len(right) else left == right[1:]
    return left[1:] == right[1:] or (left[:2] == right[1::-1] and left[2:] == right[2:])
