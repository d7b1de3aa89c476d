"""What a passage and a benchmark item are compared by: words, numbers, signs, and how telling they are."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from factory.text.numbers import NUMBER_WORDS

__all__ = ["Reading", "Weights", "stem_of"]

_TOKEN = re.compile(
    r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
    r"|\d[\d,]*(?:\.\d+)?|[^\W\d_]+(?:'[^\W\d_]+)?|[-+*/=<>^%]"
)
_FUNCTION_WORDS_LISTED = """
the of and a an to in is are was were be been being it its this that these those for on at by with from
as or if then than so such which what who whom whose how many much when where why does do did done has
have had having he she they his her their them him i you we your our my me us there here will would can
could should may might must not no nor but all each every any some both same other into over under about
after before between also only just more most less very per up out off again once during while through
because until against own too it's let s t
"""
_FUNCTION_WORDS = frozenset(_FUNCTION_WORDS_LISTED.split())
_EXAM_WORDS_LISTED = """
follow state true false correc answer best descri find value number total functi question statem option
choice determ calcul comput evalua simpli solve expres equati given suppos assume write return python
string list integ array input output exampl problem soluti explai reason step think provid please result
equal positi real possib follo none above below except likely
"""
_EXAM_WORDS = frozenset(_EXAM_WORDS_LISTED.split())
"""Stems of the words in which questions are asked: they tell little of which question it is."""
_STEM = 5
_NUMBER_WEIGHT, _EXAM_WEIGHT = 0.4, 0.25
_CORPUS = 1000
"""Texts that a word is counted among at least: in a benchmark of two items no word is common."""
_FRACTION_WORDS = {"half": 0.5, "halves": 0.5, "quarter": 0.25, "quarters": 0.25}
_SCALES = {
    "hundred": 100.0,
    "thousand": 1000.0,
    "million": 1e6,
    "billion": 1e9,
    "dozen": 12.0,
    "dozens": 12.0,
}
_TEN = 10
_SAID = {word: float(value) for word, value in NUMBER_WORDS.items() if word != "one"}
"""Value of each number word; a lone "one" mostly stands for a noun."""
_ORDINALS = ("third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_SAID |= {word: float(value) for value, word in enumerate(_ORDINALS, start=3)}
_VARIABLE = re.compile(r"[b-hj-rt-z]\Z")


def stem_of(word: str) -> str:
    """The first five letters: "produces" and "production" are one word, and so are most inflections."""
    return word[:_STEM]


class Weights:
    """How telling each word is: 0 for words of grammar, little for the words of questions, else by rarity."""

    def __init__(self, items: Iterable[Reading]) -> None:
        counts: Counter[str] = Counter()
        total = 0
        for item in items:
            counts.update(item.stems)
            total += 1
        self._counts, self._texts = counts, max(_CORPUS, total)

    def of(self, stem: str) -> float:
        """Between 0 and 1; 1 for a word that no item holds."""
        if stem[0].isdigit():
            return _NUMBER_WEIGHT
        if stem in _EXAM_WORDS:
            return _EXAM_WEIGHT
        return math.log(self._texts / (self._counts[stem] + 1)) / math.log(self._texts)

    def sum(self, stems: Iterable[str]) -> float:
        """Of a set of words: what it would take for them to meet by chance."""
        return sum(self.of(stem) for stem in stems)


@dataclass(frozen=True)
class Reading:
    """A text, made plain, and what it holds."""

    text: str

    @cached_property
    def places(self) -> list[tuple[str, int, int]]:
        """Every word, number and sign in lower case with the characters that it takes."""
        return [(m[0], m.start(), m.end()) for m in _TOKEN.finditer(self.text.lower())]

    @cached_property
    def words(self) -> list[str]:
        """Words and numbers in order."""
        return [word for word, _, _ in self.places if word[0].isalnum()]

    @cached_property
    def stems(self) -> frozenset[str]:
        """Words that carry content, by their stems; no numbers."""
        return frozenset(found for word, _, _ in self.places if (found := content_stem(word)))

    @cached_property
    def numbers(self) -> list[float]:
        """Its numbers in order, whether in digits, in words or as fractions."""
        return _numbers([word for word, _, _ in self.places])

    @cached_property
    def formula(self) -> int:
        """How many operators and variables it holds."""
        return sum(not sign[0].isdigit() for sign in self.signs)

    @cached_property
    def signs(self) -> list[str]:
        """Numbers, operators and variables in order: what its formulas say."""
        found = []
        for word, _, _ in self.places:
            if word[0].isdigit():
                found.append(word.replace(",", ""))
            elif word in _SAID:
                found.append(f"{_SAID[word]:g}")
            elif word in "+*=<>^" or _VARIABLE.match(word):
                found.append(word)
        return found


def content_stem(word: str) -> str | None:
    """The stem of a word that carries content; null for grammar, numbers, signs and single Latin letters."""
    if not word[0].isalpha() or word in _FUNCTION_WORDS or word in _SAID or word == "one":
        return None
    if len(word) == 1 and word.isascii():
        return None
    return stem_of(word.split("'")[0])


def _numbers(words: Sequence[str]) -> list[float]:
    found: list[float] = []
    joins = False
    for at, word in enumerate(words):
        before = words[at - 1] if at else ""
        if word[0].isdigit():
            value = float(word.replace(",", "").rstrip(".")[:300])
            if before == "/" and joins and found and value:
                found[-1] /= value
            else:
                found.append(value)
            joins = True
        elif word in _SCALES and joins and found:
            found[-1] *= _SCALES[word]
        elif word in _FRACTION_WORDS:
            _add_part(found, _FRACTION_WORDS[word], words[max(0, at - 2) : at], joins)
            joins = True
        elif word in _SAID:
            value = _SAID[word]
            follows = joins and (before == "-" or before in _SAID)
            if follows and found and found[-1] and found[-1] % _TEN == 0 and value < _TEN:
                found[-1] += value
            else:
                found.append(value)
            joins = True
        elif word == "one" and words[at + 1 : at + 2] and words[at + 1] in _SCALES:
            found.append(1.0)
            joins = True
        elif word not in ("-", "/", "and", "a", "of", "one"):
            joins = False
    return found


def _add_part(found: list[float], part: float, before: Sequence[str], joins: bool) -> None:
    """`three and a half` is 3.5, `three quarters` 0.75, a lone `half` 0.5."""
    if joins and found and before[-1:] == ["a"] and "and" in before:
        found[-1] += part
    elif joins and found and before and (before[-1] in _SAID or before[-1].isdigit()):
        found[-1] *= part
    else:
        found.append(part)
