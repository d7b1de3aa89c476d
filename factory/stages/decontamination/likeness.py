"""What a passage is to a benchmark item: a copy, a paraphrase, a twin with other numbers, or nothing.

The weights of `_score` are those of a logistic regression over (passage, item) pairs: rephrasings by a
language model of GSM8K (600 of 1,319) and of MMLU abstract algebra, and QQP's duplicates, against the nearest
items that clean prompts have among GSM8K, MATH-500 and MMLU (8,492 pairs). On what it was not fitted to, 0.97
of the other 719 GSM8K rephrasings and 0.89 of those of MMLU sociology are above zero, and none of the nearest
pairs of 1,500 GSM8K training problems and 871 AGIEval problems is. Cosines are those of MiniLM.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from factory.stages.decontamination.reading import Reading, Weights

__all__ = ["LEAST_TOLD", "Likeness", "Likes", "could_match", "is_common_phrase", "likeness", "told"]

Likes = Literal["copy", "near_copy", "paraphrase", "number_twin", "translation"]

LEAST_TOLD = 1.0
"""Least weight of an item's words and numbers that can be told; below it the item is a common phrase."""
_LEAST_INSIDE = 1.5
"""Least weight of an item that may be found inside a longer text."""
_LEAST_EQUAL = 0.6
"""Least weight of an item that a text may be, word for word: "What is 60% of 30?", not "True or false?"."""
_COPY, _NEAR, _TWIN = 0.97, 0.68, 0.8
_NUMBERS_ALIKE, _SIGNS_ALIKE, _FORMULA_SIGNS = 0.7, 0.8, 4
_AS_LONG, _AS_SHORT = 1.15, 0.45
"""Words of a passage over those of its item: most of a copy, least of a paraphrase."""
_SHARED = 0.6
"""Least share of the content words that a near copy keeps: questions share their words of grammar."""
_DOUBT = -1.0
_LONGEST = 400
_TRANSLATED, _TRANSLATED_NUMBERS = 0.75, 0.7
_CODE_WORDS = frozenset(
    {"function", "list", "string", "strings", "array", "return", "returns", "integer", "tuple"}
)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How a passage resembles an item."""

    kind: Likes
    certain: bool
    """Whether it is that; otherwise it is for review."""
    score: float
    """Share of the item's words that stand in the passage in order, or the log odds of a paraphrase."""
    measures: dict[str, float]
    """What was measured, for the evidence."""


def likeness(
    passage: Reading, item: Reading, *, weights: Weights, cosine: float | None = None, inside: bool
) -> Likeness | None:
    """What the passage is to the item; null when it is nothing to it.

    `cosine` is that of their embeddings where there is one; `inside` says that the passage is a small part of
    its text, so that a short item must tell more.
    """
    equal = not inside and passage.words == item.words
    if told(item, weights=weights) < (_LEAST_EQUAL if equal else _LEAST_INSIDE if inside else LEAST_TOLD):
        return None
    numbers, order = _alike(passage.numbers, item.numbers)
    signs, _ = _alike(passage.signs, item.signs)
    in_order = _in_order(passage.words, item.words)
    measures = {"words_in_order": round(in_order, 3), "numbers_alike": round(numbers, 3)}
    shared = weights.sum(passage.stems & item.stems) / max(weights.sum(item.stems), 1e-9)
    by_words = _by_words(passage, item, in_order, (numbers, order, signs), shared)
    if by_words is not None:
        return Likeness(by_words, True, in_order, measures)
    if cosine is None:
        return None
    measures["cosine"] = round(cosine, 4)
    if _scripts(passage.text) != _scripts(item.text):
        alike = cosine >= _TRANSLATED and numbers >= _TRANSLATED_NUMBERS
        return Likeness("translation", True, cosine, measures) if alike else None
    if len(passage.words) < _AS_SHORT * len(item.words):
        return None
    score = _score(passage, item, cosine, (numbers, order, signs), weights)
    formulas = min(passage.formula, item.formula) >= _FORMULA_SIGNS and signs < _SIGNS_ALIKE
    if score < _DOUBT or (formulas and numbers < 1):
        return None
    return Likeness("paraphrase", score >= 0 and not formulas, round(score, 2), measures)


