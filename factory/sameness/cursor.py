"""Reads raw tokens one by one, with the groups that LaTeX puts in braces."""

from __future__ import annotations

import re

from factory.sameness.latex import WORDS_OF
from factory.sameness.vocabulary import MATH_NAMES, SHORT_WORDS, UNITS, known

__all__ = ["BREAK", "CLOSE", "OPEN", "QUESTION", "Cursor", "plain_number", "words_of_run", "wrapped"]

BREAK, QUESTION = "\n.", "\n?"
"""Stand for the end of a sentence, and of one that asks."""

OPEN, CLOSE = "⟮", "⟯"
"""Brackets around a fraction, however it is written."""

_RAW = re.compile(
    r"\\(?P<cmd>[A-Za-z]+\*?)|\\(?P<esc>.)|"
    r"(?P<num>\d{1,3}(?:(?:,|\{,\}|\\,|\\!|,\\!)\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|(?<![\w.)\]])\.\d+)|"
    r"(?P<word>[^\W\d_]+(?:'[^\W\d_]+)*|__+)|"
    r"(?P<gap>\s+)|(?P<sign>\.{3,}|<=>|[<>=!]=|->|=>|<-|.)",
    re.DOTALL,
)
_EMPHASIS = frozenset(
    [
        "NOT",
        "ALL",
        "AND",
        "OR",
        "NO",
        "ONLY",
        "EXACTLY",
        "MUST",
        "ANY",
        "EACH",
        "EVERY",
        "ONE",
        "BOTH",
        "LEAST",
        "MOST",
        "FIRST",
        "LAST",
    ]
)


class Cursor:
    """A place among the raw tokens of a text, and the tokens made of those before it."""

    def __init__(self, text: str) -> None:
        self._raw = [(m.lastgroup or "", m[0], m) for m in _RAW.finditer(text)]
        self._at = 0
        self._out: list[str] = []
        self._math = 0
        self._brackets = 0
        self._rows = 0
        self._opens = True

    def _peek(self, ahead: int = 0) -> tuple[str, str]:
        place = self._at + ahead
        return self._raw[place][:2] if 0 <= place < len(self._raw) else ("", "")

    def _next(self) -> None:
        raise NotImplementedError

    def _put(self, *tokens: str) -> None:
        self._out += tokens
        self._opens = False

    def _break(self, kind: str) -> None:
        if self._out and self._out[-1] not in (BREAK, QUESTION):
            self._out.append(kind)
        self._opens = True

    def _argument(self, *, raw: bool = False, words: bool = False) -> list[str]:
        """Tokens of the group that follows, or of the one token that follows."""
        while self._peek()[0] == "gap":
            self._at += 1
        outer, self._out = self._out, []
        if self._peek()[1] == "{":
            self._group(raw=raw, words=words)
        elif self._at < len(self._raw):
            kind, text = self._peek()
            if kind == "num" and len(text) > 1:
                # \frac12 and x^23 take one digit of a number.
                self._put("#" + text[0])
                self._raw[self._at] = ("num", text[1:], self._raw[self._at][2])
            elif kind == "word" and len(text) > 1:
                self._put(text[0])
                self._raw[self._at] = ("word", text[1:], self._raw[self._at][2])
            else:
                self._next()
        inside, self._out = self._out, outer
        return [t for t in inside if t not in (BREAK, QUESTION)]

    def _group(self, *, raw: bool, words: bool) -> None:
        """Takes `{...}`; the braces themselves are left out."""
        self._at += 1
        depth = 1
        self._math += not (raw or words)
        while self._at < len(self._raw) and depth:
            text = self._peek()[1]
            if text == "{":
                depth += 1
                self._at += 1
            elif text == "}":
                depth -= 1
                self._at += 1
            elif raw:
                self._out.append(text)
                self._at += 1
            else:
                self._next()
        self._math -= not (raw or words)

    def _argument_in_brackets(self) -> None:
        while self._at < len(self._raw) and self._peek()[1] != "]":
            self._at += 1
        self._at += 1


def words_of_run(run: str, *, opens: bool, math: bool) -> list[str]:
    """A run of letters as one word or as variables."""
    if len(run) == 1:
        return ["a" if run == "A" and opens else WORDS_OF.get(run, run)]
    if not run.isascii():
        return [run.lower() if run.istitle() or run.isupper() else run]
    low = run.lower()
    if low in MATH_NAMES or low in UNITS:
        return [low]
    if math:
        return list(run)
    if run.isupper() and run not in _EMPHASIS:
        return list(run)
    if "'" in run or low in SHORT_WORDS or (len(run) > 2 and (run.islower() or run.istitle()) and known(low)):
        return [low]
    if len(run) == 2:
        return list(run)
    return [low if run.islower() or run.istitle() else run]


def plain_number(raw: str) -> str:
    """The digits of a number, without separators; `.5` is 0.5, and 007 is not 7."""
    digits = re.sub(r"[^\d.]", "", raw)
    whole, dot, part = digits.partition(".")
    return (whole or "0") + dot + part


def wrapped(inside: list[str]) -> list[str]:
    """A part of several tokens in brackets; a part in brackets already, or of one token, as it is."""
    return inside if len(inside) == 1 or _enclosed(inside) else ["(", *inside, ")"]


def _enclosed(inside: list[str]) -> bool:
    if len(inside) < 2 or inside[0] != "(" or inside[-1] != ")":
        return False
    depth = 0
    for place, token in enumerate(inside):
        depth += (token == "(") - (token == ")")
        if depth == 0 and place < len(inside) - 1:
            return False
    return True
