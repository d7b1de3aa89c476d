"""Sentences around a problem that say how to answer it, and not what is asked."""

from __future__ import annotations

from collections.abc import Sequence

from factory.sameness.reading import Sentence
from factory.sameness.vocabulary import LANGUAGES, NEGATIONS, WRAPPER

__all__ = ["core", "wraps"]

_SIGNS = frozenset(("boxed", "(", ")", "{", "}", "$", ":", "#", "*", "blank", "…", "[", "]"))
_ALLOWED = WRAPPER | _SIGNS
_LEAST_WORDS = 2
_VERBS = frozenset(
    ("put", "show", "give", "let's", "explain", "think", "answer", "solve", "provide", "return", "box")
) | frozenset(("enclose", "reason", "output", "work", "complete", "read", "here", "you", "make", "submit"))
"""With what an instruction begins that no full stop parts from the text."""
_DEFAULT_LANGUAGE = "python"
"""The language of a programming task that names none."""


def core(one: Sequence[Sentence], other: Sequence[Sentence]) -> tuple[Sequence[Sentence], Sequence[Sentence]]:
    """Both texts without the wrapping sentences at their edges that the other does not have.

    A wrapper may say "in Python" where the other text names no language.
    """
    return _bare(one, other), _bare(other, one)


def wraps(extra: Sequence[str], other: Sequence[str]) -> bool:
    """Whether tokens that stand before or behind a text, without the end of a sentence between, say how to
    answer it."""
    named = {t for t in other if t in LANGUAGES}
    allowed = _ALLOWED | (named if len(named) == 1 else set() if named else {_DEFAULT_LANGUAGE})
    return len(extra) > _LEAST_WORDS and extra[0] in _VERBS and set(extra) <= allowed - NEGATIONS | {"no"}


def _bare(sentences: Sequence[Sentence], other: Sequence[Sentence]) -> Sequence[Sentence]:
    there = {s.tokens for s in other}
    free = _allowed(other)
    start, end = 0, len(sentences)
    while start < end and _wraps(sentences[start], free) and sentences[start].tokens not in there:
        start += 1
    while end > start and _wraps(sentences[end - 1], free) and sentences[end - 1].tokens not in there:
        end -= 1
    return sentences[start:end] if start < end else sentences


def _allowed(other: Sequence[Sentence]) -> frozenset[str]:
    """What a wrapper may say: the language that the other text names, too."""
    named = {t for s in other for t in s.tokens if t in LANGUAGES}
    return _ALLOWED | (named if len(named) == 1 else set() if named else {_DEFAULT_LANGUAGE})


def _wraps(sentence: Sentence, allowed: frozenset[str]) -> bool:
    if sentence.code:
        return False
    words = {t.lower() for t in sentence.tokens}
    return words <= allowed and (words.isdisjoint(NEGATIONS - {"no"}))
