"""Pieces that several tables of kinds use."""

from __future__ import annotations

import random
import re
from fractions import Fraction

from tests.verifiers.metamorphic.kinds import boxed
from tests.verifiers.metamorphic.references import Reference
from verifiers.base import Case

__all__ = ["case", "cells", "fraction", "inner", "other", "parts", "put", "swap", "terms", "variable"]


def case(
    reference: str, answer: str, *, prompt: str = "", whole: bool = False, finish_reason: str = "stop"
) -> Case:
    """A case with a reference of its own; the answer is boxed unless it is the whole text."""
    return Case(prompt, answer if whole else boxed(answer), reference=reference, finish_reason=finish_reason)


def put(answer: str | None) -> str | None:
    """A boxed answer, or null where there is none."""
    return None if answer is None else boxed(answer)


def swap(text: str, old: str, new: str) -> str | None:
    """The boxed text with every `old` replaced; null where there is no `old`."""
    changed = re.sub(old, new, text)
    return None if changed == text else boxed(changed)


def fraction(text: str) -> Fraction:
    r"""The value of `\frac{a}{b}`, of an integer or of a decimal."""
    found = re.fullmatch(r"(-?)\\frac\{(\d+)\}\{(\d+)\}", text)
    if found:
        return Fraction(int(found[1] + found[2]), int(found[3]))
    return Fraction(text)


def parts(text: str) -> list[str]:
    """Elements between commas outside brackets, of a list or of what one pair of brackets holds."""
    inside = inner(text) if re.fullmatch(r"[(\[].*[)\]]", text) else text
    return [one.strip() for one in inside.split(",")]


def inner(text: str) -> str:
    """What the outer brackets hold."""
    return text.strip()[1:-1].strip()


def cells(matrix: str) -> list[list[str]]:
    """Rows and columns of a matrix."""
    inside = re.sub(r"\\(?:begin|end)\{pmatrix\}", "", matrix)
    rows = [row for row in re.split(r"\\\\", inside) if row.strip()]
    return [[one.strip() for one in row.split("&")] for row in rows]


def terms(text: str) -> list[str]:
    """Signed terms of a sum, split outside brackets."""
    found, depth, start = [], 0, 0
    for place, symbol in enumerate(text):
        depth += (symbol in "({[") - (symbol in ")}]")
        before = text[:place].rstrip()
        if symbol in "+-" and depth == 0 and place > start and before and before[-1] not in "^*/({+-":
            found.append(text[start:place].strip())
            start = place
    found.append(text[start:].strip())
    return [one if one[0] in "+-" else f"+{one}" for one in found if one]


def variable(text: str) -> str | None:
    """The one letter that a formula computes with; null where there are several or none."""
    letters = set(re.findall(r"(?<![\\a-zA-Z])[a-zA-Z](?![a-zA-Z])", text)) - {"e", "i", "C"}
    return letters.pop() if len(letters) == 1 else None


def other(reference: Reference, source: random.Random) -> int:
    """An integer near the reference's, never the same."""
    return int(reference.text) + source.choice([-12, -3, -2, -1, 1, 2, 3, 7, 10])
