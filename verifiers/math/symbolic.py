"""The slow oracle: runs inside a killable worker, because SymPy may never return.

Imported by the worker processes only. `answer` is what they call.
"""

from __future__ import annotations

import random
import re
from typing import Any

import sympy
from latex2sympy2_extended.latex2sympy2 import NormalizationConfig
from math_verify import LatexExtractionConfig, parse, verify
from sympy import Basic, Expr, Symbol
from sympy.core.relational import Relational

from verifiers.math.opaque import opaque_pair

__all__ = ["answer"]

DIGITS = 60
"""Constants are compared at this precision, so that 10^-20 and 10^-21 stay apart."""
SAME = sympy.Float(10) ** -45
ROUNDED = sympy.Float(10) ** -6
"""Relative to gold, where one side holds a decimal: the same tolerance as for plain numbers."""
FLOATS = sympy.Float(10) ** -12
"""Relative to gold, where both sides hold decimals, which are read as 15-digit floats."""
LOST_BITS = 16
"""SymPy lowers the precision of a result to the bits it vouches for."""
POINTS = 6
SCALES = (1, 9, 1, 41)
"""Some points lie near 0, where |x| and x, or x^2 - 5 and its absolute value, differ in sign."""
_DECIMAL = re.compile(r"\d\.\d|(?<!\d)\.\d")
_BARE_ARGUMENT = re.compile(
    r"\\(ln|log|sin|cos|tan|cot|sec|csc)\s*(\^\s*\{?\s*\d\s*\}?)?\s*(\d*\s*(?<![a-zA-Z])[a-zA-Z])(?![a-zA-Z(^_])"
)
_NORMALISED = NormalizationConfig(
    basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="all"
)
"""Without the removal of units, which takes the m of `x + m` for metres."""
_TRAILING_UNIT = re.compile(
    r"(?:\s*\\(?:text|mbox|mathrm|textrm)\s*\{[^{}]*\}|\s(?:cm|mm|km|ft|kg|mi|mph|meters?|feet|inch(?:es)?|hours?|minutes?|seconds?|degrees?"
    r"|(?:square |cubic )?units?|dollars?|pounds?|miles?))\s*(?:\^\s*\{?\s*\d\s*\}?)?\s*\Z"
)
_ODD_ROOT = re.compile(r"\\sqrt\s*\[\s*[3579]\s*\]|\^\s*\{?\(?\s*-?\d*\s*/\s*[3579](?!\d)")
"""Of a negative number its roots are complex to SymPy and real to most readers: only positive ones decide."""
_TRIGONOMETRY = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])")
_DEGREES = re.compile(r"(\d+(?:\.\d+)?)\s*\^\s*\{?\s*\\circ\s*\}?")


def answer(question: str, gold: str, pred: str) -> bool | None:
    """True, false, or null when the texts cannot be read as mathematics."""
    gold, pred = opaque_pair(gold, pred)
    first, second = _read(gold), _read(pred)
    if first is None or second is None:
        return None
    if any(one.has(sympy.nan, sympy.zoo) for one in (first, second)):
        return False
    if question == "relation":
        return _same_relation(first, second, gold, pred)
    if question == "identity":
        return _same_value(first, second, gold, pred)
    if question == "whole":
        return _verified(first, second, relation_as_set=True)
    if isinstance(first, Expr) and isinstance(second, Expr):
        return _same_value(first, second, gold, pred)
    return _verified(first, second)


def _read(latex: str) -> Any:
    latex = _BARE_ARGUMENT.sub(r"\\\1\2(\3)", latex)
    if _TRIGONOMETRY.search(latex):
        latex = _DEGREES.sub(r"(\\frac{\1\\pi}{180})", latex)
    latex = _TRAILING_UNIT.sub("", latex)
    read = parse(
        rf"\boxed{{{latex}}}",
        extraction_config=[LatexExtractionConfig(boxed_match_priority=0, normalization_config=_NORMALISED)],
        fallback_mode="no_fallback",
        parsing_timeout=None,
        raise_on_error=True,
    )
    if not read:
        return None
    imaginary = [symbol for symbol in getattr(read[0], "free_symbols", ()) if symbol.name == "i"]
    return read[0].subs(dict.fromkeys(imaginary, sympy.I)) if imaginary else read[0]


