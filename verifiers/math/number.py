"""Plain numbers as exact fractions, with the unit, percent sign or base they carry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from verifiers.math.canonical import clean, plain_words
from verifiers.math.units import Unit, read_unit, same_unit

__all__ = ["Number", "read_number", "same_number"]

MAX_DIGITS = 4_000
"""Python refuses to convert longer strings; no reference is that long."""
MAX_EXPONENT = 400

_INT = r"(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+(?!\d)|\d+)"
_DECIMAL = rf"(?:{_INT}(?:\.\d*)?|\.\d+)"
_POWER = r"\^\s*(?:\{\s*([+-]?\d+)\s*\}|([+-]?\d+))"
_FORMS = [
    (re.compile(rf"({_INT})\s*\\frac\s*\{{\s*(\d+)\s*\}}\s*\{{\s*(\d+)\s*\}}"), "mixed"),
    (re.compile(r"(\d+)(?:\s+|\s*\+\s*)(\d+)\s*/\s*(\d+)"), "mixed"),
    (
        re.compile(rf"\\frac\s*\{{\s*([+-]?)\s*({_DECIMAL})\s*\}}\s*\{{\s*([+-]?)\s*({_DECIMAL})\s*\}}"),
        "ratio",
    ),
    (re.compile(rf"()({_DECIMAL})\s*/\s*()({_DECIMAL})"), "ratio"),
    (re.compile(rf"({_DECIMAL})\s*(?:\\times|\\cdot|\*|x)\s*10\s*{_POWER}"), "science"),
    (re.compile(rf"({_DECIMAL})[eE]([+-]?\d+)()"), "science"),
    (re.compile(r"(\d*)\.(\d*)\\(?:overline|bar|dot)\s*\{?(\d+)\}?"), "repeating"),
    (re.compile(rf"(\d+)\s*{_POWER}"), "power"),
    (re.compile(rf"({_INT})(?:\.(\d*))?|\.(\d+)"), "decimal"),
]
_LEAD = re.compile(r"\s*([+-]?)\s*(\\\$|[$€£¥₹])?\s*([+-]?)\s*")
_SIMPLE = re.compile(r"([+-]?)(\d+)(?:\.(\d*))?\Z", re.ASCII)
_BASE = re.compile(r"\s*_\s*(?:\{\s*(?:\\?[a-z]*\s*)?(\d+)\s*\}|(\d+))\s*\Z")
_ORDINAL = re.compile(r"\s*\^?\s*\{?\s*(?:\\[a-z]+\s*\{)?\s*(?:st|nd|rd|th)(?![a-zA-Z])\s*\}?\s*\}?")
_SPELLED = {
    word: value
    for value, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
        ]
    )
}
_SPELLED_FORM = re.compile(rf"(?i)({'|'.join(_SPELLED)})\b([a-z \-]*)\Z")
_MAGNITUDE = re.compile(
    r"(?i)\b(?:half|halves|third|quarter|fourth|fifth|sixth|\w+ths?|dozen|hundred|thousand|\w*illion|of)\b|-"
)
_PERCENT = re.compile(r"\s*%\s*\Z")


@dataclass(frozen=True, slots=True)
class Number:
    """One exact value. `decimals` counts the digits after a decimal point, null for an exact form."""

    value: Fraction
    decimals: int | None = None
    percent: bool = False
    base: int | None = None
    unit: Unit | None = None


@lru_cache(maxsize=65_536)
def read_number(text: str) -> Number | None:
    """Reads a whole answer as one number, or says null: this is not a plain number."""
    if simple := _SIMPLE.match(text):
        if len(text) > MAX_DIGITS:
            return None
        return _decimal(simple[2], simple[3], negative=simple[1] == "-")
    text = clean(text)
    if len(text) > MAX_DIGITS:
        return None
    if not any(map(str.isdigit, text)):
        return _spelled_out(text)
    lead = _LEAD.match(text)
    assert lead is not None  # every part of the pattern is optional
    if lead[1] and lead[3]:
        return None
    text = text[lead.end() :]
    for pattern, form in _FORMS:
        if match := pattern.match(text):
            number = _value(match, form, negative="-" in (lead[1], lead[3]))
            return _with_tail(number, text[match.end() :], currency=lead[2]) if number else None
    return None


def _spelled_out(text: str) -> Number | None:
    """`three boxes` as 3 of them; not `three quarters`, which is another number."""
    match = _SPELLED_FORM.match(plain_words(text)) if len(text) <= 80 else None
    if match is None or _MAGNITUDE.search(match[2]):
        return None
    return Number(
        Fraction(_SPELLED[match[1].lower()]), unit=read_unit(f" {match[2]}") if match[2].strip() else None
    )


def _value(match: re.Match[str], form: str, *, negative: bool) -> Number | None:
    sign = -1 if negative else 1
    if form == "mixed":
        if int(match[3]) == 0:
            return None
        return Number(sign * (_integer(match[1]) + Fraction(int(match[2]), int(match[3]))))
    if form == "ratio":
        below = _fraction(match[4])
        sign *= -1 if (match[1] == "-") != (match[3] == "-") else 1
        return Number(sign * _fraction(match[2]) / below) if below else None
    if form == "science":
        exponent = int(match[2] or match[3])
        if abs(exponent) > MAX_EXPONENT:
            return None
        return Number(sign * _fraction(match[1]) * Fraction(10) ** exponent)
    if form == "repeating":
        fixed, cycle = match[2], match[3]
        tail = Fraction(int(cycle), (10 ** len(cycle) - 1) * 10 ** len(fixed))
        return Number(sign * (_fraction(f"{match[1] or 0}.{fixed or 0}") + tail))
    if form == "power":
        base, exponent = int(match[1]), int(match[2] or match[3])
        if abs(exponent) > MAX_EXPONENT or base > 1_000 or (base == 0 and exponent <= 0):
            return None
        return Number(sign * Fraction(base) ** exponent)
    return _decimal(match[1] or "0", match[2] if match[1] else match[3], negative=negative)


def _decimal(whole: str, after: str | None, *, negative: bool) -> Number:
    value = Fraction(
        _integer(whole) if not after else int(f"{_integer(whole)}{after}"), 10 ** len(after or "")
    )
    return Number(-value if negative else value, decimals=len(after) if after else None)


def _integer(text: str) -> int:
    return int(text.replace(",", "").replace(" ", ""))


def _fraction(text: str) -> Fraction:
    text = text.replace(",", "").replace(" ", "")
    return Fraction(f"0{text}" if text.startswith(".") else text.rstrip("."))


def _with_tail(number: Number, tail: str, *, currency: str | None) -> Number | None:
    """Adds what follows the digits; null when that makes the text something else than a number."""
    if not tail.strip() and not currency:
        return number
    if ordinal := _ORDINAL.match(tail):
        tail = tail[ordinal.end() :]
        if not tail.strip():
            return number
    if _PERCENT.match(tail):
        return Number(number.value, decimals=number.decimals, percent=True)
    if base := _BASE.match(tail):
        if number.value.denominator != 1:
            return None
        return Number(number.value, base=int(base[1] or base[2]))
    unit = read_unit(tail, currency=currency)
    if unit is None:
        return None
    return Number(number.value, decimals=number.decimals, unit=unit)


def same_number(gold: Number, pred: Number, *, prompt: str = "") -> bool:
    """Whether two numbers are one answer; `prompt` decides what an unwritten unit or base means."""
    if gold.base != pred.base:
        return _same_in_base(gold, pred, prompt=prompt)
    if gold.percent or pred.percent:
        return _same_percent(gold, pred, prompt=prompt)
    factor = same_unit(gold.unit, pred.unit, prompt=prompt)
    if factor is None:
        return False
    if factor == 1:
        return _close(gold, pred)
    return _close(gold, Number(pred.value * factor, decimals=pred.decimals))


def _close(gold: Number, pred: Number) -> bool:
    """Exact, save that a long decimal may stand for a fraction that has no end in decimals.

    The tolerance is relative to the reference, 1e-6, or half a unit in the last of six or more digits.
    """
    if gold.value == pred.value:
        return True
    if (gold.decimals is None) == (pred.decimals is None):
        return False
    exact, rounded = (gold, pred) if gold.decimals is None else (pred, gold)
    if exact.value.denominator == 1:
        return False
    gap = abs(gold.value - pred.value)
    digits = len(str(abs(rounded.value.numerator)))
    last_digit = Fraction(1, 2 * 10 ** (rounded.decimals or 0)) if digits >= 6 else Fraction(0)
    return gap <= max(abs(gold.value) / 1_000_000, last_digit)


def _same_percent(gold: Number, pred: Number, *, prompt: str) -> bool:
    if gold.unit is not None or pred.unit is not None:
        return False
    if gold.percent and pred.percent:
        return _close(gold, pred)
    if gold.percent:
        return _close(gold, pred) or _close(Number(gold.value / 100, decimals=gold.decimals), pred)
    if _close(gold, Number(pred.value / 100, decimals=pred.decimals)):
        return True
    asked = "%" in prompt or "percent" in prompt.lower()
    return asked and _close(gold, pred)


def _same_in_base(gold: Number, pred: Number, *, prompt: str) -> bool:
    base = gold.base or pred.base
    words = plain_words(prompt).lower().replace("$", "").replace("{", "").replace("}", "")
    if (gold.base is None or pred.base is None) and _names_base(words, base or 10):
        return gold.value == pred.value  # the prompt fixes the base, so leaving it out changes nothing
    first, second = _in_ten(gold), _in_ten(pred)
    return first is not None and first == second


_BASE_WORDS = [
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
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
