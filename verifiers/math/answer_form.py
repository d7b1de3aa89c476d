r"""The form of an answer: number, words, list, tuple, set, interval, relation, matrix or formula.

Answers are compared part by part, so that `(1,2)` is not `\{1,2\}` and `x^2+y^2=4` is not 4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from verifiers.math.canonical import canonical, clean, plain_words
from verifiers.math.number import Number, read_number
from verifiers.math.scan import names_something, outer, relations, split_parts, top_level

__all__ = ["Kind", "Shape", "read_shape"]

Kind = Literal[
    "empty", "number", "words", "formula", "list", "tuple", "set", "interval", "union", "relation", "matrix"
]
MAX_DEPTH = 8
"""Deeper nesting of lists, sets and relations stays a formula."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One answer taken apart. `latex` is its cleaned text, `key` its canonical one."""

    kind: Kind
    latex: str
    key: str
    parts: tuple[Shape, ...] = ()
    """Elements of a list, tuple, set or union; the rows' cells of a matrix; both sides of a relation."""
    mark: str = ""
    """Brackets of a tuple or interval, column count of a matrix, operator of a relation."""
    name: str = ""
    """What the value was said to be: the `x` of `x=5`, canonical."""
    number: Number | None = None
    rounded: Shape | None = None
    r"""The value after an `\approx`."""


_REAL_LINE = re.compile(
    r"(?i)\\mathbb\s*\{?\s*R\s*\}?|(?:\\text\s*\{)?\s*(?:the set of )?all reals?(?: numbers)?\s*\}?"
)


def read_shape(text: str) -> Shape:
    """Takes an answer apart. Never fails: what is not understood is a formula."""
    return _read(clean(text), 0)


@lru_cache(maxsize=65_536)
def _read(latex: str, depth: int) -> Shape:
    latex = latex.strip()
    if not latex:
        return Shape("empty", "", "")
    if _REAL_LINE.fullmatch(latex):
        return _read(r"(-\infty,\infty)", depth)
    number = read_number(latex)
    if number is not None:
        return Shape("number", latex, canonical(latex), number=number)
    if depth < MAX_DEPTH:
        for reader in (_matrix, _words, _list, _relation, _bracketed, _union):
            shape = reader(latex, depth)
            if shape is not None:
                return shape
    return Shape("formula", latex, canonical(latex))


_WORDS = re.compile(r"[^\W\d_](?:[^\W\d_]|[ '\-.])*\Z")
_TEXT_ONLY = re.compile(r"\\(?:text|mbox|textbf|textit|textrm|textnormal|mathrm|mathbf)\s*\{[^{}]*\}\Z")


_NO_SOLUTION = re.compile(r"(?i)(?:there(?:is|are))?no(?:real)?solutions?(?:exists?)?|(?:the)?emptyset")
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")


def _words(latex: str, depth: int) -> Shape | None:
    if _DATE.fullmatch(latex):
        return Shape("words", latex, canonical(latex))  # and no subtraction
    spelled = plain_words(latex).strip()
    if _NO_SOLUTION.fullmatch(re.sub(r"[^a-zA-Z]", "", spelled)):
        return Shape("formula", r"\emptyset", canonical(r"\emptyset"))
    if _TEXT_ONLY.match(latex) and spelled:
        if letter := re.fullmatch(r"\(\s*([a-zA-Z])\s*\)", spelled):
            return Shape("words", latex, letter[1])
        read = read_number(spelled)
        if read is not None:
            return Shape("number", latex, canonical(latex), number=read)
        return Shape("words", latex, canonical(latex))
    letters = re.sub(r"[^a-zA-Z]", "", spelled)
    if _WORDS.match(spelled) and (len(letters) >= 3 or not spelled.isascii()) and not split_parts(latex)[1:]:
        return Shape("words", latex, canonical(latex))
    return None


def _list(latex: str, depth: int) -> Shape | None:
    pieces = split_parts(latex)
    both = _BOTH.search(latex) is not None
    if len(pieces) < 2:
        if r"\pm" not in latex and r"\mp" not in latex:
            return None
        enclosed = outer(latex)
        if _signed(latex) is None or (enclosed is not None and enclosed[0] == r"\{\}"):
            return None
        pieces = [latex]
    parts: list[Shape] = []
    for piece in pieces:
        for variant in _signed(piece) or [piece]:
            part = _read(clean(variant), depth + 1)
            # x = 1, 2 says two values of x, and W(n)=1 and W(n)=-1 are two values as well.
            parts += part.parts if part.kind == "list" else (part,)
    parts = [part for part in parts if part.kind != "empty"]
    if len(parts) == 1:
        return parts[0]
    if both and all(part.kind in ("interval", "union") for part in parts):
        return _meet(latex, parts)
    return Shape("list", latex, canonical(latex), parts=tuple(parts)) if parts else None


