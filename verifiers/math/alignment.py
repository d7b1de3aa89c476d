"""Two answers brought to one notation where each alone could be read in two ways."""

from __future__ import annotations

import re

from verifiers.math.canonical import canonical, clean
from verifiers.math.units import with_plain_unit

__all__ = ["aligned"]

_CONDITION = re.compile(
    r"\s*(?:[,;]|\\text\s*\{[\s,]*(?:for|where|with|if|and|provided)\s*(?:that\s*)?\}|\b(?:for|where|with|provided)\b)[\s\\quad]*(?:\\text\s*\{[^{}]*\})?\s*"
    r"((?:[a-zA-Z](?:_\{?\w+\}?)?\s*,\s*)*[a-zA-Z](?:_\{?\w+\}?)?\s*(?:\\ne(?![a-zA-Z])|\\in\s*\\(?:mathbb|mathbf|Z|R|N)).*)\Z"
)
_PARENTHESIS = re.compile(r"\s*\(\s*([a-zA-Z]\s*(?:\\ne(?![a-zA-Z])|\\in\s*\\mathbb)[^()]*)\)\s*\Z")
_UNIT_ABOVE = re.compile(r"\\frac\s*\{([^{}]*?)\s*(\\(?:text|mathrm)\s*\{[^{}]*\})\s*\}\s*(\{[^{}]*\})\s*\Z")
_CONSTANT = re.compile(
    r"(?:(?<=[+\-])|\A)\s*(?:\\(?:text|mathrm|mathit)\s*\{\s*(?:([CcKk])|[Cc]onst(?:ant|\.)?)\s*\}|([CcKk])|(?:const(?:ant)?))\s*(?=\Z|[+\-])"
)
_INDEXED = re.compile(r"(?<![a-zA-Z\\])[CcKk]_\{?(\d)\}?")


def aligned(gold: str, pred: str, *, prompt: str) -> tuple[str, str] | None:
    """Both answers without conditions, with one letter for a constant, and letters as units where they are.

    Null when their conditions exclude each other: `x+1, x \\ne 1` and `x+1, x \\ne 2`.
    """
    gold, pred = clean(gold), clean(pred)
    gold, first = _condition(gold)
    pred, second = _condition(pred)
    if first and second and r"\ne" in first + second and canonical(first) != canonical(second):
        return None
    gold, pred = _UNIT_ABOVE.sub(r"\\frac{\1}\3\2", gold), _UNIT_ABOVE.sub(r"\\frac{\1}\3\2", pred)
    gold, pred = (
        with_plain_unit(gold, other=pred, prompt=prompt),
        with_plain_unit(pred, other=gold, prompt=prompt),
    )
    if ":" in gold + pred:
        gold, pred = _RATIO.sub(r"\1:", gold), _RATIO.sub(r"\1:", pred)
    return _constants(gold, pred)


_RATIO = re.compile(r"(?<=[\d}])()\s*(?:\\text\s*\{\s*(?:to|is to)\s*\}|\bto\b)\s*(?=[\d\\])")


def _condition(latex: str) -> tuple[str, str]:
    for pattern in (_CONDITION, _PARENTHESIS):
        found = pattern.search(latex)
        if found is not None and re.search("[a-zA-Z]", latex[: found.start()]):
            return latex[: found.start()].strip(), found[1]
    return latex, ""


def _constants(gold: str, pred: str) -> tuple[str, str]:
    """`+ c` and `+ K` as the `+ C` of the other side; c_1 and C_1 alike."""
    if _INDEXED.search(gold) and _INDEXED.search(pred):
        return _INDEXED.sub(r"C_{\1}", gold), _INDEXED.sub(r"C_{\1}", pred)
    first, second = _CONSTANT.search(gold), _CONSTANT.search(pred)
    if (
        first is None
        or second is None
        or not (re.search(r"[a-z]", gold[: first.start()] + gold[first.end() :]))
    ):
        return gold, pred
    return (
        f"{gold[: first.start()]} C {gold[first.end() :]}".strip(),
        f"{pred[: second.start()]} C {pred[second.end() :]}".strip(),
    )
