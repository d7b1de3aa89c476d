"""Other formulas, equations, lists and options than the reference, near it in spelling."""

# ruff: noqa: E501  (a kind reads best on one line)

from __future__ import annotations

import random
import re

from tests.verifiers.metamorphic.kinds import Maker, Table, boxed
from tests.verifiers.metamorphic.references import Reference
from tests.verifiers.metamorphic.shared import case, cells, parts, swap, terms, variable

__all__ = ["CHANGING_FORMULAS"]


def _sign(ref: Reference, source: random.Random) -> str | None:
    signed = terms(ref.text)
    place = source.randrange(len(signed))
    one = signed[place]
    signed[place] = ("-" if one[0] == "+" else "+") + one[1:]
    return boxed("".join(signed).removeprefix("+")) if len(signed) > 1 else None


def _dropped(ref: Reference, source: random.Random) -> str | None:
    signed = terms(ref.text)
    if len(signed) < 2:
        return None
    signed.pop(source.randrange(len(signed)))
    return boxed("".join(signed).removeprefix("+"))


def _number(ref: Reference, source: random.Random, *, exponent: bool) -> str | None:
    pattern = r"(?<=\^)\d|(?<=\^\{)\d+" if exponent else r"(?<![\^_\d.{])\d+(?![\d.])(?![^{]*\})"
    places = list(re.finditer(pattern, ref.text))
    if not places:
        return None
    one = source.choice(places)
    if int(one[0]) == 0:
        return None
    return boxed(ref.text[: one.start()] + str(int(one[0]) + 1) + ref.text[one.end() :])


def _letter(ref: Reference, source: random.Random) -> str | None:
    letter = variable(ref.text)
    if letter is None:
        return None
    new = source.choice([one for one in "xyzutvw" if one != letter])
    return boxed(re.sub(rf"(?<![\\a-zA-Z]){letter}(?![a-zA-Z])", new, ref.text))


def _list(change: str) -> Maker:
    def make(ref: Reference, source: random.Random) -> str | None:
        found = parts(ref.text)
        place = source.randrange(len(found))
        if change == "drop":
            found.pop(place)
        elif change == "add":
            found.append(str(max(map(int, found)) + 7))
        elif change == "more":
            found[place] = str(int(found[place]) + 1)
        elif change == "negate":
            found[place] = str(-int(found[place]))
        if {int(one) for one in found} == {int(one) for one in parts(ref.text)}:
            return None
        return boxed(", ".join(found))

    return make


def _tuple(change: str) -> Maker:
    def make(ref: Reference, source: random.Random) -> str | None:
        found = parts(ref.text)
        old = list(found)
        place = source.randrange(len(found))
        if change == "swap":
            found = found[1:] + found[:1]
        elif change == "more":
            found[place] = str(int(found[place]) + 1)
        elif change == "negate":
            found[place] = str(-int(found[place]))
        elif change == "drop":
            found.pop(place)
        elif change == "add":
            found.append("0")
        return (
            None
            if found == old or [int(x) for x in found] == [int(x) for x in old]
            else boxed(f"({', '.join(found)})")
        )

    return make


def _cell(ref: Reference, source: random.Random) -> str | None:
    return swap(ref.text, r"(?<![\d/])\d+(?![\d/])", lambda m: str(int(m[0]) + 1))


def _transposed(ref: Reference, source: random.Random) -> str | None:
    rows = cells(ref.text)
    turned = [list(column) for column in zip(*rows, strict=True)]
    if len(rows) < 2 or len(rows[0]) < 2 or rows == turned:
        return None
    return boxed(r"\begin{pmatrix}" + r" \\ ".join(" & ".join(row) for row in turned) + r"\end{pmatrix}")


def _rows(ref: Reference, source: random.Random) -> str | None:
    rows = cells(ref.text)
    if len(rows) < 2 or rows[0] == rows[1]:
        return None
    rows[0], rows[1] = rows[1], rows[0]
    return boxed(r"\begin{pmatrix}" + r" \\ ".join(" & ".join(row) for row in rows) + r"\end{pmatrix}")


def _fewer_rows(ref: Reference, source: random.Random) -> str | None:
    rows = cells(ref.text)
    return (
        boxed(r"\begin{pmatrix}" + r" \\ ".join(" & ".join(row) for row in rows[:-1]) + r"\end{pmatrix}")
        if len(rows) > 1
        else None
    )


def _wrong(form: str) -> Maker:
    """`@` is the right letter, `#` another, `%` the other's text, `!` the right text."""

    def make(ref: Reference, source: random.Random) -> str:
        letter = source.choice([one for one in ref.options if one != ref.text])
        text = form.replace("@", ref.text).replace("#", letter)
        return text.replace("%", ref.options[letter]).replace("!", ref.options[ref.text])

    return make


