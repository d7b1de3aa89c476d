"""Scores of likeness between two texts, by their published definitions."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

from verifiers.words import words

__all__ = ["f1", "rouge_l", "squad_normalised"]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_NO_ROUGE_TOKEN = re.compile(r"[^a-z0-9]+")


def squad_normalised(text: str) -> str:
    """Lower case, without ASCII punctuation, without the articles a, an and the, blanks made one.

    As in the official evaluation of SQuAD (Rajpurkar et al. 2016, evaluate-v1.1.py).
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def f1(answer: str, reference: str) -> float:
    """F1 over the bags of normalised words, as in SQuAD; over letters in scripts without blanks."""
    said, wanted = _bag(answer), _bag(reference)
    common = (said & wanted).total()
    if not common:
        return 0.0
    precision, recall = common / said.total(), common / wanted.total()
    return 2 * precision * recall / (precision + recall)


def _bag(text: str) -> Counter[str]:
    normalised = squad_normalised(text)
    return Counter(normalised.split() if normalised.isascii() else words(normalised))


def rouge_l(answer: str, reference: str) -> float:
    """F-measure of the longest common subsequence of words (Lin 2004), as the package rouge-score gives it.

    Its words are runs of a-z and 0-9; where the reference has others, words of any script are taken.
    """
    cut = _rouge_words if reference.isascii() else words
    said, wanted = cut(answer.lower()), cut(reference.lower())
    common = _common_subsequence(said, wanted)
    if not common:
        return 0.0
    precision, recall = common / len(said), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def _rouge_words(text: str) -> list[str]:
    return _NO_ROUGE_TOKEN.sub(" ", text).split()


def _common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence, with a row of the table in the bits of one number.

    Hyyro, "Bit-parallel LCS-length computation revisited" (2004): a step per word of `first`.
    """
    places: dict[str, int] = {}
    for place, word in enumerate(second):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(second)) - 1
    row = full
    for word in first:
        matched = row & places.get(word, 0)
        row = (row + matched | row - matched) & full
    return len(second) - row.bit_count()