def could_match(passage: Reading, item: Reading, *, weights: Weights) -> bool:
    """Whether any cosine could make the two a paraphrase: spares the model what words and numbers exclude."""
    if len(passage.words) < _AS_SHORT * len(item.words):
        return False
    numbers, order = _alike(passage.numbers, item.numbers)
    signs, _ = _alike(passage.signs, item.signs)
    return _score(passage, item, 0.97, (numbers, order, signs), weights) >= _DOUBT


def _by_words(
    passage: Reading, item: Reading, in_order: float, alike: tuple[float, float, float], shared: float
) -> Likes | None:
    """The kind that the words alone prove; `shared` is the share of the item's content that is held."""
    numbers, order, signs = alike
    formulas_differ = item.formula >= _FORMULA_SIGNS and signs < _SIGNS_ALIKE
    few_words = len(item.stems) <= 2
    as_long = len(passage.words) <= _AS_LONG * len(item.words)
    if in_order >= _COPY and as_long and numbers == order == 1 and signs >= _COPY:
        return "copy"
    if in_order >= _NEAR and numbers >= _NUMBERS_ALIKE and not formulas_differ:
        if order < 1 and few_words:
            return "number_twin"
        same = (order >= _NUMBERS_ALIKE or signs >= _SIGNS_ALIKE) and shared >= _SHARED
        return "near_copy" if same and len(item.words) > 3 else None
    if (item.numbers or item.signs) and _frame(passage, item) >= _TWIN:
        return "number_twin"
    return None


def _frame(passage: Reading, item: Reading) -> float:
    """Share of the item's words without numbers that stand in the passage in order."""
    mine, theirs = (
        [word for word in reading.words if word[0].isalpha() and len(word) > 1] for reading in (passage, item)
    )
    return _in_order(mine, theirs) if len(theirs) > 3 else 0.0


def _score(
    passage: Reading, item: Reading, cosine: float, alike: tuple[float, float, float], weights: Weights
) -> float:
    numbers, order, signs = alike
    shared = weights.sum(passage.stems & item.stems)
    sizes = [max(weights.sum(reading.stems), 1e-9) for reading in (passage, item)]
    cover = shared / min(sizes), shared / max(sizes)
    if not (passage.numbers or item.numbers):
        few = min(10, len(passage.stems), len(item.stems)) / 10
        asked_in_code = len(_CODE_WORDS & set(item.words)) > 1 or len(_CODE_WORDS & set(passage.words)) > 1
        return 9.5 * cosine + 1.3 * min(1.0, cover[0]) + 1.4 * few - 8.4 + (-0.6 if asked_in_code else 0.5)
    score = 17.6 * cosine + 0.4 * (min(1.0, cover[0]) + cover[1]) - 16.6 + 2.5 * numbers + 5.5 * order
    return score + (2.0 * signs - 4.8 if passage.signs or item.signs else 0.0)


def _alike(mine: Sequence[object], theirs: Sequence[object]) -> tuple[float, float]:
    """Share of the larger side that both hold (as a multiset), and that both hold in order; 1 for none."""
    mine, theirs = mine[:_LONGEST], theirs[:_LONGEST]
    most = max(len(mine), len(theirs))
    if not most:
        return 1.0, 1.0
    shared = sum((Counter(mine) & Counter(theirs)).values())
    return shared / most, _matching(mine, theirs) / most


def _in_order(mine: Sequence[str], theirs: Sequence[str]) -> float:
    """Share of `theirs` that stands in `mine` in the same order."""
    return _matching(mine[: 2 * _LONGEST], theirs[:_LONGEST]) / max(1, len(theirs[:_LONGEST]))


def _matching(mine: Sequence[object], theirs: Sequence[object]) -> int:
    """Elements in matching blocks: a lower bound of the longest common subsequence."""
    blocks = SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks)


def _scripts(text: str) -> str:
    """The script that most letters are of, by the blocks of Unicode."""
    blocks = Counter(ord(letter) >> 8 for letter in text if letter.isalpha())
    most = blocks.most_common(1)[0][0] if blocks else 0
    return "latin" if most <= 0x02 or most == 0x1E else "han" if 0x34 <= most <= 0x9F else f"{most:x}"


def is_common_phrase(item: Reading, *, weights: Weights) -> bool:
    """Whether an item's words are too common to tell it: "Which of the following is true?"."""
    return told(item, weights=weights) < LEAST_TOLD


def told(reading: Reading, *, weights: Weights) -> float:
    """The weight of a text's content words and numbers: what it would take to meet them by chance."""
    return weights.sum(reading.stems) + weights.sum(map(str, set(reading.numbers)))
