"""Other notations of the same number."""

# ruff: noqa: E501  (a kind reads best on one line)

from __future__ import annotations

import random
import re
from fractions import Fraction

from tests.verifiers.metamorphic.kinds import Table, boxed
from tests.verifiers.metamorphic.references import Reference
from tests.verifiers.metamorphic.shared import case, fraction, put, swap
from verifiers.base import Case

__all__ = ["KEEPING_NUMBERS"]

_WORDS = [
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
]
_TENS = ["_", "_", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_FULL = str.maketrans("0123456789.-", "０１２３４５６７８９．－")
_UPPER = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def _spelled(text: str) -> str | None:
    n = int(text)
    if 0 <= n <= 15:
        return _WORDS[n]
    return f"{_TENS[n // 10]}-{_WORDS[n % 10]}" if 20 < n < 100 and n % 10 else None


def _science(text: str, form: str) -> str | None:
    digits = text.lstrip("-")
    if len(digits.rstrip("0")) > 6 or int(text) == 0:
        return None
    mantissa = f"{digits[0]}.{digits[1:].rstrip('0') or '0'}"
    sign = "-" if text[0] == "-" else ""
    return form.format(m=sign + mantissa, e=len(digits) - 1)


def _mixed(text: str, form: str) -> str | None:
    value = fraction(text)
    whole, rest = divmod(abs(value.numerator), value.denominator)
    if not whole or not rest:
        return None
    return ("-" if value < 0 else "") + form.format(w=whole, a=rest, b=value.denominator)


def _decimal(text: str) -> str | None:
    value = fraction(text)
    for digits in range(1, 7):
        if (value * 10**digits).denominator == 1:
            return f"{float(value):.{digits}f}"
    return None


def _times(text: str, form: str, source: random.Random) -> str:
    value, k = fraction(text), source.randint(2, 9)
    return form.format(a=value.numerator * k, b=value.denominator * k)


def _repeating(ref: Reference, source: random.Random) -> str | None:
    value = fraction(ref.text)
    if value.denominator not in (3, 9, 11, 33, 99) or value < 0:
        return None
    width = 1 if value.denominator in (3, 9) else 2
    whole, rest = divmod(value.numerator, value.denominator)
    cycle = rest * (10**width - 1) // value.denominator
    return boxed(rf"{whole}.\overline{{{cycle:0{width}d}}}")


def _root_inside(ref: Reference, source: random.Random) -> Case | None:
    found = re.fullmatch(r"(\d+)\s*\\sqrt\{(\d+)\}", ref.text)
    return case(ref.text, rf"\sqrt{{{int(found[1]) ** 2 * int(found[2])}}}") if found else None


def _root_of_digits(ref: Reference, form: str) -> str | None:
    n = int(ref.text)
    return boxed(form.format(n * n)) if 2 <= n < 100 else None


def _rationalised(ref: Reference, source: random.Random) -> str | None:
    found = re.fullmatch(r"(\d+)\s*\\sqrt\{(\d+)\}", ref.text)
    return boxed(rf"\frac{{{int(found[1]) * int(found[2])}}}{{\sqrt{{{found[2]}}}}}") if found else None


def _in_surd(ref: Reference, source: random.Random) -> str | None:
    a, sign, b, c = re.findall(r"(\d+)\s*([+-])\s*(\d*)\s*\\sqrt\{(\d+)\}", ref.text)[0]
    lead = "-" if sign == "-" else ""
    return boxed(rf"{lead}{b}\sqrt{{{c}}} + {a}")


KEEPING_NUMBERS: Table = {
    "int": {
        "decimal zeros": lambda r, s: boxed(f"{r.text}.{'0' * s.randint(1, 3)}"),
        "plus sign": lambda r, s: boxed(f"+{r.text}") if r.text[0] != "-" else None,
        "over one": lambda r, s: boxed(rf"\frac{{{r.text}}}{{1}}"),
        "unreduced": lambda r, s: boxed(_times(r.text, "{a}/{b}", s)),
        "split sum": lambda r, s: boxed(f"{int(r.text) - 7} + 7"),
        "shown sum": lambda r, s: boxed(f"{int(r.text) - 4} + 4 = {r.text}"),
        "shown product": lambda r, s: boxed(rf"2 \times {int(r.text) // 2} = {r.text}") if int(r.text) % 2 == 0 else None,
        "spelled": lambda r, s: put(_spelled(r.text)),
        "spelled as text": lambda r, s: (w := _spelled(r.text)) and boxed(rf"\text{{{w}}}"),
        "fullwidth": lambda r, s: boxed(r.text.translate(_FULL)),
        "unicode minus": lambda r, s: swap(r.text, "-", "−"),
        "root of digits": lambda r, s: _root_of_digits(r, "√{}"),
        "root of braced": lambda r, s: _root_of_digits(r, r"\sqrt{{{}}}"),
        "root bare": lambda r, s: _root_of_digits(r, r"√({})"),
        "root call": lambda r, s: _root_of_digits(r, "sqrt({})"),
        "log": lambda r, s: boxed(rf"\log_{{10}} 10^{{{r.text}}}") if 0 < int(r.text) < 40 else None,
        "absolute": lambda r, s: boxed(f"|-{r.text}|") if int(r.text) > 0 else None,
        "braces": lambda r, s: boxed(f"{{{r.text}}}"),
        "in parentheses": lambda r, s: boxed(f"({r.text})"),
        "named": lambda r, s: boxed(f"{s.choice('xnkmSN')} = {r.text}"),
        "named with index": lambda r, s: boxed(rf"{s.choice('axSP')}_{{{s.randint(1, 99)}}} = {r.text}"),
        "named by words": lambda r, s: boxed(rf"\text{{Total}} = {r.text}"),
        "named function": lambda r, s: boxed(f"f({s.randint(0, 9)}) = {r.text}"),
        "approx sign": lambda r, s: boxed(rf"\approx {r.text}"),
        "reference in dollars": lambda r, s: case(f"${r.text}$", r.text),
        "reference with point": lambda r, s: case(f"{r.text}.", r.text),
        "zero added": lambda r, s: boxed(rf"{r.text} + 0"),
    },
    "big": {
        "commas": lambda r, s: boxed(f"{int(r.text):,}"),
        "braced commas": lambda r, s: boxed(f"{int(r.text):,}".replace(",", "{,}")),
        "thin spaces": lambda r, s: boxed(f"{int(r.text):,}".replace(",", r"\,")),
        "backslash comma bang": lambda r, s: boxed(f"{int(r.text):,}".replace(",", r",\!")),
        "spaces": lambda r, s: boxed(f"{int(r.text):,}".replace(",", " ")),
        "narrow spaces": lambda r, s: boxed(f"{int(r.text):,}".replace(",", "\u202f")),
        "times ten": lambda r, s: put(_science(r.text, r"{m} \times 10^{{{e}}}")),
        "dot ten": lambda r, s: put(_science(r.text, r"{m} \cdot 10^{e}")),
        "e notation": lambda r, s: put(_science(r.text, "{m}e{e}")),
        "unicode powers": lambda r, s: (t := _science(r.text, "{m} × 10|{e}")) and boxed(
            t.split("|")[0] + t.split("|")[1].translate(_UPPER)),
        "commas in reference": lambda r, s: case(f"{int(r.text):,}", r.text),
    },
    "frac": {
        "dfrac": lambda r, s: swap(r.text, r"\\frac", r"\\dfrac"),
        "tfrac": lambda r, s: swap(r.text, r"\\frac", r"\\tfrac"),
        "slash": lambda r, s: swap(r.text, r"\\frac\{(\d+)\}\{(\d+)\}", r"\1/\2"),
        "unicode slash": lambda r, s: swap(r.text, r"\\frac\{(\d+)\}\{(\d+)\}", "\\1⁄\\2"),
        "over": lambda r, s: swap(r.text, r"\\frac\{(\d+)\}\{(\d+)\}", r"{\1 \\over \2}"),
        "unreduced": lambda r, s: boxed(_times(r.text, r"\frac{{{a}}}{{{b}}}", s)),
        "minus above": lambda r, s: swap(r.text, r"^-\\frac\{(\d+)\}", r"\\frac{-\1}"),
        "minus below": lambda r, s: swap(r.text, r"^-\\frac\{(\d+)\}\{(\d+)\}", r"\\frac{\1}{-\2}"),
        "mixed": lambda r, s: put(_mixed(r.text, r"{w}\frac{{{a}}}{{{b}}}")),
        "mixed plain": lambda r, s: put(_mixed(r.text, "{w} {a}/{b}")),
        "mixed thin": lambda r, s: put(_mixed(r.text, r"{w}\,\dfrac{{{a}}}{{{b}}}")),
        "mixed hyphen": lambda r, s: put(_mixed(r.text, r"{w}\ {a}/{b}")),
        "decimal": lambda r, s: put(_decimal(r.text)),
        "repeating": _repeating,
        "decimal after": lambda r, s: (d := _decimal(r.text)) and boxed(f"{r.text} = {d}"),
        "rounded after": lambda r, s: boxed(rf"{r.text} \approx {float(fraction(r.text)):.2f}"),
        "rounded words": lambda r, s: f"The value is ${r.text}$ (approximately {float(fraction(r.text)):.3f}).",
        "digits unbraced": lambda r, s: swap(r.text, r"\\frac\{(\d)\}\{(\d)\}", r"\\frac\1\2"),
        "division sign": lambda r, s: swap(r.text, r"\\frac\{(\d+)\}\{(\d+)\}", r"\1 \\div \2"),
        "inverse power": lambda r, s: swap(r.text, r"\\frac\{(\d+)\}\{(\d+)\}", r"\1 \\cdot \2^{-1}"),
        "nicefrac": lambda r, s: swap(r.text, r"\\frac\{(\d+)\}\{(\d+)\}", r"\\nicefrac{\1}{\2}"),
        "call frac": lambda r, s: boxed(rf"\left({r.text}\right)"),
        "percent for a share": lambda r, s: case(r.text, f"{float(fraction(r.text) * 100):g}\\%", prompt="What part of them is red?")
        if (fraction(r.text) * 1000).denominator == 1 and fraction(r.text) > 0 else None,
        "probability named": lambda r, s: boxed(f"P = {r.text}"),
        "probability of": lambda r, s: boxed(rf"P(\text{{win}}) = {r.text}"),
    },
    "decimal": {
        "trailing zeros": lambda r, s: boxed(r.text + "00"),
        "no leading zero": lambda r, s: swap(r.text, r"^(-?)0\.", r"\1."),
        "fraction": lambda r, s: boxed(rf"\frac{{{Fraction(r.text).numerator}}}{{{Fraction(r.text).denominator}}}"),
        "comma": lambda r, s: swap(r.text, r"^(-?\d+)\.(\d{1,2})$", r"\1,\2"),
        "braced comma": lambda r, s: swap(r.text, r"^(-?\d+)\.(\d{1,2})$", r"\1{,}\2"),
        "shifted": lambda r, s: boxed(rf"{Fraction(r.text) * 10**len(r.text.split('.')[1])} \times 10^{{-{len(r.text.split('.')[1])}}}"),
    },
    "root": {
        "inside": _root_inside,
        "rationalised": _rationalised,
        "half power": lambda r, s: swap(r.text, r"\\sqrt\{(\d+)\}", r"\\cdot \1^{1/2}") if r.text[0].isdigit() else None,
        "dot": lambda r, s: swap(r.text, r"^(\d+)\s*\\sqrt", r"\1 \\cdot \\sqrt"),
        "unicode root": lambda r, s: swap(r.text, r"\\sqrt\{(\d+)\}", r"√\1"),
        "unicode root braces": lambda r, s: swap(r.text, r"\\sqrt\{(\d+)\}", r"√{\1}"),
        "index two": lambda r, s: swap(r.text, r"\\sqrt", r"\\sqrt[2]"),
        "call": lambda r, s: swap(r.text, r"\\sqrt\{(\d+)\}", r"*sqrt(\1)") if r.text[0].isdigit() else None,
        "rounded after": lambda r, s: swap(r.text, r"^(\d*)\s*(\\sqrt\{(\d+)\})$", r"\1\2 \\approx " + f"{_root_value(r.text):.2f}"),
        "rounded brackets": lambda r, s: f"The answer is ${r.text}$ (approximately {_root_value(r.text):.2f}).",
    },
    "pi": {
        "unicode": lambda r, s: swap(r.text, r"\s*\\pi", "π"),
        "dot": lambda r, s: swap(r.text, r"\s*\\pi", r" \\cdot \\pi"),
        "times": lambda r, s: swap(r.text, r"\s*\\pi", r" \\times \\pi"),
        "word": lambda r, s: swap(r.text, r"\s*\\pi", r"*pi") if "frac" not in r.text else None,
        "inside fraction": lambda r, s: swap(r.text, r"\\frac\{(\d+)\}\{(\d+)\}\s*\\pi", r"\\frac{\1\\pi}{\2}"),
        "over": lambda r, s: swap(r.text, r"\\frac\{(\d+)\}\{(\d+)\}\s*\\pi", r"\1\\pi/\2"),
        "square units": lambda r, s: boxed(rf"{r.text} \text{{ square units}}"),
        "rounded words": lambda r, s: f"So the area is $\\boxed{{{r.text}}}$ (about {_pi_value(r.text):.2f})." if "frac" not in r.text else None,
    },
    "surd": {
        "swapped": _in_surd,
        "times signs": lambda r, s: swap(r.text, r"(\d)\s*\\sqrt", r"\1 \\cdot \\sqrt"),
        "unicode": lambda r, s: swap(r.text, r"\\sqrt\{(\d+)\}", r"√\1"),
        "spaces": lambda r, s: boxed(re.sub(r"([+-])", r"\\, \1 \\,", r.text)),
    },
    "complex": {
        "swapped": lambda r, s: (m := re.fullmatch(r"(-?\d+)\s*([+-])\s*(\d+)\s*i", r.text)) and boxed(
            f"{'-' if m[2] == '-' else ''}{m[3]}i {'' if m[1][0] == '-' else '+'}{m[1]}"),
        "bold i": lambda r, s: swap(r.text, r"i$", r"\\mathrm{i}"),
        "i before": lambda r, s: swap(r.text, r"(\d+)\s*i$", r"i\1") if False else swap(r.text, r"(\d+)\s*i$", r"\1 \\cdot i"),
        "named z": lambda r, s: boxed(f"z = {r.text}"),
    },
}  # fmt: skip


def _root_value(text: str) -> float:
    found = re.fullmatch(r"(-?)(\d*)\s*\\sqrt\{(\d+)\}", text)
    assert found is not None
    return float(f"{found[1]}1") * float(found[2] or 1) * float(found[3]) ** 0.5


def _pi_value(text: str) -> float:
    return float(re.sub(r"\s*\\pi", "", text)) * 3.141592653589793