_BOTH = re.compile(r"\\text\s*\{[\s,]*and[\s,]*\}|\band\b|\\(?:land|wedge|cap)(?![a-zA-Z])")


def _meet(latex: str, parts: list[Shape]) -> Shape:
    """Conditions that hold together: x > 1 and x < 5 are one interval; others stay as they are."""
    rays = {
        ("infty" in part.parts[0].key, "infty" in part.parts[-1].key): part for part in parts if part.parts
    }
    low, high = rays.get((False, True)), rays.get((True, False))
    if len(parts) != 2 or low is None or high is None or low.name != high.name:
        return Shape("list", latex, canonical(latex), parts=tuple(parts), mark="and")
    mark = low.mark[0] + high.mark[1]
    return Shape(
        "interval", latex, canonical(latex), parts=(low.parts[0], high.parts[1]), mark=mark, name=low.name
    )


def _signed(piece: str) -> list[str] | None:
    r"""Both readings of a piece with `\pm`; the upper signs go together, as do the lower ones."""
    if r"\pm" not in piece and r"\mp" not in piece:
        return None
    upper = re.sub(r"\\mp(?![a-zA-Z])", "-", re.sub(r"\\pm(?![a-zA-Z])", "+", piece))
    lower = re.sub(r"\\mp(?![a-zA-Z])", "+", re.sub(r"\\pm(?![a-zA-Z])", "-", piece))
    if upper == piece:
        return None
    return [re.sub(r"(^|[=(\[{,])\s*\+\s*", r"\1", upper.strip()), lower]


def _relation(latex: str, depth: int) -> Shape | None:
    found = relations(latex)
    if not found:
        return None
    operators = [latex[start:end].strip() for start, end in found]
    bounds = [0, *(edge for pair in found for edge in pair), len(latex)]
    sides = [latex[bounds[i] : bounds[i + 1]].strip() for i in range(0, len(bounds), 2)]
    if operators[-1] == r"\approx":
        exact = latex[: found[-1][0]].strip()
        rounded = _read(clean(sides[-1]), depth + 1)
        if not exact:
            return rounded
        first = _read(exact, depth + 1)
        if first.kind == "formula" and names_something(exact):
            return _named(rounded, canonical(exact))
        return _with_rounded(first, rounded)
    if operators[0] == r"\in" and len(operators) == 1 and names_something(sides[0]):
        return _named(_read(clean(sides[1]), depth + 1), canonical(sides[0]))
    if set(operators) == {"="}:
        return _equation(latex, sides, depth)
    interval = _inequality(latex, sides, operators, depth)
    if interval is not None:
        return interval
    parts = tuple(_read(clean(side), depth + 1) for side in sides)
    return Shape("relation", latex, canonical(latex), parts=parts, mark=" ".join(operators))


def _equation(latex: str, sides: list[str], depth: int) -> Shape:
    if names_something(sides[0]) and sides[-1]:
        value = _read(clean(sides[-1]), depth + 1)
        return _named(value, canonical(sides[0]))
    if len(sides) == 2 and sides[0] and names_something(sides[1]):
        return _named(_read(clean(sides[0]), depth + 1), canonical(sides[1]))
    parts = tuple(_read(clean(side), depth + 1) for side in sides)
    return Shape("relation", latex, canonical(latex), parts=parts, mark="=")


def _named(value: Shape, name: str) -> Shape:
    parts = value.parts
    if value.kind == "list":
        parts = tuple(part if part.name else _named(part, name) for part in parts)
        return Shape("list", value.latex, value.key, parts=parts)
    return Shape(value.kind, value.latex, value.key, parts, value.mark, name, value.number, value.rounded)


def _with_rounded(value: Shape, rounded: Shape) -> Shape:
    return Shape(
        value.kind, value.latex, value.key, value.parts, value.mark, value.name, value.number, rounded
    )


_OPEN = {"<": "()", r"\le": "[]", ">": "()", r"\ge": "[]"}


