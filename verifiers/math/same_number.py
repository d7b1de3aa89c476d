"""Whether two plain numbers are one answer: units, percent signs, bases, rounding."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from verifiers.math.canonical import plain_words
from verifiers.math.number import Number
from verifiers.math.policy import DEFAULT, Policy
from verifiers.math.units import same_unit

__all__ = ["same_number"]


def same_number(gold: Number, pred: Number, *, prompt: str = "", policy: Policy = DEFAULT) -> bool:
    """Whether two numbers are one answer; `prompt` decides what an unwritten unit or base means."""
    if gold.base != pred.base:
        return _same_in_base(gold, pred, prompt=prompt)
    if gold.percent or pred.percent:
        return _same_percent(gold, pred, prompt=prompt, policy=policy)
    factor = same_unit(gold.unit, pred.unit, prompt=prompt)
    if factor is None:
        return False
    if _close(gold, pred if factor == 1 else replace(pred, value=pred.value * factor), policy):
        return True
    if gold.multiple == pred.multiple:
        return False
    # Of 5 and 5 million one has left out the word, which the prompt must then name.
    word = gold.multiple or pred.multiple
    both = bool(gold.multiple and pred.multiple)
    return not both and word in prompt.lower() and _close(_bare(gold), _bare(pred), policy)


_SIZES = {
    "": 1,
    "dozen": 12,
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}


def _bare(number: Number) -> Number:
    return replace(number, value=number.value / _SIZES[number.multiple])


def _close(gold: Number, pred: Number, policy: Policy) -> bool:
    if gold.value == pred.value:
        return True
    return _nearly(gold, pred) or _tolerated(gold, pred, policy)


def _tolerated(gold: Number, pred: Number, policy: Policy) -> bool:
    """Whether a field of the verifier lets unequal numbers pass."""
    if policy.relative_tolerance and abs(gold.value - pred.value) <= Fraction(
        policy.relative_tolerance
    ) * abs(gold.value):
        return True
    digits = policy.significant_digits
    if digits and _significant(gold.value, digits) == _significant(pred.value, digits):
        return True
    written = pred.decimals
    return (
        policy.rounding == "written"
        and bool(written)
        and abs(gold.value - pred.value) <= Fraction(1, 2 * 10 ** (written or 0))
    )


def _significant(value: Fraction, digits: int) -> str:
    """The value rounded to so many significant digits."""
    if not value:
        return "0"
    exponent = len(str(abs(value.numerator))) - len(str(value.denominator))
    while abs(value) >= Fraction(10) ** (exponent + 1):
        exponent += 1
    while abs(value) < Fraction(10) ** exponent:
        exponent -= 1
    scaled = abs(value) / Fraction(10) ** (exponent - digits + 1)
    rounded = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    if rounded == 10**digits:
        rounded, exponent = rounded // 10, exponent + 1
    return f"{'-' if value < 0 else ''}{rounded}e{exponent}"


def _nearly(gold: Number, pred: Number) -> bool:
    """Whether a decimal is a fraction to six digits; two decimals, and two exact numbers, must be equal."""
    if (gold.decimals is None) == (pred.decimals is None):
        return False
    exact, rounded = (gold, pred) if gold.decimals is None else (pred, gold)
    if exact.value.denominator == 1:
        return False
    gap = abs(gold.value - pred.value)
    digits = len(str(abs(rounded.value.numerator)))
    last_digit = Fraction(1, 2 * 10 ** (rounded.decimals or 0)) if digits >= 6 else Fraction(0)
    return gap <= max(abs(gold.value) / 1_000_000, last_digit)


def _same_percent(gold: Number, pred: Number, *, prompt: str, policy: Policy) -> bool:
    if gold.unit is not None or pred.unit is not None:
        return False
    if gold.percent and pred.percent:
        return _close(gold, pred, policy)
    if policy.percent == "strict":
        return _close(_share(gold), _share(pred), policy)
    if gold.percent:
        return _close(gold, pred, policy) or _close(_share(gold), pred, policy)
    if _close(gold, _share(pred), policy):
        return True
    asked = "%" in prompt or "percent" in prompt.lower()
    return asked and _close(gold, pred, policy)


def _share(number: Number) -> Number:
    """10 % as 0.1."""
    return Number(number.value / 100, decimals=number.decimals) if number.percent else number


def _same_in_base(gold: Number, pred: Number, *, prompt: str) -> bool:
    base = gold.base or pred.base
    words = plain_words(prompt).lower().replace("$", "").replace("{", "").replace("}", "")
    if (gold.base is None or pred.base is None) and _names_base(words, base or 10):
        return gold.value == pred.value  # the prompt fixes the base, so leaving it out changes nothing
    first, second = _in_ten(gold), _in_ten(pred)
    return first is not None and first == second


_BASE_WORDS = [
    *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen"),
]


def _names_base(words: str, base: int) -> bool:
    names = [f"base {base}", f"base-{base}", f"base{base}"]
    if base - 2 < len(_BASE_WORDS):
        names += [f"base {_BASE_WORDS[base - 2]}", f"base-{_BASE_WORDS[base - 2]}"]
    names += {2: ["binary"], 8: ["octal"], 16: ["hexadecimal"]}.get(base, [])
    return any(re.search(rf"{re.escape(name)}(?!\w)", words) for name in names)


def _in_ten(number: Number) -> int | None:
    if number.value.denominator != 1:
        return None
    if number.base is None or number.base == 10:
        return number.value.numerator
    try:
        return int(str(number.value.numerator), number.base) if number.base <= 36 else None
    except ValueError:
        return None
