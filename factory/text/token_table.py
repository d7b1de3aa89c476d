"""What each Unicode code point means to a tokeniser: part of a word, a word of its own, or nothing."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Alphabet", "Tokens", "alphabet"]

Tokens: TypeAlias = Literal["alnum", "symbols", "nondigit", "whitespace"]
"""`alnum`: runs of letters and digits, NFKD, lower case; each CJK character is a token.
`symbols`: as `alnum`, and each operator (+ - * / = < > ...) is a token.
`nondigit`: as `alnum` with digits taken out, so that variants that differ in numbers alone are equal.
`whitespace`: `text.lower().split()`; a capital sigma always folds to the medial form.
"""

SEPARATOR, WORD, SOLO, SKIP, EXPAND = range(5)
_SCANNED = 0x20000  # planes 0 and 1 hold every letter that folds; plane 2 and 3 hold CJK only
_OPERATORS = frozenset("+-*/=<>^|!%&~")
_SPELLED = {"−": "-", "×": "*", "÷": "/", "⁄": "/", "∕": "/", "⋅": "*", "·": "*", "ς": "σ"}
_SOLO_RANGES = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x0E00, 0x0EFF))


@dataclass(frozen=True, slots=True)
class Alphabet:
    """Tables indexed by code point: `kind` (uint8), `fold` (uint32), and `extra` for folds of several points.

    Where `kind` is EXPAND, `fold` points into `extra`, at a length followed by that many code points.
    """

    fold: npt.NDArray[np.uint32]
    kind: npt.NDArray[np.uint8]
    extra: npt.NDArray[np.uint32]


@lru_cache(maxsize=4)
def alphabet(tokens: Tokens) -> Alphabet:
    """The table of one way to cut tokens, by the Unicode version of this Python; built once per process."""
    fold = np.arange(0x110000, dtype=np.uint32)
    kind = np.full(0x110000, WORD if tokens == "whitespace" else SEPARATOR, np.uint8)
    if tokens != "whitespace":
        kind[0x20000:0x40000] = SOLO
        kind[0xE0000:0xE1000] = SKIP
    extra: list[int] = []
    for point in range(_SCANNED):
        what, folded = _entry(chr(point), tokens)
        if len(folded) == 1:
            fold[point], kind[point] = ord(folded), what
            continue
        kind[point] = what if what in (SEPARATOR, SKIP) or not folded else EXPAND
        if kind[point] == EXPAND:
            fold[point] = len(extra)
            extra += [len(folded), *map(ord, folded)]
    return Alphabet(fold, kind, np.array(extra or [0], np.uint32))


def _entry(char: str, tokens: Tokens) -> tuple[int, str]:
    """The kind of one character and the characters it folds to."""
    if tokens == "whitespace":
        return (SEPARATOR, "") if char.isspace() else (WORD, char.lower().replace("ς", "σ"))
    char = _SPELLED.get(char, char)
    category = unicodedata.category(char)
    if category == "Cf" or 0xFE00 <= ord(char) <= 0xFE0F:
        return SKIP, ""
    if tokens == "symbols" and (char in _OPERATORS or category == "Sm"):
        return SOLO, char
    point = ord(char)
    if any(low <= point <= high for low, high in _SOLO_RANGES) and category[0] in "LMN":
        return SOLO, unicodedata.normalize("NFKD", char)[:1]
    if 0xAC00 <= point <= 0xD7A3:
        return WORD, char
    folded = "".join(_digit(c) for c in unicodedata.normalize("NFKD", char).lower() if _is_word(c))
    if tokens == "nondigit":
        folded = "".join(c for c in folded if not c.isnumeric())
        if not folded and char.isnumeric():
            return SKIP, ""
    return (WORD, folded) if folded else (SEPARATOR, "")


def _is_word(char: str) -> bool:
    return unicodedata.category(char)[0] in "LMN"


def _digit(char: str) -> str:
    """Digits of any script as ASCII, so that equal numbers are equal tokens."""
    value = unicodedata.digit(char, -1)
    return char if value < 0 else str(value)