_ENDS = {"[": "(", "(": "[", "]": ")", ")": "]"}

CHANGING_FORMULAS: Table = {
    "formula": {
        "sign": _sign,
        "term dropped": _dropped,
        "number": lambda r, s: _number(r, s, exponent=False) if not re.search(r"\\frac\{(\w+)\}\{\1\}", r.text) else None,
        "exponent": lambda r, s: _number(r, s, exponent=True),
        "letter": _letter,
        "plus one": lambda r, s: boxed(f"{r.text} + 1"),
        "doubled": lambda r, s: boxed(f"2({r.text})"),
        "negated": lambda r, s: boxed(f"-({r.text})"),
        "inverted": lambda r, s: boxed(rf"\frac{{1}}{{{r.text}}}"),
        "squared": lambda r, s: boxed(f"({r.text})^2"),
        "plus constant": lambda r, s: boxed(f"{r.text} + C") if "C" not in r.text else None,
        "set to zero": lambda r, s: boxed(f"{r.text} = 0"),
        "prime behind": lambda r, s: boxed(f"({r.text})'"),
        "derivative of": lambda r, s: (v := variable(r.text)) and boxed(rf"\frac{{d}}{{d{v}}}\left({r.text}\right)"),
        "integral of": lambda r, s: (v := variable(r.text)) and boxed(rf"\int \left({r.text}\right) d{v}"),
        "absolute": lambda r, s: boxed(f"|{r.text}|") if variable(r.text) and r.text[0] != "(" and "^2" not in r.text and "sqrt" not in r.text else None,
        "greater": lambda r, s: boxed(f"y > {r.text}"),
        "or another": lambda r, s: boxed(rf"{r.text} \text{{ or }} {r.text} + 1"),
        "unclosed": lambda r, s: f"Hence $\\boxed{{{r.text}",
        "cut inside": lambda r, s: f"Hence $\\boxed{{{r.text[: len(r.text) // 2]}" if len(r.text) > 6 else None,
        "denied": lambda r, s: f"The answer is not $\\boxed{{{r.text}}}$.",
        "denied behind": lambda r, s: f"$\\boxed{{{r.text}}}$ is wrong.",
    },
    "poly": {
        "coefficient": lambda r, s: swap(r.text, r"^(-?)(\d*)([a-z])", lambda m: f"{m[1]}{int(m[2] or 1) + 1}{m[3]}"),
        "constant": lambda r, s: swap(r.text, r"(\d+)$", lambda m: str(int(m[1]) + 1)),
        "last sign": lambda r, s: swap(r.text, r"([+-])(\s*\S+)$", lambda m: ("-" if m[1] == "+" else "+") + m[2]),
        "degree": lambda r, s: swap(r.text, r"([a-z])(?!\^)", r"\1^7"),
        "value": lambda r, s: (v := variable(r.text)) and boxed(re.sub(r"(\d)\s*" + v, r"\1 \\cdot 2", r.text)) if re.search(r"\d\s*[a-z]", r.text) else None,
    },
    "equation": {
        "side plus one": lambda r, s: boxed(f"{r.text} + 1"),
        "unequal": lambda r, s: swap(r.text, "=", r"\\ne "),
        "greater": lambda r, s: swap(r.text, "=", ">"),
        "at most": lambda r, s: swap(r.text, "=", r"\\le "),
        "right side negated": lambda r, s: (p := r.text.split("=")) and boxed(f"{p[0]}= -({p[1]})") if r.text.split("=")[1].strip() not in ("0", "") else None,
        "left squared": lambda r, s: (p := r.text.split("=")) and boxed(f"({p[0]})^2 = {p[1]}") if r.text.split("=")[1].strip() not in ("0", "1") else None,
    },
    "line": {
        "slope": lambda r, s: swap(r.text, r"(\d+)\s*x", lambda m: f"{int(m[1]) + 1}x"),
        "axes swapped": lambda r, s: boxed(r.text.translate(str.maketrans("xy", "yx"))),
        "zero line": lambda r, s: boxed("y = 0"),
    },
    "constant": {
        "constant lost": lambda r, s: swap(r.text, r"\s*\+\s*[Cc]$", ""),
        "doubled": lambda r, s: boxed(f"2 \\left({r.text[:-1].rstrip(' +')}\\right) + C"),
        "constant multiplied": lambda r, s: swap(r.text, r"\+\s*C$", r"\\cdot C"),
    },
    "degrees": {
        "radians": lambda r, s: swap(r.text, r"\s*\^\s*\{?\\circ\}?", r" \\text{ radians}"),
        "ten more": lambda r, s: swap(r.text, r"^(-?\d+)", lambda m: str(int(m[1]) + 10)),
        "percent": lambda r, s: swap(r.text, r"\s*\^\s*\{?\\circ\}?", r"\\%"),
        "to the zero": lambda r, s: swap(r.text, r"\s*\^\s*\{?\\circ\}?", "^{0}"),
    },
    "percent": {
        "one more": lambda r, s: swap(r.text, r"^(\d+)", lambda m: str(int(m[1]) + 1)),
        "hundredth": lambda r, s: boxed(rf"{float(re.sub(r'[^0-9.]', '', r.text)) / 100:g}\%"),
        "per mille": lambda r, s: swap(r.text, r"\s*\\?%", "‰"),
        "unit": lambda r, s: swap(r.text, r"\s*\\?%", r"\\text{ dollars}"),
        "points of degree": lambda r, s: swap(r.text, r"\s*\\?%", r"^\\circ"),
    },
    "money": {
        "cents": lambda r, s: swap(r.text, r"\\?\$\s*(.*)", r"\1 \\text{ cents}"),
        "euro": lambda r, s: swap(r.text, r"\\?\$\s*(.*)", r"€\1"),
        "more": lambda r, s: swap(r.text, r"(\d)(?=\D*$)", lambda m: str((int(m[1]) + 1) % 10)),
        "thousand": lambda r, s: boxed(rf"{r.text} \text{{ thousand}}"),
    },
    "base": {
        "other base": lambda r, s: swap(r.text, r"_\{?(\d+)\}?$", lambda m: f"_{{{int(m[1]) + 3}}}"),
        "digit": lambda r, s: swap(r.text, r"^(\d)", lambda m: str(int(m[1]) % 9 + 1)),
        "power": lambda r, s: swap(r.text, r"_", "^") if r.text[:2] != "1_" else None,
    },
    "pair": {**{name: _tuple(name) for name in ("swap", "more", "negate", "drop", "add")},
        "set": lambda r, s: boxed(rf"\{{{', '.join(parts(r.text))}\}}"),
        "closed": lambda r, s: boxed(f"[{', '.join(parts(r.text))}]"),
        "half open": lambda r, s: boxed(f"({', '.join(parts(r.text))}]"),
        "names swapped": lambda r, s: boxed(f"x = {parts(r.text)[1]}, y = {parts(r.text)[0]}") if parts(r.text)[0] != parts(r.text)[1] else None,
        "names turned": lambda r, s: boxed(f"(y, x) = {r.text}") if parts(r.text)[0] != parts(r.text)[1] else None,
        "sum": lambda r, s: boxed(str(sum(map(int, parts(r.text))))),
        "product": lambda r, s: boxed(rf"{parts(r.text)[0]} \cdot {parts(r.text)[1]}"),
    },
    "triple": {f"{name} (three)": _tuple(name) for name in ("swap", "more", "negate", "drop")},
    "list": {**{name: _list(name) for name in ("drop", "add", "more", "negate")},
        "dots": lambda r, s: boxed(rf"{r.text}, \ldots"),
        "sum": lambda r, s: boxed(" + ".join(parts(r.text))),
        "interval": lambda r, s: boxed(f"[{parts(r.text)[0]}, {parts(r.text)[-1]}]"),
        "one of them": lambda r, s: boxed(s.choice(parts(r.text))) if len(set(parts(r.text))) > 1 else None,
        "one box of them": lambda r, s: f"The solutions are ${parts(r.text)[0]}$ and $\\boxed{{{parts(r.text)[-1]}}}$." if len(set(parts(r.text))) > 1 else None,
        "cut": lambda r, s: f"The solutions are ${parts(r.text)[0]}$, ${parts(r.text)[1]}$ and",
    },
    "interval": {
        "left end": lambda r, s: boxed(_ENDS[r.text[0]] + r.text[1:]),
        "right end": lambda r, s: boxed(r.text[:-1] + _ENDS[r.text[-1]]),
        "bound": lambda r, s: swap(r.text, r"(\d+)\s*([\])])$", lambda m: f"{int(m[1]) + 1}{m[2]}"),
        "ends as list": lambda r, s: boxed(", ".join(parts(r.text))) if r.text[0] + r.text[-1] != "()" else None,
        "ends as set": lambda r, s: boxed(rf"\{{{', '.join(parts(r.text))}\}}"),
        "turned": lambda r, s: boxed(f"{r.text[0]}{parts(r.text)[1]}, {parts(r.text)[0]}{r.text[-1]}") if parts(r.text)[0] != parts(r.text)[1] else None,
        "one side": lambda r, s: boxed(f"x > {parts(r.text)[0]}"),
        "outside": lambda r, s: boxed(rf"(-\infty, {parts(r.text)[0]}) \cup ({parts(r.text)[1]}, \infty)"),
    },
    "ray": {
        "closed": lambda r, s: swap(r.text, r"\((?=-?\d)", "[") or swap(r.text, r"(?<=\d)\)", "]"),
        "opened": lambda r, s: swap(r.text, r"\[", "(") or swap(r.text, r"\]", ")"),
        "infinity sign": lambda r, s: swap(r.text, r"^[\[(](.*), \\infty\)$", r"(-\\infty, \1)") or swap(r.text, r"^\(-\\infty,(.*)[\])]$", r"(\1, \\infty)"),
        "bound": lambda r, s: swap(r.text, r"(\d+)", lambda m: str(int(m[1]) + 1)),
        "equality": lambda r, s: (m := re.search(r"-?\d+", r.text)) and boxed(f"x = {m[0]}"),
        "unequal": lambda r, s: (m := re.search(r"-?\d+", r.text)) and boxed(rf"x \ne {m[0]}"),
    },
    "union": {
        "intersection": lambda r, s: swap(r.text, r"\\cup", r"\\cap"),
        "first only": lambda r, s: boxed(re.split(r"\s*\\cup", r.text)[0]),
        "one end": lambda r, s: swap(r.text, r"^\(-\\infty, ?(-?\d+)\)", r"(-\\infty, \1]"),
        "bound": lambda r, s: swap(r.text, r"(\d+)(?=[\])]\s*\\cup)", lambda m: str(int(m[1]) + 1)),
        "whole line": lambda r, s: boxed(r"(-\infty, \infty)"),
    },
    "matrix": {"cell": _cell, "transposed": _transposed, "rows swapped": _rows, "row lost": _fewer_rows,
        "determinant": lambda r, s: swap(r.text, "pmatrix", "vmatrix"),
        "negated": lambda r, s: boxed(f"-{r.text}") if re.search("[1-9]", r.text) else None,
        "inverse": lambda r, s: boxed(rf"{r.text}^{{-1}}") if len(cells(r.text)) == len(cells(r.text)[0]) > 1 and r.text != r"\begin{pmatrix} 1 & 0 \\ 0 & 1 \end{pmatrix}" else None,
    },
    "option": {
        "letter": _wrong("\\boxed{#}"),
        "letter said": _wrong("The answer is #."),
        "right then other": _wrong("Option @ looks right, but the answer is (#)."),
        "or": _wrong("The answer is @ or #."),
        "or other order": _wrong("The answer is # or @."),
        "either": _wrong("It is either (@) or (#)."),
        "two boxes": _wrong("\\boxed{#} and \\boxed{@}"),
        "denied": _wrong("The answer is not @."),
        "denied behind": _wrong("@ is not correct."),
        "ruled out": _wrong("Options @ and # can be ruled out."),
        "text of other": _wrong("\\boxed{%}"),
        "letter with other text": _wrong("\\boxed{\\text{(#) } %}"),
        "all of them": _wrong("\\boxed{A, B, C, D}"),
        "all of the above": _wrong("The answer is all of the above."),
        "none": _wrong("None of the options is correct."),
        "retracted": _wrong("The answer is @. Wait, that is wrong. The answer is #."),
        "cut": _wrong("Looking at option @, we"),
        "cut answer": _wrong("The answer is"),
        "reference bracket other": lambda r, s: case(f"({r.text})", next(o for o in r.options if o != r.text), prompt=r.prompt),
        "reference text other": lambda r, s: case(f"{r.text}. {r.options[r.text]}", next(o for o in r.options if o != r.text), prompt=r.prompt),
    },
    "word": {
        "anagram": lambda r, s: boxed(rf"\text{{{_word(r)[::-1]}}}"),
        "other": lambda r, s: boxed(r"\text{Wombat}"),
        "or other": lambda r, s: boxed(rf"\text{{{_word(r)} or Wombat}}"),
        "not": lambda r, s: boxed(rf"\text{{not {_word(r)}}}"),
        "denied": lambda r, s: f"The answer is not {_word(r)}.",
        "first letter": lambda r, s: boxed(_word(r)[0]),
        "cut": lambda r, s: f"\\boxed{{\\text{{{_word(r)}}}",
    },
}  # fmt: skip


def _word(ref: Reference) -> str:
    return re.sub(r"\\text\{|\}", "", ref.text)
