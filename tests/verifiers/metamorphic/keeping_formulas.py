"""The same formula, equation or unit in another notation."""

# ruff: noqa: E501  (a kind reads best on one line)

from __future__ import annotations

import random
import re

from tests.verifiers.metamorphic.kinds import Maker, Table, boxed
from tests.verifiers.metamorphic.references import Reference
from tests.verifiers.metamorphic.shared import case, swap, terms, variable
from verifiers.base import Case

__all__ = ["KEEPING_FORMULAS"]

_UPPER = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def _reordered(ref: Reference, source: random.Random) -> str | None:
    signed = terms(ref.text)
    if len(signed) < 2:
        return None
    text = " ".join(signed[1:] + signed[:1])
    return boxed(text.removeprefix("+"))


def _reversed(ref: Reference, source: random.Random) -> str | None:
    signed = terms(ref.text)
    return boxed(" ".join(reversed(signed)).removeprefix("+")) if len(signed) > 2 else None


def _negated_twice(ref: Reference, source: random.Random) -> str | None:
    signed = terms(ref.text)
    if len(signed) < 2:
        return None
    flipped = "".join(("-" if one[0] == "+" else "+") + one[1:] for one in signed).removeprefix("+")
    return boxed(f"-({flipped})")


def _sides_swapped(ref: Reference, source: random.Random) -> str | None:
    left, right = ref.text.split("=")
    return boxed(f"{right.strip()} = {left.strip()}") if right.strip() else None


def _to_zero(ref: Reference, source: random.Random) -> str | None:
    left, right = ref.text.split("=")
    return (
        boxed(f"{left.strip()} - ({right.strip()}) = 0")
        if re.search("(?<![a-zA-Z\\\\])[a-z](?![a-z])", right)
        else None
    )


def _scaled(ref: Reference, source: random.Random) -> str | None:
    left, right = ref.text.split("=")
    return (
        boxed(f"2({left.strip()}) = 2({right.strip()})")
        if re.search("(?<![a-zA-Z\\\\])[a-z](?![a-z])", right)
        else None
    )


def _unicode_powers(ref: Reference, source: random.Random) -> str | None:
    changed = re.sub(r"\^(?:\{(\d+)\}|(\d))", lambda m: (m[1] or m[2]).translate(_UPPER), ref.text)
    return boxed(changed) if changed != ref.text else None


def _common_factor(ref: Reference, source: random.Random) -> str | None:
    return boxed(rf"\frac{{2({ref.text})}}{{2}}")


def _calculus(gold: str, answer: str) -> Maker:
    def make(ref: Reference, source: random.Random) -> Case | None:
        k = int(ref.text)
        if not 2 <= k <= 99:
            return None
        return case(gold.replace("@", str(k)), answer.replace("@", str(k)))

    return make


def _unit(gold: str, answer: str, *, prompt: str = "", low: int = 2, high: int = 500) -> Maker:
    def make(ref: Reference, source: random.Random) -> Case | None:
        k = int(ref.text)
        if not low <= k <= high:
            return None

        def put(text: str) -> str:
            return re.sub(r"@(\*?)(\d*)", lambda m: str(k * int(m[2])) if m[1] else str(k) + m[2], text)

        return case(put(gold), put(answer), prompt=prompt)

    return make