def _verified(gold: Any, pred: Any, *, relation_as_set: bool = False) -> bool:
    return bool(
        verify(
            gold, pred, allow_set_relation_comp=relation_as_set, timeout_seconds=None, raise_on_error=False
        )
    )


def _same_value(gold: Any, pred: Any, gold_latex: str, pred_latex: str) -> bool:
    if not isinstance(gold, Expr) or not isinstance(pred, Expr):
        return _verified(gold, pred)
    if gold == pred:
        return True
    if any(one.free_symbols and one.has(sympy.Sum, sympy.Product) for one in (gold, pred)):
        return _verified(gold, pred)  # a sum to n has no value at n = 3.7
    if gold.is_Matrix or pred.is_Matrix or not (gold.is_commutative and pred.is_commutative):
        return _verified(gold, pred)
    decimals = bool(_DECIMAL.search(gold_latex)) + bool(_DECIMAL.search(pred_latex))
    tolerance = (SAME, ROUNDED, FLOATS)[decimals]
    if not (gold.free_symbols | pred.free_symbols):
        close = _close(_number(gold, {}), _number(pred, {}), tolerance)
        if close and not decimals and _apart(gold, pred):
            return False
        return _verified(gold, pred) if close is None else close
    odd_root = _ODD_ROOT.search(gold_latex + " " + pred_latex) is not None
    return _same_function(gold, pred, tolerance, signs=(1,) if odd_root else (-1, 1))


def _apart(gold: Expr, pred: Expr) -> bool:
    """Whether exact constants differ, however little beside their size: 10^1000 and 10^1000 + 1."""
    gap = (gold - pred).doit()
    if gap.has(sympy.Integral, sympy.Sum, sympy.Product, sympy.Limit, sympy.Derivative, sympy.Float):
        return False
    value = _number(gap, {})
    return value is not None and not _vanishes(value)


def _same_function(gold: Expr, pred: Expr, tolerance: Any, *, signs: tuple[int, ...]) -> bool:
    """Compares at random points; where the points disagree about it, simplification has the word."""
    symbols = sorted(gold.free_symbols | pred.free_symbols, key=str)
    positive = _agreement(gold, pred, symbols, tolerance, signs=(1,))
    if positive is False:
        return False
    anywhere = _agreement(gold, pred, symbols, tolerance, signs=signs)
    if positive and anywhere:
        return True
    return _verified(gold, pred)


def _agreement(
    gold: Expr, pred: Expr, symbols: list[Basic], tolerance: Any, *, signs: tuple[int, ...]
) -> bool | None:
    """True when all points agree, false when one does not, null when none could be computed."""
    source = random.Random(17)
    known = []
    for number in range(POINTS):
        scale = 1_237 * SCALES[number % len(SCALES)]
        at = {
            symbol: source.choice(signs) * sympy.Rational(source.randint(1_100, 9_900), scale)
            for symbol in symbols
        }
        close = _close(_number(gold, at), _number(pred, at), tolerance)
        if close is False:
            return False
        known.append(close)
    return True if len([one for one in known if one]) >= 2 else None


def _number(value: Any, at: dict[Basic, Any]) -> Any:
    try:
        put = value.subs(at)
        result = put.evalf(DIGITS, maxn=400)
        if not result.is_number or result.has(sympy.Integral, sympy.Sum, sympy.Derivative, sympy.Limit):
            result = put.doit().evalf(DIGITS, maxn=400)
    except (MemoryError, RecursionError):
        raise
    except Exception:
        return None
    if not result.is_number or not result.is_finite or result.has(sympy.nan, sympy.zoo):
        return None
    real, imaginary = result.as_real_imag()
    return result if real.is_Float or real.is_Integer or real.is_Rational or imaginary.is_Float else None


