"""Two runs of tokens side by side: the edits between them where each is harmless."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from factory.sameness.reading import is_word
from factory.sameness.vocabulary import LANGUAGES, NEGATIONS, UNITS
from factory.sameness.words import is_slip

__all__ = ["aligned", "trimmed"]

_MOST_TOKENS = 1500
_MOST_SLIPS = 0.25
"""Share of the tokens that may be slips; with more of them the texts are not one text."""
_TIMES = {("#2", "times"): "twice", ("#3", "times"): "thrice", ("#1/2",): "half"}
_ARTICLES = frozenset(("a", "an", "the"))


def trimmed(left: Sequence[str], right: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Both without the tokens that they begin and end with in common."""
    start, least = 0, min(len(left), len(right))
    while start < least and left[start] == right[start]:
        start += 1
    end = 0
    while end < least - start and left[-1 - end] == right[-1 - end]:
        end += 1
    return left[start : len(left) - end], right[start : len(right) - end]


def aligned(
    left: tuple[str, ...], right: tuple[str, ...], *, english: bool = False
) -> tuple[str, ...] | None:
    """Kinds of the edits that make one of the other; null when one of them is not harmless.

    Only in English texts a word may be a slip of another.
    """
    if left == right:
        return ()
    one, other = trimmed(left, right)
    if max(len(one), len(other)) > _MOST_TOKENS or abs(len(one) - len(other)) > 0.25 * len(left) + 2:
        return None
    # Both texts hold the same signs and numbers in the same order, or no edit of words makes them one.
    if _signs(one) != _signs(other) and not _numbers_may_slip(one, other):
        return None
    kinds: set[str] = set()
    slips = 0
    for op, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if op == "equal":
            continue
        found = _edit(one[a:b], other[c:d], english)
        if found is None:
            return None
        kinds.add(found)
        slips += max(b - a, d - c)
    return tuple(sorted(kinds)) if slips <= max(1, _MOST_SLIPS * len(left)) else None


def _signs(tokens: Sequence[str]) -> list[str]:
    return [t for t in tokens if not is_word(t) and t not in _ARTICLES]


def _numbers_may_slip(one: Sequence[str], other: Sequence[str]) -> bool:
    return abs(len(_signs(one)) - len(_signs(other))) == 1


def _said(number: Sequence[str], word: Sequence[str]) -> bool:
    """Whether a word is a slip of `twice` or `thrice`, which are read as numbers."""
    said = _TIMES.get(tuple(number))
    return said is not None and len(word) == 1 and is_slip(said, word[0])


def _slip(one: str, other: str, english: bool) -> bool:
    named = UNITS.get(one)
    return (
        one == other or (english and is_slip(one, other)) or (named is not None and named == UNITS.get(other))
    )


def _edit(left: Sequence[str], right: Sequence[str], english: bool) -> str | None:
    """The kind of one edit; null when it is not harmless."""
    if "".join(left) == "".join(right) and all(is_word(t) for t in (*left, *right)):
        return "white space"
    if len(left) == len(right) and all(_slip(a, b, english) for a, b in zip(left, right, strict=True)):
        return "typo"
    if _said(left, right) or _said(right, left):
        return "typo"
    both = (*left, *right)
    if len(both) == 2 and len(left) == 1 and set(both) <= {"a", "an"}:
        return "typo"
    plural = (
        len(left) == len(right) == 1
        and is_word(left[0])
        and {left[0].replace("'", ""), right[0].replace("'", "")}
    )
    if plural and len(plural) == 1 and not set(both) & (NEGATIONS | LANGUAGES | UNITS.keys()):
        return "punctuation"
    return None
