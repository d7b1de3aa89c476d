"""How two texts differ: not at all, in ways that change nothing, in their words, or in what they say."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from factory.sameness.alignment import aligned
from factory.sameness.meaning import changed_meaning
from factory.sameness.reading import Reading, Sentence
from factory.sameness.wrappers import core, wraps

__all__ = ["Difference", "Weight", "difference"]

_MOST_SENTENCE_PAIRS = 400
"""Of texts with more sentences that differ, equal ones alone are matched."""
Weight: TypeAlias = Literal["none", "harmless", "words", "meaning"]
"""`none`: the texts are equal; `harmless`: but for edits that change nothing; `words`: other words that may
say the same; `meaning`: something differs that no rewording changes."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What lies between two texts."""

    weight: Weight
    kinds: tuple[str, ...] = ()
    """The harmless edits, or the kind of what differs."""
    left: str = ""
    right: str = ""
    """What stands in either text where they differ; at most 80 characters."""


def difference(one: Reading, other: Reading) -> Difference:
    """Compares two texts token by token; the cheap comparisons first."""
    if one.text == other.text:
        return Difference("none")
    if one.long or other.long:
        same = one.text.split() == other.text.split()
        return Difference("harmless", ("white space",)) if same else Difference("words", ("long texts",))
    if one.tokens == other.tokens:
        return Difference("harmless", (_spelling(one.text, other.text),))
    if one.one_case != other.one_case and not (one.tells_cases_apart or other.tells_cases_apart):
        found = _compared(one.folded, other.folded)
        return (
            Difference(found.weight, ("case", *found.kinds), found.left, found.right)
            if (found.weight != "none")
            else Difference("harmless", ("case",))
        )
    return _compared(one, other)


def _compared(one: Reading, other: Reading) -> Difference:
    if one.tokens == other.tokens:
        return Difference("none")
    kinds: list[str] = []
    english = one.english and other.english
    left, right = core(one.sentences, other.sentences)
    if (len(left), len(right)) != (len(one.sentences), len(other.sentences)):
        kinds.append("wrapper")
    if (edits := aligned(_flat(left), _flat(right), english=english)) is not None:
        return Difference("harmless", (*kinds, *edits))
    if _around(_flat(left), _flat(right)) or _around(_flat(right), _flat(left)):
        return Difference("harmless", ("wrapper",))
    rest, rest_of_other, moved = _matched(left, right, english)
    if not rest and not rest_of_other:
        return Difference(*moved)
    changed = changed_meaning(_flat(left), _flat(right), _flat(rest), _flat(rest_of_other))
    shown = _shown(_flat(rest), _flat(rest_of_other))
    if changed is not None:
        return Difference("meaning", (changed,), *shown)
    return Difference("words", ("words",), *shown)


def _around(inner: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    """Whether one text is the other with an instruction before or behind it."""
    more = len(outer) - len(inner)
    if more <= 0 or not inner:
        return False
    if outer[:-more] == inner:
        return wraps(outer[-more:], inner)
    return outer[more:] == inner and wraps(outer[:more], inner)


def _flat(sentences: Sequence[Sentence]) -> tuple[str, ...]:
    return tuple(t for s in sentences for t in s.tokens)


def _matched(
    left: Sequence[Sentence], right: Sequence[Sentence], english: bool
) -> tuple[list[Sentence], list[Sentence], tuple[Weight, tuple[str, ...]]]:
    """Sentences without a like in the other text, and what the moves of the others amount to."""
    free: dict[tuple[str, ...], list[int]] = {}
    for place, sentence in enumerate(right):
        free.setdefault(sentence.tokens, []).append(place)
    places: list[tuple[int, int]] = []
    rest: list[int] = []
    for number, sentence in enumerate(left):
        if at := free.get(sentence.tokens):
            places.append((number, at.pop(0)))
        else:
            rest.append(number)
    taken = {place for _, place in places}
    others = [place for place in range(len(right)) if place not in taken]
    edits: set[str] = set()
    for number in list(rest) if len(rest) * len(others) <= _MOST_SENTENCE_PAIRS else ():
        for place in others:
            found = aligned(left[number].tokens, right[place].tokens, english=english)
            if found is not None and left[number].asks == right[place].asks:
                places.append((number, place))
                rest.remove(number)
                others.remove(place)
                edits |= set(found)
                break
    moved = _moved(left, [(a, b) for a, b in sorted(places)])
    return (
        [left[n] for n in rest],
        [right[p] for p in others],
        (moved, ("order of sentences", *sorted(edits))),
    )


def _moved(left: Sequence[Sentence], places: Sequence[tuple[int, int]]) -> Weight:
    """A question may stand anywhere; a statement too, unless it says that it follows another."""
    from factory.sameness.vocabulary import ORDER_WORDS

    told = [(a, b) for a, b in places if not left[a].asks]
    if all(p[1] < q[1] for p, q in itertools.pairwise(told)):
        return "harmless"
    if any(left[a].code or ORDER_WORDS & set(left[a].tokens) for a, _ in told):
        return "words"
    return "harmless"


def _spelling(one: str, other: str) -> str:
    """Names what differs between two texts that say the same."""
    if "".join(one.split()) == "".join(other.split()):
        return "white space"
    if "".join(one.lower().split()) == "".join(other.lower().split()):
        return "case"
    bare = [
        "".join(c for c in text if c.isalnum() or c in "\\{}^_+-*/=<>")
        for text in (one.lower(), other.lower())
    ]
    return "punctuation" if bare[0] == bare[1] else "notation"


def _shown(left: tuple[str, ...], right: tuple[str, ...]) -> tuple[str, str]:
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    end = 0
    while end < min(len(left), len(right)) - start and left[-1 - end] == right[-1 - end]:
        end += 1
    parts = left[start : len(left) - end], right[start : len(right) - end]
    one, other = (" ".join(t.lstrip("#`") for t in part[:24])[:80] for part in parts)
    return one, other
