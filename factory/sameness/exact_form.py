"""The form in which two texts are equal when they differ in nothing that could matter."""

from __future__ import annotations

import re
import unicodedata

from factory.sameness.vocabulary import FUNCTION_WORDS
from factory.sameness.zones import code_like

__all__ = ["exact_form"]

_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "\u00a0": " ", "\u202f": " ", "\u2009": " "})
_UNSEEN = re.compile("[\u00ad\u200b\u2060\ufeff]")
_AFTER_WORD = re.compile(r"(?<=[^\W\d_]{2})[.,;:?…]+(?=\s|$)|(?<=[^\W\d_]{3})!+(?=\s+[A-Z]|\s*$)")
_AT_END = re.compile(r"(?<=[\w)\]}$%!])\s*[.?]+[.?!\s]*$")
_BETWEEN = re.compile(
    r"(?<=[\d)\]}])\s+([-+*/=<>×÷])\s+(?=[\d(\[{\\])|(?<=\b[A-Za-z])\s+([+=<>])\s+(?=[\w(\[{\\])"
)
_TIGHT = re.compile(r"(?<=[\d)\]}])\s*([+=*×÷])\s*(?=[\d(\[{\\])")
_LINES = re.compile(r"[ \t]+$", re.MULTILINE)
_FUNCTION = re.compile(r"\b(?:[A-Z][a-z]+|[A-Z]{3,})\b")


def exact_form(text: str) -> str:
    """The text in NFC, without what only typing changes: kinds of blanks, typographic quotes, the punctuation
    behind words of prose, blanks around operators between numbers, and the case of function words.

    Brackets, marks, scripts, accents, signs, and in a text with code all line breaks and indentation stay.
    """
    if not text.isascii():
        text = _UNSEEN.sub("", unicodedata.normalize("NFC", text)).translate(_QUOTES)
    if code_like(text):
        return _LINES.sub("", text.replace("\r\n", "\n")).strip("\n")
    text = _AFTER_WORD.sub("", " ".join(text.split()))
    text = _TIGHT.sub(r"\1", _BETWEEN.sub(r"\1\2", _AT_END.sub("", text)))
    return _FUNCTION.sub(_lower, text)


def _lower(match: re.Match[str]) -> str:
    low = match[0].lower()
    return low if low in FUNCTION_WORDS else match[0]
