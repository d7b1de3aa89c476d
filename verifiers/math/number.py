"""Plain numbers as exact fractions, with the unit, percent sign or base they carry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from verifiers.math.canonical import clean, plain_words
from verifiers.math.units import Unit, read_unit

__all__ = ["MAX_DIGITS", "Number", "read_number"]

MAX_DIGITS = 4_000
"""Python refuses to convert longer strings; no reference is that long."""
MAX_EXPONENT = 400

_INT = r"(?:[1-9]\d{0,2}(?:,\d{3})+|\d{1,3}(?: \d{3})+(?!\d)|\d+)"
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
_ONES = [
    *(
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
    ),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SPELLED = {word: value for value, word in enumerate(_ONES)} | {
    word: 10 * value for value, word in enumerate(_TENS, 2)
}
_SPELLED_FORM = re.compile(
    rf"(?i)(?:({'|'.join(_TENS)})[\s-]+({'|'.join(_ONES[1:10])})"
    rf"|({'|'.join([*_ONES[::-1], *_TENS])}))\b([a-z \-]*)\Z"
)
_MAGNITUDE = re.compile(r"(?i)\b(?:half|halves|third|quarter|fourth|fifth|sixth|\w+ths?|and|of|point)\b|-")
_MULTIPLES = {
    "dozen": 12,
    "hundred": 100,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_MULTIPLE = re.compile(
    rf"\s*(?:\\(?:text|mathrm|mbox)\s*\{{\s*)?({'|'.join(_MULTIPLES)})\b\s*(?=([^{{}}]*)\}}?\s*\Z)[^{{}}]*\}}?\s*\Z",
    re.IGNORECASE,
)
_LEADING_ZERO = re.compile(r"-?0\d*,\d+\Z", re.ASCII)
"""No group of thousands begins with a nought: the comma is a decimal one."""
_PERCENT = re.compile(r"\s*%\s*\Z")


@dataclass(frozen=True, slots=True)
class Number:
    """One exact value. `decimals` counts the digits after a decimal point, null for an exact form."""

    value: Fraction
    decimals: int | None = None
    percent: bool = False
    base: int | None = None
    unit: Unit | None = None
    multiple: str = ""
    """The word that multiplied the value, as in `3 million`."""


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
    if _LEADING_ZERO.match(text):
        text = text.replace(",", ".")
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
    if match is None or _MAGNITUDE.search(match[4]):
        return None
    words = (match[1], match[2], match[3])
    number = Number(Fraction(sum(_SPELLED[word.lower()] for word in words if word)))
    return _with_tail(number, f" {match[4].strip()}" if match[4].strip() else "", currency=None)


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
    if multiple := _MULTIPLE.match(tail):
        word, rest = multiple[1].lower(), multiple[2]
        unit = read_unit(rf"\text{{ {rest}}}", currency=currency) if rest.strip() or currency else None
        return Number(number.value * _MULTIPLES[word], unit=unit, multiple=word)
    unit = read_unit(tail, currency=currency)
    if unit is None:
        return None
    return Number(number.value, decimals=number.decimals, unit=unit)