def _inequality(latex: str, sides: list[str], operators: list[str], depth: int) -> Shape | None:
    """`x<2`, `2>x` and `-2 \\le x < 7` as intervals of a named quantity."""
    if any(operator not in _OPEN for operator in operators):
        return None
    if any(operator in ("<", r"\le") for operator in operators) and any(
        operator in (">", r"\ge") for operator in operators
    ):
        return None
    if operators[0] in (">", r"\ge"):
        sides, operators = sides[::-1], operators[::-1]
    if len(sides) == 3 and names_something(sides[1]) and not names_something(sides[0]):
        low, name, high = sides
        mark = _OPEN[operators[0]][0] + _OPEN[operators[1]][1]
    elif len(sides) == 2 and names_something(sides[0]) and not names_something(sides[1]):
        low, name, high = r"-\infty", sides[0], sides[1]
        mark = "(" + _OPEN[operators[0]][1]
    elif len(sides) == 2 and names_something(sides[1]) and not names_something(sides[0]):
        low, name, high = sides[0], sides[1], r"\infty"
        mark = _OPEN[operators[0]][0] + ")"
    else:
        return None
    parts = (_read(clean(low), depth + 1), _read(clean(high), depth + 1))
    return Shape("interval", latex, canonical(latex), parts=parts, mark=mark, name=canonical(name))


_TWO = re.compile(r"-?\d{1,3},[1-9]\d{2}")
"""In brackets a comma parts two values, unless noughts follow it."""
_POINT = re.compile(r"[A-Z]'?(?:_\{?\d\}?)?\s*(?=\()")
_BUILDER = re.compile(r"\\mid(?![a-zA-Z])|\\vert(?![a-zA-Z])|[|:]")


def _bracketed(latex: str, depth: int) -> Shape | None:
    named = _POINT.match(latex)
    found = outer(latex[named.end() :] if named else latex)
    if found is None or (named is not None and len(split_parts(found[1], words=False)) < 2):
        return None
    mark, inner = found
    if mark == "{}":
        return _read(clean(inner), depth + 1)
    if mark == r"\{\}" and len(sides := top_level(inner, _BUILDER)) == 2 and sides[0].strip():
        return _read(clean(sides[1]), depth + 1)  # the x with a property
    pieces = inner.split(",") if _TWO.fullmatch(inner) else split_parts(inner, words=False)
    parts = tuple(_read(clean(piece), depth + 1) for piece in pieces)
    if mark == r"\{\}":
        flat: list[Shape] = []
        for part in parts:
            flat += part.parts if part.kind == "list" else (part,)
        elements = tuple(part for part in flat if part.kind != "empty")
        if not elements:
            return Shape("formula", r"\emptyset", canonical(r"\emptyset"))
        return Shape("set", latex, canonical(latex), parts=elements)
    if len(pieces) == 1:
        return _read(clean(inner), depth + 1) if mark == "()" else None
    kind: Kind = "interval" if mark in ("[)", "(]") else "tuple"
    return Shape(kind, latex, canonical(latex), parts=parts, mark="()" if mark == "<>" else mark)


def _union(latex: str, depth: int) -> Shape | None:
    pieces = [piece.strip() for piece in top_level(latex, re.compile(r"\\cup(?![a-zA-Z])"))]
    if len(pieces) < 2:
        return None
    parts = tuple(_read(clean(piece), depth + 1) for piece in pieces)
    if any(part.kind not in ("tuple", "interval", "set") for part in parts):
        return None
    return Shape("union", latex, canonical(latex), parts=parts)


_MATRIX = re.compile(r"\\begin\s*\{([pbBvV]?matrix|array)\}(\{[^{}]*\})?(.*)\\end\s*\{\1\}\Z", re.DOTALL)


def _matrix(latex: str, depth: int) -> Shape | None:
    inner = latex
    if latex[:1] in "([" and latex[-1:] in ")]" and r"\begin" in latex:
        inner = latex[1:-1].strip()
    match = _MATRIX.match(inner)
    if match is None or match[1] in ("vmatrix", "Vmatrix") or match[3].count(r"\begin"):
        return None
    rows = [row for row in re.split(r"\\\\", match[3]) if row.strip()]
    cells = [row.split("&") for row in rows]
    if not cells or len({len(row) for row in cells}) != 1:
        return None
    parts = tuple(_read(clean(cell), depth + 1) for row in cells for cell in row)
    return Shape("matrix", latex, canonical(latex), parts=parts, mark=str(len(cells[0])))
