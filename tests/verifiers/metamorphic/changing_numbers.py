"""Other numbers than the reference, near it in spelling."""

# ruff: noqa: E501  (a kind reads best on one line)

from __future__ import annotations

import random
import re
from fractions import Fraction

from tests.verifiers.metamorphic.kinds import Maker, Table, boxed
from tests.verifiers.metamorphic.references import Reference
from tests.verifiers.metamorphic.shared import case, fraction, other, put, swap

__all__ = ["CHANGING_NUMBERS"]


def _swapped_digits(text: str) -> str | None:
    for place in range(len(text) - 1):
        a, b = text[place], text[place + 1]
        if a.isdigit() and b.isdigit() and a != b and not (place == 0 and b == "0"):
            return text[:place] + b + a + text[place + 2 :]
    return None


def _changed_digit(text: str, source: random.Random) -> str:
    places = [place for place, symbol in enumerate(text) if symbol.isdigit()]
    place = source.choice(places)
    digit = str((int(text[place]) + source.randint(1, 8)) % 10)
    return text[:place] + digit + text[place + 1 :]


def _fraction(ref: Reference, form: str, above: int = 0, below: int = 0) -> str | None:
    value = fraction(ref.text)
    a, b = value.numerator + above, value.denominator + below
    if b == 0 or Fraction(a, b) == value:
        return None
    return boxed(form.format(a=a, b=b))


def _mixed_wrong(ref: Reference, source: random.Random) -> str | None:
    value = fraction(ref.text)
    whole, rest = divmod(value.numerator, value.denominator)
    return boxed(rf"{whole}\frac{{{rest + 1}}}{{{value.denominator}}}") if whole > 0 and rest else None


def _cut_repeating(ref: Reference, source: random.Random) -> str | None:
    value = fraction(ref.text)
    if any((10**k * value).denominator == 1 for k in range(7)):
        return None
    return boxed(f"{float(value):.2f}")


def _off(text: str, factor: Fraction) -> str | None:
    value = Fraction(text) * factor
    return None if value == Fraction(text) else boxed(f"{float(value):.9g}")


def _unit(gold: str, answer: str, prompt: str = "", *, high: int = 500) -> Maker:
    def make(ref: Reference, source: random.Random) -> Maker:
        k = int(ref.text)
        if not 2 <= k <= high:
            return None
        fill = lambda text: text.replace("@", str(k)).replace("#", str(k + 1))  # noqa: E731
        return case(fill(gold), fill(answer), prompt=prompt)

    return make


_BIG = [(r"1.0{e} \times 10^{{{n}}}", 1)]

