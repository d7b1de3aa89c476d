"""The tokens of prose and mathematics: words, numbers and signs, each in one spelling, by sentence."""

from __future__ import annotations

import re

from factory.sameness.latex import mark_math, spelled
from factory.sameness.scanner import Scanner

__all__ = ["prose_tokens", "without_labels"]

_BOLD = re.compile(r"(\*\*|__)(?=\S)([^*_\n]*[A-Za-z]{2}[^*_\n]*?)(?<=\S)\1(?!\w)")
_BULLET = re.compile(r"(?m)^[ \t]*(?:[-*•][ \t]+(?=[^\W\d])|#{1,6}[ \t]+|>[ \t]+)")
_LABEL = re.compile(
    r"^[\s*#_>]*(?:question|problem|exercise|task|prompt|q)\s*(?:#?\s*\d+\s*[:.)]|:|\)|\n)[\s*_]*",
    re.IGNORECASE,
)
_ANSWER = re.compile(r"\s[*_#\s]*(?:answer|solution|response|a)\s*:[\s*_]*$", re.IGNORECASE)
_INITIALS = re.compile(r"\b([A-Za-z])\.\s?([A-Za-z])\.(?!\w)")


def prose_tokens(text: str, *, folded: bool = False) -> list[str]:
    """Tokens of a text without code; BREAK and QUESTION stand between sentences.

    A word is in lower case unless its case tells variables apart; a run of letters that is no word is cut
    into variables; a number begins with `#`. With `folded`, case is lost everywhere.
    """
    text = spelled(text.lower() if folded else text)
    text = _BULLET.sub("", _BOLD.sub(r"\2", mark_math(text)))
    text = _INITIALS.sub(lambda m: m[1].lower() + m[2].lower() + " ", text) if "." in text else text
    try:
        return Scanner(text).run()
    except RecursionError:
        # Thousands of groups inside one another are no problem that anybody poses.
        return text.split()


def without_labels(text: str) -> str:
    """The text without `Question:` before and `Answer:` behind it."""
    return _ANSWER.sub("", _LABEL.sub("", text))