def _close(gold: Any, pred: Any, tolerance: Any) -> bool | None:
    if gold is None or pred is None:
        return None
    gap = abs(gold - pred).evalf(DIGITS, maxn=400)
    size = abs(gold).evalf(DIGITS, maxn=400)
    if not (gap.is_Float or gap.is_Integer) or not size.is_number:
        return None
    if _vanishes(gold) or _vanishes(pred):
        return _vanishes(gold) and _vanishes(pred)
    return bool(gap <= tolerance * size)


def _vanishes(value: Any) -> bool:
    """Whether evaluation found no significant digit, as it does for a sum that cancels."""
    return all(part.is_zero or (part.is_Float and part._prec < LOST_BITS) for part in value.as_real_imag())


def _same_relation(gold: Any, pred: Any, gold_latex: str, pred_latex: str) -> bool:
    if not isinstance(gold, Relational) or not isinstance(pred, Relational):
        return _verified(gold, pred)
    if not isinstance(gold, sympy.Eq) or not isinstance(pred, sympy.Eq):
        return _verified(gold, pred)
    if not (gold.free_symbols | pred.free_symbols):
        # An equation between constants states both its sides.
        return _same_value(gold.lhs, pred.lhs, gold_latex, pred_latex) and _same_value(
            gold.rhs, pred.rhs, gold_latex, pred_latex
        )
    if gold.free_symbols != pred.free_symbols:
        return False
    return _proportional(gold.lhs - gold.rhs, pred.lhs - pred.rhs) or _same_roots(gold, pred)


def _proportional(gold: Expr, pred: Expr) -> bool:
    symbols = sorted(gold.free_symbols | pred.free_symbols, key=str)
    source = random.Random(17)
    ratios = []
    for _ in range(POINTS):
        at = {symbol: sympy.Rational(source.randint(-9_900, 9_900), 1_237) for symbol in symbols}
        first, second = _number(gold, at), _number(pred, at)
        if first is None or second is None or first == 0 or second == 0:
            continue
        ratios.append(second / first)
    return len(ratios) >= 2 and all(_close(ratios[0], ratio, SAME) for ratio in ratios[1:])


def _same_roots(gold: Relational, pred: Relational) -> bool:
    """Cuts both curves at random places and compares where they lie; needs polynomials in one unknown."""
    symbols = sorted(gold.free_symbols, key=str)
    source = random.Random(17)
    for unknown in symbols:
        others = [symbol for symbol in symbols if symbol != unknown]
        for _ in range(2 if others else 1):
            at: dict[Basic, Any] = {
                symbol: sympy.Rational(source.randint(100, 990), 137) for symbol in others
            }
            first, second = _roots(gold, unknown, at), _roots(pred, unknown, at)
            if first is None or second is None:
                break
            if len(first) != len(second) or any(not _near(a, b) for a, b in zip(first, second, strict=True)):
                return False
        else:
            return True
    return False


def _roots(relation: Relational, unknown: Symbol, at: dict[Basic, Any]) -> list[complex] | None:
    above = sympy.numer(sympy.together((relation.lhs - relation.rhs).doit().subs(at)))
    try:
        polynomial = sympy.Poly(above, unknown)
        if polynomial.degree() > 12:
            return None
        roots = {
            complex(round(complex(root).real, 9), round(complex(root).imag, 9))
            for root in polynomial.nroots(n=20)
        }
    except (sympy.PolynomialError, ValueError, TypeError, sympy.SympifyError):
        return None
    return sorted(roots, key=lambda root: (root.real, root.imag))


def _near(first: complex, second: complex) -> bool:
    return abs(first - second) <= 1e-6 * max(1.0, abs(first))
