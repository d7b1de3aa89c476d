"""Whether two answers are the same, part by part, asking a slow oracle only where reading cannot tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from verifiers.math.alignment import aligned
from verifiers.math.answer_form import Shape, read_shape
from verifiers.math.estimate import clearly_different
from verifiers.math.opaque import unevaluated
from verifiers.math.policy import DEFAULT, Policy
from verifiers.math.readings import as_lists, decimal_comma
from verifiers.math.same_number import same_number
from verifiers.math.shape_facts import (
    any_named,
    asked_for,
    bare,
    clearly_single,
    computes,
    cut_decimal,
    in_order,
    letters,
    mark,
    names_of,
    spelled,
)  # fmt: skip
from verifiers.math.symbolic_client import Ask, Question, Undecided
from verifiers.math.units import same_tail

__all__ = ["same_answer"]

MAX_PARTS = 60
MAX_QUESTIONS = 36
"""Pairs of list elements that the oracle may be asked about; a longer rest is undecided."""


@dataclass(frozen=True, slots=True)
class _Context:
    prompt: str
    ask: Ask | None
    policy: Policy = DEFAULT


def same_answer(
    gold: str, pred: str, *, prompt: str = "", ask: Ask | None = None, policy: Policy = DEFAULT
) -> bool | None:
    """True or false; null when no oracle is given and reading alone cannot tell.

    Raises Undecided when the oracle cannot tell either.
    """
    first, second = read_shape(gold), read_shape(pred)
    context = _Context(prompt, ask, policy)
    if first.number is None or second.number is None:
        both = aligned(gold, pred, prompt=prompt)
        if both is None:
            return False
        first, second = read_shape(both[0]), read_shape(both[1])
    if (decimal := decimal_comma(first, second)) is not None:
        return decimal
    return _same(*as_lists(first, second), context)


def _same(gold: Shape, pred: Shape, context: _Context) -> bool | None:
    if gold.kind == "empty" or pred.kind == "empty":
        return False
    if gold.name and pred.name and bare(gold.name) != bare(pred.name):
        return _same_under_other_name(gold, pred, context)
    if gold.name != pred.name:
        gold, pred = in_order(gold), in_order(pred)
    if gold.key == pred.key and gold.mark == pred.mark:
        return True
    if gold.rounded is not None and _same(gold.rounded, replace(pred, rounded=None), context):
        return True
    if pred.rounded is not None and gold.number is not None and gold.number.decimals is not None:
        return _same(gold, pred.rounded, context)
    if gold.kind == "relation" or pred.kind == "relation":
        return _same_relation(gold, pred, context)
    gold, pred = _unwrap(gold, pred), _unwrap(pred, gold)
    if gold.parts or pred.parts:
        return _same_parts(gold, pred, context)
    return _same_leaf(gold, pred, context)


def _same_under_other_name(gold: Shape, pred: Shape, context: _Context) -> bool | None:
    values = {gold.kind, pred.kind}
    if values <= {"number", "words", "tuple", "list", "set", "matrix"}:
        return False
    return _ask(context, "whole", spelled(gold), spelled(pred))


def _unwrap(shape: Shape, other: Shape) -> Shape:
    """A set of one value is that value where the other side is no collection."""
    if shape.kind == "set" and len(shape.parts) == 1 and not other.parts:
        return shape.parts[0]
    return shape


def _same_relation(gold: Shape, pred: Shape, context: _Context) -> bool | None:
    if gold.kind == "relation" and pred.kind == "relation":
        if len(gold.parts) == len(pred.parts) and gold.mark == pred.mark:
            sides = _ordered(gold.parts, pred.parts, replace(context, ask=None))
            if sides:
                return True
        return _ask(context, "relation", gold.latex, pred.latex)
    if gold.kind == "relation":
        if gold.mark == "=" and not pred.name and computes(gold):
            return _same(gold.parts[-1], pred, context)
        if pred.name:
            return _ask(context, "relation", gold.latex, spelled(pred))
        return _ask(context, "whole", gold.latex, pred.latex) if pred.kind in ("union", "interval") else False
    if gold.name and gold.kind == "formula":
        return _ask(context, "relation", spelled(gold), pred.latex)  # a curve, such as y = 2x + 3
    if pred.mark == "=":
        # 17*23 = 391 says 391 only if it is true; 0 = 5 and x^2+y^2 = 4 do not say 5 and 4.
        if re.search(r"(?<![\\a-zA-Z])[a-zA-Z](?![a-zA-Z])", pred.parts[0].latex):
            return _same(gold, pred.parts[-1], context) if asked_for(pred, context.prompt) else False
        answer = _same(gold, pred.parts[-1], context)
        if not answer:
            return answer
        return _ask(context, "identity", pred.parts[0].latex, pred.parts[-1].latex)
    if gold.kind in ("interval", "union", "tuple"):
        return _ask(context, "whole", gold.latex, pred.latex)
    return False


_COLLECTIONS = ("list", "set", "union")


def _same_parts(gold: Shape, pred: Shape, context: _Context) -> bool | None:
    if len(gold.parts) > MAX_PARTS or len(pred.parts) > MAX_PARTS:
        if context.ask is None:
            return None
        raise Undecided("error", f"more than {MAX_PARTS} elements, not compared one by one")
    if gold.kind == "matrix" and pred.kind == "matrix":
        alike = gold.mark == pred.mark and len(gold.parts) == len(pred.parts)
        return _ordered(gold.parts, pred.parts, context) if alike else False
    if gold.kind in ("tuple", "interval"):
        return _same_tuple(gold, pred, context)
    if pred.kind in ("tuple", "interval"):
        if gold.kind == "list" and pred.mark == "()" and names_of(gold) and pred.name in ("", names_of(gold)):
            return _ordered(gold.parts, pred.parts, context)
        if gold.kind == "list" and pred.mark == "()" and len(gold.parts) > 2:
            return _ordered(gold.parts, pred.parts, context)  # two could be the ends of an interval
        if gold.kind == "union":
            return _ask(context, "whole", gold.latex, pred.latex)
        return _vector(gold, pred, context)
    if gold.kind in _COLLECTIONS and pred.kind in _COLLECTIONS:
        if "and" in (gold.mark, pred.mark) and gold.mark != pred.mark:
            return False  # one of two conditions, and both of them
        if gold.kind == "list" and pred.kind == "list":
            if (names_of(gold) and not any_named(pred)) or context.policy.list_order == "kept":
                return _ordered(gold.parts, pred.parts, context)
            if not any_named(gold):
                pred = replace(pred, parts=tuple(replace(part, name="") for part in pred.parts))
        return _unordered(gold.parts, pred.parts, context)
    if "formula" in (gold.kind, pred.kind) and "words" not in (gold.kind, pred.kind):
        one = gold.kind == "list" or pred.kind == "list"
        one = one or clearly_different(gold.latex, pred.latex) or clearly_single(gold, pred)
        return False if one else _ask(context, "whole", gold.latex, pred.latex)
    return False


def _vector(gold: Shape, pred: Shape, context: _Context) -> bool | None:
    """A column or a row of a matrix may be written as a tuple."""
    if gold.kind != "matrix" or pred.mark != "()" or len(gold.parts) != len(pred.parts):
        return False
    line = gold.mark in ("1", str(len(gold.parts)))
    return _ordered(gold.parts, pred.parts, context) if line else False


def _same_tuple(gold: Shape, pred: Shape, context: _Context) -> bool | None:
    if pred.kind in ("tuple", "interval"):
        if mark(gold) != mark(pred):
            return False
        return _ordered(gold.parts, pred.parts, context)
    if pred.kind == "list" and gold.kind == "tuple" and not gold.name.startswith("|"):
        # Bare values in the order of the tuple; another order is another answer.
        return _ordered(gold.parts, pred.parts, context) if gold.mark == "()" else False
    if pred.kind == "matrix":
        return _vector(pred, gold, context)
    if pred.kind in ("union", "formula"):
        return _ask(context, "whole", gold.latex, pred.latex)
    return False


def _ordered(golds: Sequence[Shape], preds: Sequence[Shape], context: _Context) -> bool | None:
    if len(golds) != len(preds):
        return False
    quick = [_same(gold, pred, replace(context, ask=None)) for gold, pred in zip(golds, preds, strict=True)]
    if False in quick:
        return False
    if None not in quick or context.ask is None:
        return None if None in quick else True
    open_pairs = [
        pair for pair, known in zip(zip(golds, preds, strict=True), quick, strict=True) if known is None
    ]
    return all(_same(gold, pred, context) for gold, pred in open_pairs)


def _unordered(golds: Sequence[Shape], preds: Sequence[Shape], context: _Context) -> bool | None:
    """Matches the elements one to one, after leaving out repeated ones."""
    quick = replace(context, ask=None)
    golds, preds = _distinct(golds, quick), _distinct(preds, quick)
    if len(golds) != len(preds):
        return False
    rest_gold, rest_pred = [], list(preds)
    for gold in golds:
        twin = next((pred for pred in rest_pred if _same(gold, pred, quick)), None)
        if twin is None:
            rest_gold.append(gold)
        else:
            rest_pred.remove(twin)
    if not rest_gold:
        return True
    for gold in rest_gold:
        if all(_same(gold, pred, quick) is False for pred in rest_pred):
            return False
    if context.ask is None:
        return None
    if len(rest_gold) ** 2 > MAX_QUESTIONS:
        raise Undecided("error", f"{len(rest_gold)} list elements are left to the symbolic check")
    for gold in rest_gold:
        twin = next((pred for pred in rest_pred if _same(gold, pred, context)), None)
        if twin is None:
            return False
        rest_pred.remove(twin)
    return True


def _distinct(parts: Sequence[Shape], quick: _Context) -> list[Shape]:
    kept: list[Shape] = []
    for part in parts:
        if not any(_same(one, part, quick) for one in kept):
            kept.append(part)
    return kept


def _same_leaf(gold: Shape, pred: Shape, context: _Context) -> bool | None:
    if gold.number is not None and pred.number is not None:
        return same_number(gold.number, pred.number, prompt=context.prompt, policy=context.policy)
    if "words" in (gold.kind, pred.kind):
        if letters(gold.key) == letters(pred.key) and letters(gold.key):
            return gold.kind == pred.kind or len(letters(gold.key)) > 1
        words, other = (gold, pred) if gold.kind == "words" else (pred, gold)
        product = other.kind == "formula" and re.fullmatch(r"[a-z]{3,4}", words.latex)
        return _ask(context, "value", gold.latex, pred.latex) if product else False
    if not same_tail(gold.latex, pred.latex, prompt=context.prompt) or unevaluated(gold.latex, pred.latex):
        return False
    if (r"\ldots" in gold.latex) != (r"\ldots" in pred.latex):
        return cut_decimal(gold, pred)
    if ("'" in gold.latex) != ("'" in pred.latex) and r"\frac{d" not in gold.latex + pred.latex:
        return False
    degrees = [r"\circ" in shape.latex for shape in (gold, pred)]
    if degrees[0] != degrees[1] and (r"\pi" in gold.latex or r"\pi" in pred.latex):
        return False
    if len(gold.key) == len(pred.key) == 1 or clearly_different(gold.latex, pred.latex):
        return False
    return _ask(context, "value", gold.latex, pred.latex)


def _ask(context: _Context, question: Question, gold: str, pred: str) -> bool | None:
    return None if context.ask is None else context.ask(question, gold, pred)
