"""Two readings of a comma between digits: it groups, it separates, or it is a decimal point."""

from __future__ import annotations

import re

from verifiers.math.answer_form import Shape, read_shape
from verifiers.math.number import read_number
from verifiers.math.same_number import same_number

__all__ = ["as_lists", "decimal_comma"]

_COMMA = re.compile(r"-?\d+,\d+\Z", re.ASCII)


def decimal_comma(gold: Shape, pred: Shape) -> bool | None:
    """`1,22` and `1.22` are one number where one side writes it with a point."""
    for comma, point in ((gold, pred), (pred, gold)):
        if comma.kind == "list" and point.kind == "number" and _COMMA.match(comma.latex):
            read = read_number(comma.latex.replace(",", "."))
            if read is not None and point.number is not None and point.number.decimals is not None:
                return same_number(read, point.number)
    return None


def _as_list(number: Shape) -> Shape | None:
    """Reads `100,200` as two values: the other side is a list, so the comma may separate."""
    if not re.match(r"-?\d{1,3}(?:,\d{3})+\Z|0,\d+\Z", number.latex):
        return None
    return read_shape(number.latex.replace(",", ", "))


def as_lists(gold: Shape, pred: Shape) -> tuple[Shape, Shape]:
    """Both answers, with a number such as `100,200` read as a list where the other side is one."""
    if gold.kind == "number" and pred.kind in ("list", "set") and len(pred.parts) > 1:
        return _as_list(gold) or gold, pred
    if pred.kind == "number" and gold.kind in ("list", "set") and len(gold.parts) > 1:
        return gold, _as_list(pred) or pred
    return gold, pred
