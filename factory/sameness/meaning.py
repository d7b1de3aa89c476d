"""What differs between two texts beyond their wording: signs, numbers, variables, units, contrary words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from factory.sameness.numerals import is_number
from factory.sameness.reading import is_word
from factory.sameness.vocabulary import LANGUAGES, NEGATIONS, UNITS, contrary

__all__ = ["changed_meaning"]

_SIDE = 3
_MOST_TOKENS = 1500
_EDIT_WORDS = 4
"""A longer stretch of other words is a rewording, in which a contrary word may say the same."""
_CLOSE = 0.75
"""Share of the words in common from which on two texts are one text with edits, not two wordings."""
_ALIKE_NUMBERS = 0.7
"""Least share of the numbers that two wordings of a problem in prose have in common: GSM8K's problems as a
model rewords them reach it in 0.92 of the cases, other problems in less than 0.01."""
_MONEY = frozenset("$€£¥₹%")
_IGNORED = frozenset((",", "…", "blank"))
_OF_PROSE = _IGNORED | _MONEY | frozenset("()/-:#&!.\";'")
"""Signs that prose has as well."""
_FEW = frozenset(("#1", "#2"))
"""Numbers that a rewording adds or leaves out: one of, both, a pair, twice."""


def changed_meaning(
    left: Sequence[str], right: Sequence[str], rest: Sequence[str], rest_of_other: Sequence[str]
) -> str | None:
    """The kind of what differs; null when the words alone do.

    `left` and `right` are whole texts, `rest` and `rest_of_other` their sentences without a like. Two texts
    in prose with few words in common are two wordings: of them only the numbers are compared.
    """
    mine, theirs = Counter(rest), Counter(rest_of_other)
    lost, new = mine - theirs, theirs - mine
    if not _close(left, right) and _prose(rest) and _prose(rest_of_other):
        return None if _numbers_alike(left, right) else "number"
    if (found := _in_signs(lost, new) or _in_variables(rest, rest_of_other, lost, new)) is not None:
        return found
    if not lost and not new:
        return _in_order(rest, rest_of_other) or "order"
    return _in_words(rest, rest_of_other, lost, new) or _in_order(rest, rest_of_other)


def _close(left: Sequence[str], right: Sequence[str]) -> bool:
    shared = (Counter(left) & Counter(right)).total()
    return shared >= _CLOSE * max(len(left), len(right), 1)


def _prose(tokens: Sequence[str]) -> bool:
    return all(t[0].isalpha() or is_number(t) or t in _OF_PROSE for t in tokens)


def _numbers_alike(left: Sequence[str], right: Sequence[str]) -> bool:
    mine, theirs = (Counter(t for t in part if is_number(t) and t not in _FEW) for part in (left, right))
    every = (mine | theirs).total()
    return (mine & theirs).total() >= _ALIKE_NUMBERS * every


def _in_signs(lost: Counter[str], new: Counter[str]) -> str | None:
    if any(is_number(t) for t in (*lost, *new)):
        return "number"
    signs = {t for t in (*lost, *new) if not t[0].isalpha()} - _IGNORED
    if signs & _MONEY:
        return "currency or percent"
    if any(t[0] in "`⇥" for t in signs):
        return "code"
    return "sign" if signs else None


def _in_variables(
    rest: Sequence[str], rest_of_other: Sequence[str], lost: Counter[str], new: Counter[str]
) -> str | None:
    """Variables that differ, unless each is renamed to one and the same other."""
    gone, come = ({t for t in c if len(t) == 1 and t.isalpha() and t != "a"} for c in (lost, new))
    if not gone and not come:
        return None
    one, other = ([t for t in part if not is_word(t)] for part in (rest, rest_of_other))
    if len(gone) != len(come) or len(one) != len(other):
        return "variable"
    names: dict[str, str] = {}
    for a, b in zip(one, other, strict=True):
        if names.setdefault(a, b) != b:
            return "variable"
    return None if len(set(names.values())) == len(names) else "variable"


def _in_words(
    rest: Sequence[str], rest_of_other: Sequence[str], lost: Counter[str], new: Counter[str]
) -> str | None:
    """Words in the place of others that the other text does not have, where the words around are the same."""
    for one, other in _edits(rest, rest_of_other):
        gone, come = one & lost.keys(), other & new.keys()
        if any(contrary(a, b) for a in gone for b in come):
            return "contrary words"
        if bool(gone & NEGATIONS) != bool(come & NEGATIONS):
            return "negation"
        if (gone ^ come) & LANGUAGES:
            return "language"
        units, others = ({UNITS[t] for t in words if t in UNITS} for words in (gone, come))
        if units - others and others - units:
            return "unit"
    return None


def _edits(one: Sequence[str], other: Sequence[str]) -> Iterator[tuple[set[str], set[str]]]:
    if max(len(one), len(other)) > _MOST_TOKENS:
        return
    for op, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if op != "equal" and b - a <= _EDIT_WORDS and d - c <= _EDIT_WORDS:
            yield set(one[a:b]), set(other[c:d])


def _in_order(rest: Sequence[str], rest_of_other: Sequence[str]) -> str | None:
    """Whether a number stands among the words that another number has in the other text."""
    one, other = ([t for t in part if is_number(t)] for part in (rest, rest_of_other))
    if one == other:
        return "role of a number" if _exchanged(_counted(rest), _counted(rest_of_other)) else None
    mine, theirs = _surroundings(rest), _surroundings(rest_of_other)
    for number, words in mine.items():
        own = len(words & theirs.get(number, set()))
        if any(len(words & theirs[n]) > own for n in theirs if n != number):
            return "role of a number"
    return None


def _counted(tokens: Sequence[str]) -> list[str]:
    """The first word of three letters or more behind each number."""
    found = []
    for place, token in enumerate(tokens):
        if is_number(token):
            near = tokens[place + 1 : place + 1 + _SIDE]
            found.append(next((t for t in near if is_word(t) and len(t) > 2), ""))
    return found


def _exchanged(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two words have changed places."""
    moved = {(a, b) for a, b in zip(one, other, strict=True) if a != b}
    return any((b, a) in moved for a, b in moved)


def _surroundings(tokens: Sequence[str]) -> dict[str, set[str]]:
    """Words of four letters or more that stand near each number."""
    found: dict[str, set[str]] = {}
    for place, token in enumerate(tokens):
        if is_number(token):
            near = tokens[max(0, place - _SIDE) : place + _SIDE + 1]
            found.setdefault(token, set()).update(t for t in near if is_word(t) and len(t) > 3)
    return found
