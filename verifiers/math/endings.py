"""How a text ends: at its end, or broken off in the middle of something."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Found", "broken_off"]


class Found(NamedTuple):
    """The answer as text, or null with the reason; `how` names the rule that found it."""

    answer: str | None
    how: str


_OPEN_WORDS = frozenset(
    [
        "the",
        "a",
        "an",
        "of",
        "to",
        "is",
        "are",
        "was",
        "were",
        "we",
        "have",
        "has",
        "had",
        "get",
        "gets",
        "got",
        "be",
        "by",
        "and",
        "or",
        "but",
        "that",
        "which",
        "with",
        "for",
        "in",
        "on",
        "at",
        "from",
        "then",
        "so",
        "if",
        "when",
        "where",
        "since",
        "because",
        "find",
        "finding",
        "compute",
        "need",
        "plus",
        "minus",
        "times",
        "their",
        "its",
        "this",
        "these",
        "those",
        "as",
        "than",
        "let",
        "lets",
        "gives",
        "give",
        "equals",
        "equal",
        "into",
        "both",
        "each",
        "his",
        "her",
        "our",
        "my",
        "your",
        "it",
        "they",
        "he",
        "she",
        "i",
        "you",
        "not",
        "also",
        "only",
        "there",
        "therefore",
        "thus",
        "hence",
        "must",
        "can",
        "will",
        "would",
        "should",
        "could",
        "may",
        "might",
        "how",
        "what",
        "who",
        "while",
        "until",
        "after",
        "before",
        "between",
        "using",
        "multiply",
        "add",
        "subtract",
        "divide",
        "first",
        "second",
        "next",
        "case",
        "step",
        "now",
        "obtain",
        "obtains",
        "yields",
        "yield",
        "means",
        "becomes",
    ]
)
_OPEN_SIGN = re.compile(
    r"(?:[,:;+\-=/^<>&(\[{]|(?<!\*)\*|\\(?:times|cdot|div|frac|sqrt|pm|le|ge|leq|geq|lt|gt|ne|neq|approx|cup|cap|in|to|quad|implies|Rightarrow))\s*(?:\\?\Z|\$\Z)"
)
_LAST_WORD = re.compile(r"([^\W\d_]+)\W*\Z")
_CLOSED = re.compile(r"[.!?。！？)\]}\"'”’`*%>|$\d]\Z|\\[)\]]\Z")


def broken_off(text: str) -> bool:
    """Whether a text stops in the middle of a sentence or a formula: no value in its last part is final."""
    text = _MARKS.sub("", text.rstrip()).rstrip()
    if text.rfind("\\[") > text.rfind("\\]") or text.rfind("\\(") > text.rfind("\\)") or text.count("$$") % 2:
        return True
    line = text[-2_000:].rsplit("\n", 1)[-1]
    if (
        "$$" not in line
        and line[-1:] not in ".!?"
        and len(_DOLLAR.findall(line)) % 2
        and _OPENED.search(line)
    ):
        return True
    if _OPEN_SIGN.search(line):
        return True
    if _CLOSED.search(line):
        return False
    word = _LAST_WORD.search(line)
    if word is None:
        return False
    letter = len(word[1]) == 1  # a name rather than an article, save behind a word
    return word[1].lower() in _OPEN_WORDS and (not letter or re.search(r"[a-z]{2} a\Z", line) is not None)


_DOLLAR = re.compile(r"(?<!\\)\$(?!\d[\d,.]*(?:\s|\Z|[.,;]))")
_MARKS = re.compile(r"(?:\s*<\|[^<>|]*\|>)+\Z")
"""Tokens that end a turn."""
_OPENED = re.compile(r"(?<!\\)\$[^$]*[=+\-\\^_a-zA-Z][^$]*\Z")
