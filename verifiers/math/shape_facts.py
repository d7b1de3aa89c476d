"""What can be said of the form of an answer without comparing its parts."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from verifiers.math.answer_form import Shape
from verifiers.math.canonical import canonical
from verifiers.math.estimate import is_arithmetic

__all__ = [
    "any_named", "asked_for", "bare", "clearly_single", "computes", "cut_decimal", "in_order", "letters",
    "mark", "names_of", "spelled",
]  # fmt: skip


def bare(name: str) -> str:
    """The name without a variable in brackets: W(n) and W(x) name one function, and y is f(x)."""
    bare = re.sub(r"\((?:[a-zA-Z])\)\Z", "", name)
    return "y" if bare != name and bare in ("f", "y") else bare


def spelled(shape: Shape) -> str:
    """The answer with its name, as LaTeX."""
    if not shape.name or shape.kind in ("interval", "union"):
        named_set = shape.name and not any(sign in shape.latex for sign in ("<", ">", r"\le", r"\ge"))
        return rf"{shape.name} \in {shape.latex}" if named_set else shape.latex
    return f"{shape.name}={shape.latex}"


_COMPUTES = re.compile(r"\s*\\(?:lim|i*int|sum|prod|det|binom)(?![a-zA-Z])|[^a-zA-Z]*[+*/^\-][^a-zA-Z]*\Z")


def computes(gold: Shape) -> bool:
    """Whether a reference computes a number: a limit, an integral or arithmetic, and its value."""
    return gold.parts[-1].number is not None and _COMPUTES.match(gold.parts[0].latex) is not None


def asked_for(equation: Shape, prompt: str) -> bool:
    """Whether the left side is a quantity of the prompt, as a+b+c, and the equation not the prompt's own."""
    asked = _dense(prompt)
    left = _dense(equation.parts[0].latex)
    return len(left) >= 3 and left in asked and f"{left}=" not in asked


def _dense(text: str) -> str:
    return re.sub(r"\s", "", canonical(text.replace("$", " ")))


def clearly_single(gold: Shape, pred: Shape) -> bool:
    """Whether one side is a set of several values and the other plain arithmetic, which is one value."""
    sets = [len(shape.parts) > 1 for shape in (gold, pred) if shape.kind == "set"]
    plain = [is_arithmetic(shape.latex) for shape in (gold, pred) if shape.kind == "formula"]
    return any(sets) and all(plain)


def names_of(shape: Shape) -> str:
    """`(x,y)` for the list x=3, y=4; empty when the parts do not all have names of their own."""
    names = [part.name for part in shape.parts]
    return f"({','.join(names)})" if all(names) and len(set(names)) == len(names) else ""


def any_named(shape: Shape) -> bool:
    """Whether a part says what it is the value of."""
    return any(part.name for part in shape.parts)


_COORDINATES = re.compile(r"\(([xyz](?:,[xyz])+)\)")


def in_order(shape: Shape) -> Shape:
    """Coordinates said to be (y, x) as (x, y)."""
    names = _COORDINATES.fullmatch(shape.name)
    letters = names[1].split(",") if names is not None else []
    if len(letters) != len(shape.parts) or letters == sorted(letters):
        return shape
    pairs = sorted(zip(letters, shape.parts, strict=True), key=lambda pair: pair[0])
    return replace(shape, parts=tuple(part for _, part in pairs), key="")


def mark(shape: Shape) -> str:
    """The brackets, with every infinite end open."""
    if len(shape.parts) != 2 or len(shape.mark) != 2:
        return shape.mark
    left = "(" if "infty" in shape.parts[0].key else shape.mark[0]
    right = ")" if "infty" in shape.parts[1].key else shape.mark[1]
    return left + right


_CUT_DECIMAL = re.compile(r"(-?\d*\.\d{2,})\s*\\ldots\Z")


def cut_decimal(gold: Shape, pred: Shape) -> bool:
    r"""Whether one side is the other's decimal with dots behind its digits: `0.33\ldots` for a third."""
    cut = _CUT_DECIMAL.match(gold.latex) or _CUT_DECIMAL.match(pred.latex)
    whole = pred.number or gold.number
    if cut is None or whole is None:
        return False
    digits = len(cut[1].split(".")[1])
    return abs(whole.value - Fraction(cut[1])) < Fraction(1, 10**digits)


def letters(key: str) -> str:
    """The letters and digits of words, without articles and case."""
    key = re.sub(r"\b(?:the|a|an)\b ?", "", key.lower())
    return "".join(symbol for symbol in key if symbol.isalnum())
