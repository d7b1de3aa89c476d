"""What a text says, as tokens: the same for all spellings that mean the same, and for those alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from factory.sameness.cursor import BREAK, QUESTION
from factory.sameness.numerals import is_number, joined
from factory.sameness.tokens import prose_tokens, without_labels
from factory.sameness.vocabulary import ENGLISH, POLITE, known
from factory.sameness.zones import zones

__all__ = ["MOST_CHARS", "Reading", "Sentence", "is_word"]

MOST_CHARS = 40_000
"""A longer text is compared as it stands."""
_CODE = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|\w+|[^\w\s]")
_UNSEEN = re.compile("[\u00ad\u200b\u2060\ufeff]")
_ENGLISH, _SURE = 0.7, 0.05
_CASES = re.compile(r"[^\W\d_]")


def is_word(token: str) -> bool:
    """Whether a token is a word of prose of two letters or more."""
    return len(token) > 1 and token[0].isalpha()


@dataclass(frozen=True, slots=True)
class Sentence:
    """Tokens of one sentence, and whether it asks."""

    tokens: tuple[str, ...]
    asks: bool
    code: bool = False


class Reading:
    """A text read once: its tokens, its sentences, and its cases."""

    def __init__(self, text: str) -> None:
        self.text = _UNSEEN.sub("", text)
        self.long = len(text) > MOST_CHARS

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """The sentences; a line of code is one."""
        return tuple(_with_articles(tuple(_sentences(self.text, folded=False))))

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """All tokens in order."""
        return tuple(t for s in self.sentences for t in s.tokens)

    @cached_property
    def folded(self) -> Reading:
        """The same text without case in its prose."""
        return _Folded(self.text)

    @cached_property
    def one_case(self) -> bool:
        """Whether all letters are capitals, or none is, or each word begins with one."""
        letters = _CASES.findall(self.text)
        return len(letters) > 3 and (
            not any(c.islower() for c in letters)
            or not any(c.isupper() for c in letters)
            or self.text.istitle()
        )

    @cached_property
    def tells_cases_apart(self) -> bool:
        """Whether one letter is a variable in both of its cases."""
        single = {t for t in self.tokens if len(t) == 1 and t.isalpha()} - {"a", "I"}
        return any(t.upper() in single for t in single if t.islower())

    @cached_property
    def english(self) -> bool:
        """Whether most of its words are common in English, and some are in no other language."""
        words = [t for t in self.tokens if is_word(t)]
        sure = sum(t in ENGLISH for t in words)
        return sure >= max(1, _SURE * len(words)) and sum(map(known, words)) >= _ENGLISH * len(words)

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """Its numbers in order."""
        return tuple(t for t in self.tokens if is_number(t))


class _Folded(Reading):
    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        return tuple(_sentences(self.text, folded=True))


def _sentences(text: str, *, folded: bool) -> Iterator[Sentence]:
    for zone in zones(without_labels(text)):
        if zone.kind == "prose":
            yield from _prose(zone.text, folded=folded)
        elif zone.text.strip():
            yield _code(zone.text, inline=zone.kind == "inline")


def _with_articles(sentences: tuple[Sentence, ...]) -> Iterator[Sentence]:
    """`A` as the article where no other capital stands alone and each has a word behind it."""
    tokens = [t for s in sentences for t in s.tokens]
    alone = {t for t in tokens if len(t) == 1 and t.isupper()} - {"I"}
    articles = alone == {"A"} and all(
        is_word(after) and after.islower()
        for t, after in zip(tokens, [*tokens[1:], ""], strict=True)
        if t == "A"
    )
    for s in sentences:
        yield Sentence(tuple("a" if t == "A" else t for t in s.tokens), s.asks, s.code) if articles else s


def _code(line: str, *, inline: bool) -> Sentence:
    """A line of code: its indentation, and its tokens as they stand."""
    depth = "" if inline else line[: len(line) - len(line.lstrip())].strip("\n")
    return Sentence((f"⇥{depth}", *(f"`{t}" for t in _CODE.findall(line))), asks=False, code=True)


def _prose(text: str, *, folded: bool) -> Iterator[Sentence]:
    held: list[str] = []
    for token in [*prose_tokens(text, folded=folded), BREAK]:
        if token not in (BREAK, QUESTION):
            if token not in POLITE:
                held.append(token)
            continue
        if held:
            yield Sentence(tuple(joined(held)), asks=token == QUESTION)
        held = []