CHANGING_NUMBERS: Table = {
    "int": {
        "one more": lambda r, s: boxed(str(int(r.text) + 1)),
        "one less": lambda r, s: boxed(str(int(r.text) - 1)),
        "near": lambda r, s: boxed(str(other(r, s))),
        "negated": lambda r, s: boxed(str(-int(r.text))) if int(r.text) else None,
        "minus before box": lambda r, s: f"$-\\boxed{{{r.text}}}$" if int(r.text) > 0 else None,
        "digits swapped": lambda r, s: put(_swapped_digits(r.text)),
        "digit changed": lambda r, s: boxed(_changed_digit(r.text, s)) if int(_changed_digit(r.text, s)) != int(r.text) and abs(int(r.text)) > 9 and False else boxed(f"{r.text}{s.randint(0, 9)}") if int(r.text) else None,
        "ten times": lambda r, s: boxed(f"{int(r.text)}0") if int(r.text) else None,
        "a tenth": lambda r, s: boxed(rf"{r.text} \times 10^{{-1}}") if int(r.text) else None,
        "half more": lambda r, s: boxed(f"{r.text}.5"),
        "tiny more": lambda r, s: boxed(f"{r.text}.0000001"),
        "thousandth more": lambda r, s: boxed(f"{r.text}.001"),
        "percent": lambda r, s: case(r.text, rf"{r.text}\%") if int(r.text) else None,
        "factorial": lambda r, s: boxed(f"{r.text}!") if int(r.text) > 2 else None,
        "squared": lambda r, s: boxed(f"{r.text}^2") if abs(int(r.text)) > 1 else None,
        "unicode squared": lambda r, s: boxed(f"{r.text}²") if abs(int(r.text)) > 1 else None,
        "rooted": lambda r, s: boxed(rf"\sqrt{{{r.text}}}") if int(r.text) > 1 else None,
        "unicode rooted": lambda r, s: boxed(f"√{r.text}") if int(r.text) > 1 else None,
        "inverted": lambda r, s: boxed(rf"\frac{{1}}{{{r.text}}}") if abs(int(r.text)) > 1 else None,
        "times variable": lambda r, s: boxed(f"{r.text}{s.choice('xyntkmabs')}"),
        "plus variable": lambda r, s: boxed(f"{r.text} + {s.choice('xyntk')}"),
        "plus small symbol": lambda r, s: boxed(rf"{r.text} + \epsilon"),
        "plus constant": lambda r, s: boxed(f"{r.text} + C"),
        "times pi": lambda r, s: boxed(rf"{r.text}\pi") if int(r.text) else None,
        "imaginary": lambda r, s: boxed(f"{r.text}i") if int(r.text) else None,
        "based": lambda r, s: case(r.text, f"{r.text}_{{{s.choice([11, 12, 13])}}}") if abs(int(r.text)) > 9 and len(r.text) > 1 else None,
        "plus minus": lambda r, s: boxed(rf"\pm {r.text}") if int(r.text) else None,
        "lost plus minus": lambda r, s: case(rf"\pm {r.text}", r.text) if int(r.text) > 0 else None,
        "greater": lambda r, s: boxed(f"x > {r.text}"),
        "at least sign": lambda r, s: boxed(rf"x \ge {r.text}"),
        "below sign": lambda r, s: boxed(f"< {r.text}"),
        "unequal": lambda r, s: boxed(rf"x \ne {r.text}"),
        "range": lambda r, s: boxed(f"{r.text}-{int(r.text) + 5}") if int(r.text) > 0 else None,
        "range tilde": lambda r, s: boxed(rf"{r.text} \sim {int(r.text) + 5}"),
        "interval": lambda r, s: boxed(f"[{r.text}, {int(r.text) + 1}]"),
        "set with another": lambda r, s: boxed(rf"\{{{r.text}, {other(r, s)}\}}"),
        "list with another": lambda r, s: boxed(f"{r.text}, {other(r, s)}"),
        "pair": lambda r, s: boxed(f"({r.text}, {other(r, s)})"),
        "false equation": lambda r, s: boxed(f"{other(r, s)} = {r.text}"),
        "false chain": lambda r, s: boxed(f"{r.text} = {r.text} = {other(r, s)}"),
        "false sum": lambda r, s: boxed(f"{other(r, s)} + 0 = {r.text}"),
        "circle": lambda r, s: boxed(f"x^2 + y^2 = {r.text}"),
        "or more": lambda r, s: boxed(rf"{r.text} \text{{ or more}}"),
        "not in box": lambda r, s: boxed(rf"\text{{not }} {r.text}"),
        "more than in box": lambda r, s: boxed(rf"\text{{more than }} {r.text}"),
        "dots behind": lambda r, s: boxed(rf"{r.text}, \ldots"),
        "dots in number": lambda r, s: boxed(rf"{r.text}\ldots"),
        "sub index": lambda r, s: boxed(rf"a_{{{r.text}}}"),
        "as exponent": lambda r, s: boxed(rf"2^{{{r.text}}}") if abs(int(r.text)) not in (0, 1, 2, 4) and int(r.text) < 400 else None,
        "as argument": lambda r, s: boxed(rf"\sin({r.text})") if int(r.text) else None,
        "as function": lambda r, s: boxed(rf"f({r.text})"),
        "log of": lambda r, s: boxed(rf"\log_{{10}} {r.text}") if int(r.text) > 1 else None,
        "modulus": lambda r, s: boxed(rf"x \equiv {r.text} \pmod{{{abs(int(r.text)) + 3}}}"),
        "spelled other": lambda r, s: boxed(r"\text{" + ["five", "six", "seven", "eight", "nine", "ten"][int(r.text) % 6] + "}") if 0 <= int(r.text) < 5 or int(r.text) > 10 else None,
        "spelled magnitude": lambda r, s: boxed(rf"{r.text} \text{{ thousand}}") if int(r.text) else None,
        "fraction of": lambda r, s: boxed(rf"\frac{{{r.text}}}{{{abs(int(r.text)) + 1}}}") if int(r.text) else None,
        "mixed onto": lambda r, s: boxed(rf"{r.text}\frac{{1}}{{2}}") if int(r.text) > 0 else None,
        "repeating": lambda r, s: boxed(rf"{r.text}.\overline{{3}}"),
        "letters as units n": _unit("@ n", "@"),
        "letters as units a": _unit("@a", "@"),
        "letters as units m": _unit(r"\frac{@}{4} m", r"\frac{@}{4}"),
        "letters as units added": _unit("@", "@ m"),
        "letters as units s": _unit("@ s", "@"),
        "letter of other kind": _unit("@ n", "@ m"),
        "wrong unit asked": _unit("@", r"@\text{ m}", prompt="How many kilometers are they apart?"),
        "metre for square metre": _unit(r"@\text{ m}^2", r"@\text{ m}"),
        "cm for m": _unit(r"@\text{ m}", r"@\text{ cm}"),
        "hours for minutes": _unit(r"@\text{ minutes}", r"@\text{ hours}"),
        "speed for length": _unit(r"@\text{ m}", r"@\text{ m/s}"),
        "inverse unit": _unit(r"@\text{ m/s}", r"@\text{ s/m}"),
        "grams for kilograms": _unit(r"@\text{ kg}", r"@\text{ g}"),
        "celsius for fahrenheit": _unit(r"@^\circ\text{C}", r"@^\circ\text{F}"),
        "milli for mega": _unit(r"@\text{ mW}", r"@\text{ MW}"),
        "volt for watt": _unit(r"@\text{ V}", r"@\text{ W}"),
        "am for pm": _unit(r"@\text{ a.m.}", r"@\text{ p.m.}", high=12),
        "percent for dollars": _unit(r"@\%", r"@\text{ dollars}"),
        "dollars for cents": _unit(r"\$@", r"@\text{ cents}"),
        "ratio turned": _unit("@:999", "999:@"),
        "ratio changed": _unit("@:999", "@:998"),
        "ratio words turned": _unit("@:999", r"999 \text{ to } @"),
        "factorials apart": _unit(r"\frac{1}{@!}", r"\frac{1}{#!}"),
        "tiny powers apart": _unit("2^{-@}", "2^{-#}"),
        "large powers apart": _unit("3^{@}", "3^{#}"),
        "large plus one": _unit("7^{@}", "7^{@}+1"),
        "binomial apart": _unit(r"\binom{@}{2}", r"\binom{#}{2}"),
        "binomial lower": _unit(r"\binom{9999}{@}", r"\binom{9999}{#}", high=40),
        "decimal place": _unit("0.000@", "0.0000@"),
        "erg exponents": _unit(r"@\times 10^{33}", r"@\times 10^{34}"),
        "negative exponents": _unit(r"@\times 10^{-3}", r"@\times 10^{3}"),
        "root index": _unit(r"\sqrt[3]{@}", r"\sqrt[4]{@}"),
        "root for power": _unit(r"\sqrt{@}", r"@^{1/3}"),
        "log base": _unit(r"\log_{3} @", r"\log_{4} @"),
        "index": _unit("a_{@}", "a_{#}"),
    },
    "frac": {
        "turned": lambda r, s: swap(r.text, r"\\frac\{(\d+)\}\{(\d+)\}", r"\\frac{\2}{\1}") if abs(fraction(r.text)) != 1 else None,
        "above one more": lambda r, s: _fraction(r, r"\frac{{{a}}}{{{b}}}", above=1),
        "below one more": lambda r, s: _fraction(r, r"\frac{{{a}}}{{{b}}}", below=1),
        "negated": lambda r, s: boxed(f"-{r.text}") if r.text[0] != "-" else boxed(r.text[1:]),
        "two digits": _cut_repeating,
        "mixed wrong": _mixed_wrong,
        "above only": lambda r, s: swap(r.text, r"\\frac\{(\d+)\}\{(\d+)\}", r"\1") if fraction(r.text).denominator != 1 else None,
        "times for over": lambda r, s: swap(r.text, r"\\frac\{(\d+)\}\{(\d+)\}", r"\1 \\cdot \2") if abs(fraction(r.text)) and fraction(r.text).denominator != 1 else None,
        "comma for over": lambda r, s: swap(r.text, r"\\frac\{(\d+)\}\{(\d+)\}", r"\1, \2"),
        "colon turned": lambda r, s: swap(r.text, r"\\frac\{(\d+)\}\{(\d+)\}", r"\2:\1") if abs(fraction(r.text)) != 1 else None,
        "binom": lambda r, s: swap(r.text, r"\\frac", r"\\binom") if fraction(r.text) > 0 and fraction(r.text).denominator > 2 else None,
        "percent same digits": lambda r, s: boxed(rf"{r.text}\%"),
        "times variable": lambda r, s: boxed(f"{r.text} x"),
        "rooted": lambda r, s: boxed(rf"\sqrt{{{r.text}}}") if fraction(r.text) > 0 and fraction(r.text) != 1 else None,
        "squared": lambda r, s: boxed(rf"\left({r.text}\right)^2") if abs(fraction(r.text)) != 1 else None,
        "wrong decimal": lambda r, s: boxed(f"{float(fraction(r.text)) * 1.01:.4f}"),
        "unclosed": lambda r, s: f"The answer is $\\boxed{{{r.text}",
        "unclosed inside": lambda r, s: f"The answer is $\\boxed{{{r.text[:-1]}",
        "sentence cut": lambda r, s: f"We get ${r.text}$ times the",
    },
    "decimal": {
        "last digit": lambda r, s: boxed(r.text[:-1] + str((int(r.text[-1]) + 1) % 10)) if len(r.text.lstrip("-0.")) < 6 else None,
        "point moved": lambda r, s: _off(r.text, Fraction(10)),
        "point moved left": lambda r, s: _off(r.text, Fraction(1, 10)),
        "hundredfold": lambda r, s: _off(r.text, Fraction(100)),
        "point lost": lambda r, s: swap(r.text, r"\.", "") if float(r.text) else None,
        "truncated": lambda r, s: boxed(r.text.split(".")[0]) if float(r.text) != int(float(r.text)) else None,
        "negated": lambda r, s: boxed(f"-{r.text}") if r.text[0] != "-" and float(r.text) else None,
        "percent": lambda r, s: case(r.text, rf"{r.text}\%") if float(r.text) else None,
        "group comma": lambda r, s: swap(r.text, r"^(-?[1-9]\d{0,2})\.(\d{3})$", r"\1\2"),
    },
    "big": {
        "exponent": lambda r, s: boxed(rf"{r.text} \times 10"),
        "comma lost group": lambda r, s: swap(f"{int(r.text):,}", r",\d{3}$", ""),
        "comma as list": lambda r, s: boxed(f"{int(r.text):,}".replace(",", "; ")),
        "comma as point": lambda r, s: case(r.text, f"{int(r.text):,}".replace(",", ".", 1)) if len(r.text) < 7 else None,
        "rounded": lambda r, s: boxed(f"{round(int(r.text), -2)}") if int(r.text) % 100 else None,
        "rounded science": lambda r, s: boxed(rf"{int(r.text) / 10 ** (len(r.text) - 1):.1f} \times 10^{len(r.text) - 1}") if len(r.text.rstrip("0")) > 3 and int(r.text) % 10 ** (len(r.text) - 2) else None,
        "last three": lambda r, s: case(r.text, r.text[-3:]),
    },
    "root": {
        "radicand": lambda r, s: swap(r.text, r"\\sqrt\{(\d+)\}", lambda m: rf"\sqrt{{{int(m[1]) + 1}}}"),
        "root lost": lambda r, s: swap(r.text, r"\\sqrt\{(\d+)\}", r" \\cdot \1") if r.text[0].isdigit() else None,
        "cube root": lambda r, s: swap(r.text, r"\\sqrt", r"\\sqrt[3]"),
        "factor moved in": lambda r, s: swap(r.text, r"^(\d+)\s*\\sqrt\{(\d+)\}", r"\\sqrt{\1 \\cdot \2}"),
        "factor changed": lambda r, s: swap(r.text, r"^(\d+)", lambda m: str(int(m[1]) + 1)),
        "rounded": lambda r, s: swap(r.text, r"^(-?)(\d*)\s*\\sqrt\{(\d+)\}$", lambda m: f"{m[1]}{float(m[2] or 1) * int(m[3]) ** 0.5:.2f}"),
        "root of first digit": lambda r, s: swap(r.text, r"\\sqrt\{(\d)(\d+)\}", r"√\1 \\cdot \2"),
        "plus for times": lambda r, s: swap(r.text, r"^(\d+)\s*\\sqrt", r"\1 + \\sqrt") if r.text != r"2\sqrt{4}" else None,
    },
    "pi": {
        "pi lost": lambda r, s: swap(r.text, r"\s*\\pi", ""),
        "pi squared": lambda r, s: swap(r.text, r"\\pi", r"\\pi^2"),
        "rounded": lambda r, s: swap(r.text, r"^(\d+)\s*\\pi$", lambda m: f"{int(m[1]) * 3.14:.2f}"),
        "e for pi": lambda r, s: swap(r.text, r"\\pi", "e"),
        "degrees": lambda r, s: boxed(rf"{r.text}^\circ"),
        "twofold": lambda r, s: boxed(rf"2 \cdot {r.text}"),
        "variable k": lambda r, s: boxed(rf"{r.text} k"),
    },
    "surd": {
        "sign": lambda r, s: swap(r.text, r"(?<=\d)\s*\+", " -") or swap(r.text, r"(?<=\d)\s*-", " +"),
        "radicand": lambda r, s: swap(r.text, r"\\sqrt\{(\d+)\}", lambda m: rf"\sqrt{{{int(m[1]) + 2}}}"),
        "swapped numbers": lambda r, s: swap(r.text, r"^(\d+)(\s*[+-]\s*)(\d+)", r"\3\2\1") if not re.match(r"(\d+)\s*[+-]\s*\1\s*\\", r.text) else None,
        "first lost": lambda r, s: swap(r.text, r"^\d+\s*\+?", ""),
        "plus minus": lambda r, s: swap(r.text, r"(?<=\d)\s*[+-]", r" \\pm "),
    },
    "complex": {
        "conjugate": lambda r, s: swap(r.text, r"(?<=\d)\s*\+", "-") or swap(r.text, r"(?<=\d)\s*-", "+"),
        "i lost": lambda r, s: swap(r.text, r"i$", ""),
        "swapped numbers": lambda r, s: swap(r.text, r"^(\d+)(\s*\+\s*)(\d+)", r"\3\2\1") if not re.match(r"(\d+)\s*\+\s*\1\s*i", r.text) else None,
        "x for i": lambda r, s: swap(r.text, r"i$", "x"),
        "pair": lambda r, s: swap(r.text, r"^(-?\d+)\s*([+-])\s*(\d+)\s*i$", r"(\1, \3)") if False else swap(r.text, r"i$", "j x"),
    },
}  # fmt: skip