KEEPING_FORMULAS: Table = {
    "formula": {
        "same": lambda r, s: boxed(r.text),
        "reference in dollars": lambda r, s: case(f"${r.text}$", r.text, prompt=r.prompt),
        "left right": lambda r, s: swap(r.text.replace("(", r"\left(").replace(")", r"\right)"), "$^", "") or (
            boxed(r.text.replace("(", r"\left(").replace(")", r"\right)")) if "(" in r.text else None),
        "big brackets": lambda r, s: boxed(r.text.replace("(", r"\bigl(").replace(")", r"\bigr)")) if "(" in r.text else None,
        "dfrac": lambda r, s: swap(r.text, r"\\frac", r"\\dfrac"),
        "thin spaces": lambda r, s: swap(r.text, r" ?([+]) ?", r"\\,\1\\,"),
        "no spaces": lambda r, s: swap(r.text, r"(?<=[\d)}+-]) (?=[\d(\\+-])", ""),
        "braced powers": lambda r, s: swap(r.text, r"\^(\w)", r"^{\1}"),
        "unbraced powers": lambda r, s: swap(r.text, r"\^\{(\w)\}", r"^\1"),
        "double stars": lambda r, s: swap(r.text, r"\^(\d)(?!\d)", r"**\1"),
        "unicode powers": _unicode_powers,
        "wrapped": lambda r, s: boxed(f"({r.text})"),
        "plus zero": lambda r, s: boxed(f"{r.text} + 0"),
        "times one": lambda r, s: boxed(rf"1 \cdot ({r.text})"),
        "common factor": _common_factor,
        "named y": lambda r, s: boxed(f"y = {r.text}") if "y" not in r.text else None,
        "named f": lambda r, s: ((v := variable(r.text)) and v != "f" and boxed(f"f({v}) = {r.text}")) or None,
        "ends in text": lambda r, s: boxed(rf"{r.text} \text{{.}}"),
        "times signs": lambda r, s: swap(r.text, r"(?<![\d.^_{])(\d+) ?([a-z])(?![a-z])", r"\1 \\cdot \2"),
        "unicode minus": lambda r, s: swap(r.text, "-", "−"),
        "unicode times": lambda r, s: swap(r.text, r"(?<![\d.^_{])(\d+) ?([a-z])(?![a-z])", r"\1·\2"),
        "doubled backslash": lambda r, s: swap(r.text, r"\\(frac|sqrt)", r"\\\\\1"),
    },
    "poly": {
        "reordered": _reordered,
        "reversed": _reversed,
        "negated twice": _negated_twice,
        "spaced": lambda r, s: boxed(re.sub(r"\s*([+-])\s*", r" \1 ", r.text)),
        "condition behind": lambda r, s: (v := variable(r.text)) and boxed(rf"{r.text}, \quad {v} \in \mathbb{{R}}"),
        "split term": lambda r, s: (v := variable(r.text)) and boxed(f"{r.text} + {v} - {v}"),
        "one side": lambda r, s: ((v := variable(r.text)) and v not in "pf" and boxed(f"p({v}) = {r.text}")) or None,
    },
    "equation": {
        "same": lambda r, s: boxed(r.text),
        "sides swapped": _sides_swapped,
        "to zero": _to_zero,
        "scaled": _scaled,
        "aligned": lambda r, s: boxed(r.text.replace("=", "&=")),
        "in dollars": lambda r, s: f"The equation is ${r.text}$.",
    },
    "line": {
        "right side": lambda r, s: boxed(r.text.split("=")[1].strip()),
        "f of x": lambda r, s: boxed(r.text.replace("y", "f(x)", 1)),
    },
    "constant": {
        "small c": lambda r, s: swap(r.text, r"\+\s*C", "+ c") if "c" not in re.sub(r"\\[a-z]+", "", r.text) else None,
        "constant first": lambda r, s: ((m := re.fullmatch(r"([^=]*[^=\s-])\s*\+\s*C", r.text)) and boxed(
            f"C {'' if m[1][0] == '-' else '+'} {m[1]}")) or None,
        "text constant": lambda r, s: swap(r.text, r"\+\s*[Cc]$", r"+ \\text{C}"),
        "constant K": lambda r, s: swap(r.text, r"\+\s*C$", "+ K") if "K" not in r.text else None,
        "condition in words": lambda r, s: f"The integral is $\\boxed{{{r.text}}}$, where $C$ is a constant." if r.text[-1] == "C" else None,
    },
    "int": {
        "derivative dfrac": _calculus(r"\frac{dy}{dx}=@y", r"\dfrac{dy}{dx} = @ y"),
        "derivative swapped": _calculus(r"\frac{dy}{dx}=@y", r"@y = \frac{dy}{dx}"),
        "derivative roman": _calculus(r"\frac{dy}{dx}=@y", r"\frac{\mathrm{d}y}{\mathrm{d}x} = @y"),
        "derivative slash": _calculus(r"\frac{dy}{dx}=@y", r"dy/dx = @y"),
        "primes": _calculus(r"y''+@y=0", r"y'' + @y = 0"),
        "primes moved": _calculus(r"y''+@y=0", r"y'' = -@y"),
        "primes as power": _calculus(r"y''+@y=0", r"y^{\prime\prime}+@y=0"),
        "partial": _calculus(r"\frac{\partial u}{\partial t}=@u", r"\dfrac{\partial u}{\partial t} = @\,u"),
        "integral kept": _calculus(r"\int_0^{@} f(x)\,dx", r"\int_{0}^{@} f(x) \, \mathrm{d}x"),
        "limit kept": _calculus(r"\lim_{n\to\infty} a_n = @", r"@"),
        "log base": _calculus(r"\log_{@} x", r"\log_{@}(x)"),
        "ln as log e": _calculus(r"\ln(@)", r"\log_e @"),
        "binomial": _calculus(r"\binom{@}{2}", r"\frac{@(@-1)}{2}"),
        "factorial words": _calculus(r"@!", r"@ !"),
        "metres to cm": _unit(r"@\text{ m}", r"@*100\text{ cm}"),
        "km to m": _unit(r"@\text{ km}", r"@*1000 \mathrm{~m}"),
        "hours to minutes": _unit(r"@\text{ hours}", r"@*60\text{ minutes}"),
        "unit left out": _unit(r"@\text{ cm}", "@"),
        "unit added": _unit("@", r"@\text{ cm}", prompt="How many centimeters long is the rope?"),
        "unit roman": _unit(r"@\text{ cm}", r"@\,\mathrm{cm}"),
        "unit spelled": _unit(r"@\text{ cm}", r"@ \text{ centimeters}"),
        "unit plain": _unit(r"@\text{ m/s}", "@ m/s"),
        "unit power": _unit(r"@\text{ m/s}^2", r"@ \text{ m s}^{-2}"),
        "unit per": _unit(r"@\text{ km/h}", r"@ \text{ kilometers per hour}"),
        "square unit": _unit(r"@\text{ cm}^2", r"@ \text{ cm²}"),
        "cubic unit": _unit(r"@\text{ m}^3", r"@ \text{ cubic meters}"),
        "celsius": _unit(r"@^\circ\text{C}", "@°C"),
        "ohm": _unit(r"@\,\Omega", r"@ \text{ ohms}"),
        "angstrom": _unit(r"@\text{ Å}", "@ Å"),
        "micro": _unit(r"@\,\mu\text{m}", "@ μm"),
        "unit in fraction": _unit(r"\frac{@}{4}\text{ m}", r"\frac{@ \text{ m}}{4}"),
        "newton": _unit(r"@\text{ N}", r"@ \text{ newtons}"),
        "joule": _unit(r"@\text{ kJ}", r"@*1000\text{ J}"),
        "watt": _unit(r"@\text{ W}", r"@ \mathrm{\ W}"),
        "erg": _unit(r"@e33", r"@\times10^{33}\text{ erg/s}", high=99),
        "ratio words": _unit("@:7", r"@ \text{ to } 7"),
        "ratio colon": _unit("@:7", r"@ \colon 7"),
        "excluded value": _unit("x+@", r"x+@, x \ne 1"),
        "excluded value words": _unit("x+@", r"x+@ \text{ for } x \neq 1"),
    },
    "degrees": {
        "degree sign": lambda r, s: swap(r.text, r"\s*\^\s*\{?\\circ\}?", "°"),
        "words": lambda r, s: swap(r.text, r"\s*\^\s*\{?\\circ\}?", r" \\text{ degrees}"),
        "bare": lambda r, s: swap(r.text, r"\s*\^\s*\{?\\circ\}?", ""),
        "macro": lambda r, s: swap(r.text, r"\s*\^\s*\{?\\circ\}?", r"\\degree"),
        "braced": lambda r, s: swap(r.text, r"\s*\^\s*\{?\\circ\}?", r"^{\\circ}"),
        "named angle": lambda r, s: boxed(rf"\angle ABC = {r.text}"),
        "theta": lambda r, s: boxed(rf"\theta = {r.text}"),
    },
    "percent": {
        "unescaped": lambda r, s: swap(r.text, r"\\%", "%"),
        "words": lambda r, s: swap(r.text, r"\s*\\?%", r"\\text{ percent}"),
        "behind the box": lambda r, s: (v := re.sub(r"\s*\\?%", "", r.text)) and f"The answer is $\\boxed{{{v}}}\\%$.",
        "decimal": lambda r, s: boxed(f"{float(re.sub(r'[^0-9.]', '', r.text)) / 100:g}"),
        "bare": lambda r, s: swap(r.text, r"\s*\\?%", ""),
    },
    "money": {
        "bare": lambda r, s: swap(r.text, r"\\?\$\s*", ""),
        "words": lambda r, s: swap(r.text, r"\\?\$\s*(.*)", r"\1 \\text{ dollars}"),
        "escaped": lambda r, s: swap(r.text, r"^\$", r"\\$"),
        "sign behind": lambda r, s: swap(r.text, r"\\?\$\s*(.*)", r"\1\\$"),
        "text sign": lambda r, s: swap(r.text, r"\\?\$\s*(.*)", r"\\text{\\$}\1"),
        "sentence": lambda r, s: f"She pays {r.text.replace(chr(92), '')}.",
    },
    "base": {
        "braced": lambda r, s: swap(r.text, r"_(\d+)$", r"_{\1}"),
        "text": lambda r, s: swap(r.text, r"_\{?(\d+)\}?$", r"_{\\text{\1}}"),
        "words": lambda r, s: swap(r.text, r"_\{?(\d+)\}?$", r"_{\\text{base } \1}"),
        "roman words": lambda r, s: swap(r.text, r"_\{?(\d+)\}?$", r" \\text{ (base \1)}"),
        "parentheses": lambda r, s: swap(r.text, r"(\d+)_\{?(\d+)\}?$", r"(\1)_{\2}"),
        "subscript digits": lambda r, s: (m := re.fullmatch(r"(\d+)_\{?(\d+)\}?", r.text)) and boxed(
            m[1] + m[2].translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))),
    },
}  # fmt: skip
