"""The same list, tuple, interval, set, matrix, option or word, and references in other clothes."""

# ruff: noqa: E501  (a kind reads best on one line)

from __future__ import annotations

import random
import re

from tests.verifiers.metamorphic.kinds import Maker, Table, boxed
from tests.verifiers.metamorphic.references import Reference
from tests.verifiers.metamorphic.shared import case, cells, inner, parts, swap
from verifiers.base import Case

__all__ = ["KEEPING_STRUCTURES"]


def _shuffled(ref: Reference, source: random.Random) -> list[str]:
    found = parts(ref.text)
    return found[1:] + found[:1]


def _names(values: list[str], letters: str, joint: str = ", ") -> str:
    return joint.join(f"{name} = {value}" for name, value in zip(letters, values, strict=False))


def _interval(ref: Reference, source: random.Random) -> str | None:
    low, high = parts(ref.text)
    if not re.fullmatch(r"-?\d+", low) or not re.fullmatch(r"-?\d+", high) or int(low) >= int(high):
        return None
    return low + "|" + high


def _as_inequality(ref: Reference, form: str) -> Case | None:
    ends = _interval(ref, random.Random())
    if ends is None or ref.text[0] + ref.text[-1] == "()":
        return None
    low, high = ends.split("|")
    signs = {"[": r"\le", "(": "<", "]": r"\le", ")": "<"}
    return case(ref.text, form.format(a=low, b=high, l=signs[ref.text[0]], r=signs[ref.text[-1]]))


def _ray(ref: Reference, form: str) -> Case:
    low, high = parts(ref.text)
    upper = high == r"\infty"
    closed = (ref.text[0] == "[") if upper else (ref.text[-1] == "]")
    sign = (r"\ge" if closed else ">") if upper else (r"\le" if closed else "<")
    flipped = {r"\ge": r"\le", ">": "<", r"\le": r"\ge", "<": ">"}[sign]
    return case(ref.text, form.format(x="x", s=sign, f=flipped, v=low if upper else high))


def _matrix(ref: Reference, name: str) -> str:
    return swap(ref.text, "pmatrix", name) or ""


def _column(ref: Reference) -> str | None:
    rows = cells(ref.text)
    return (
        boxed(f"({', '.join(row[0] for row in rows)})")
        if all(len(row) == 1 for row in rows) and len(rows) > 1
        else None
    )


def _option(form: str) -> Maker:
    return lambda r, s: form.replace("@", r.text).replace("#", r.options[r.text])


def _numeric_option(form: str) -> Maker:
    """For options whose text is a number."""
    return lambda r, s: (
        form.replace("@", r.text).replace("#", r.options[r.text])
        if re.fullmatch(r"-?\d+(?:\.\d+)?", r.options[r.text]) and len(set(r.options.values())) == 4
        else None
    )


def _reference(form: str, answer: str = "@") -> Maker:
    return lambda r, s: case(form.replace("@", r.text), answer.replace("@", r.text), prompt="")


def _option_reference(form: str, answer: str) -> Maker:
    fill = lambda text, r: text.replace("@", r.text).replace("#", r.options[r.text])  # noqa: E731
    return lambda r, s: case(fill(form, r), fill(answer, r), prompt=r.prompt)


KEEPING_STRUCTURES: Table = {
    "pair": {
        "spaces": lambda r, s: boxed(f"( {' , '.join(parts(r.text))} )"),
        "left right": lambda r, s: boxed(rf"\left({','.join(parts(r.text))}\right)"),
        "named": lambda r, s: boxed(f"(x, y) = {r.text}"),
        "point name": lambda r, s: boxed(f"P{r.text}"),
        "point equals": lambda r, s: boxed(f"P = {r.text}"),
        "coordinates named": lambda r, s: boxed(_names(parts(r.text), "xy")),
        "coordinates joined": lambda r, s: boxed(_names(parts(r.text), "xy", r" \text{ and } ")),
        "fractions": lambda r, s: boxed(f"({', '.join(f'{2 * int(one)}/2' for one in parts(r.text))})"),
        "reference named": lambda r, s: case(_names(parts(r.text), "xy"), r.text),
        "sentence": lambda r, s: f"The point is ${r.text}$.",
        "two sentences": lambda r, s: f"Hence the solution is $x = {parts(r.text)[0]}$, $y = {parts(r.text)[1]}$.",
    },
    "triple": {
        "coordinates named": lambda r, s: boxed(_names(parts(r.text), "xyz")),
        "abc named": lambda r, s: boxed("(a, b, c) = " + r.text),
        "angle brackets": lambda r, s: boxed(rf"\langle {inner(r.text)} \rangle"),
        "column": lambda r, s: boxed(r"\begin{pmatrix}" + r" \\ ".join(parts(r.text)) + r"\end{pmatrix}"),
        "bare list": lambda r, s: case(", ".join(parts(r.text)), r.text) if len(set(parts(r.text))) == 3 else None,
    },
    "list": {
        "rotated": lambda r, s: boxed(", ".join(_shuffled(r, s))),
        "reversed": lambda r, s: boxed(", ".join(reversed(parts(r.text)))),
        "no spaces": lambda r, s: boxed(",".join(parts(r.text))),
        "set": lambda r, s: boxed(rf"\{{{', '.join(parts(r.text))}\}}"),
        "and": lambda r, s: boxed(", ".join(parts(r.text)[:-1]) + r" \text{ and } " + parts(r.text)[-1]),
        "or": lambda r, s: boxed(", ".join(f"x = {one}" for one in parts(r.text)[:-1]) + rf" \text{{ or }} x = {parts(r.text)[-1]}"),
        "semicolons": lambda r, s: boxed("; ".join(parts(r.text))),
        "named": lambda r, s: boxed(f"x = {', '.join(parts(r.text))}"),
        "x in set": lambda r, s: boxed(rf"x \in \{{{', '.join(parts(r.text))}\}}"),
        "index named": lambda r, s: boxed(", ".join(f"x_{i} = {v}" for i, v in enumerate(parts(r.text), 1))),
        "dollars each": lambda r, s: "The solutions are " + ", ".join(f"${one}$" for one in parts(r.text)[:-1]) + f" and ${parts(r.text)[-1]}$.",
        "boxes joined": lambda r, s: "The solutions are " + " and ".join(rf"$\boxed{{{one}}}$" for one in parts(r.text)) + "." if len(set(parts(r.text))) == 2 else None,
        "sentence": lambda r, s: f"The answer is ${', '.join(parts(r.text))}$.",
        "quad": lambda r, s: boxed(r",\quad ".join(parts(r.text))),
        "repeated": lambda r, s: boxed(", ".join([*parts(r.text), parts(r.text)[0]])),
        "reference names": lambda r, s: case(", ".join(f"x={v}" for v in parts(r.text)), ", ".join(_shuffled(r, s))),
        "ab named": lambda r, s: boxed(_names(parts(r.text), "ab")) if len(parts(r.text)) == 2 else None,
        "tuple of three": lambda r, s: boxed(f"({', '.join(parts(r.text))})") if len(set(parts(r.text))) > 2 else None,
    },
    "interval": {
        "left right": lambda r, s: boxed(rf"\left{r.text[:-1]}\right{r.text[-1]}"),
        "named": lambda r, s: boxed(rf"x \in {r.text}"),
        "inequality": lambda r, s: _as_inequality(r, "{a} {l} x {r} {b}"),
        "inequality turned": lambda r, s: (c := _as_inequality(r, "{a}|{b}|{l}|{r}")) and _turned(c),
        "spaces": lambda r, s: boxed(f"{r.text[0]} {parts(r.text)[0]} , {parts(r.text)[1]} {r.text[-1]}"),
        "semicolon": lambda r, s: boxed(f"{r.text[0]}{'; '.join(parts(r.text))}{r.text[-1]}") if r.text[0] == "[" else None,
        "words": lambda r, s: f"The range is ${r.text}$.",
    },
    "ray": {
        "inequality": lambda r, s: _ray(r, "{x} {s} {v}"),
        "inequality turned": lambda r, s: _ray(r, "{v} {f} {x}"),
        "builder": lambda r, s: _ray(r, r"\{{{x} \mid {x} {s} {v}\}}"),
        "builder colon": lambda r, s: _ray(r, r"\{{{x} : {x} {s} {v}\}}"),
        "builder reals": lambda r, s: _ray(r, r"\{{{x} \in \mathbb{{R}} \mid {x} {s} {v}\}}"),
        "plus infinity": lambda r, s: swap(r.text, r"(?<!-)\\infty", r"+\\infty"),
        "unicode infinity": lambda r, s: swap(r.text, r"\\infty", "∞"),
        "other letter": lambda r, s: _ray(r, "{x} {s} {v}") and case(r.text, _ray(r, "t {s} {v}").content.split("boxed{")[1].split("}$")[0]),
    },
    "union": {
        "swapped": lambda r, s: boxed(r" \cup ".join(reversed(re.split(r"\s*\\cup\s*", r.text)))) if r.text.count("cup") == 1 else None,
        "big cup": lambda r, s: swap(r.text, r"\\cup", r"\\bigcup"),
        "unicode cup": lambda r, s: swap(r.text, r"\\cup", "∪"),
        "named": lambda r, s: boxed(rf"x \in {r.text}"),
        "left right": lambda r, s: boxed(re.sub(r"([\])])", r"\\right\1", re.sub(r"([\[(])", r"\\left\1", r.text))),
        "or": lambda r, s: swap(r.text, r"\\cup", r"\\text{ or }"),
    },
    "matrix": {
        "bmatrix": lambda r, s: _matrix(r, "bmatrix"),
        "array": lambda r, s: boxed(r.text.replace(r"\begin{pmatrix}", r"\left[\begin{array}{" + "c" * len(cells(r.text)[0]) + "}").replace(r"\end{pmatrix}", r"\end{array}\right]")),
        "spaces": lambda r, s: boxed(r.text.replace("&", " & ").replace(r"\\", r" \\ ")),
        "row end": lambda r, s: boxed(r.text.replace(r"\end", r"\\ \end")),
        "named": lambda r, s: boxed(rf"\mathbf{{A}} = {r.text}"),
        "named plain": lambda r, s: boxed(rf"A = {r.text}"),
        "fractions": lambda r, s: swap(r.text, r"(?<!\d)(\d+)/(\d+)", r"\\frac{\1}{\2}"),
        "column as tuple": lambda r, s: _column(r),
        "line feed": lambda r, s: boxed(r.text.replace(r"\\", "\\\\\n")),
        "small": lambda r, s: _matrix(r, "smallmatrix") and boxed(rf"\left({r.text.replace('pmatrix', 'smallmatrix')}\right)"),
    },
    "option": {
        "letter": _option("\\boxed{@}"),
        "text letter": _option("\\boxed{\\text{@}}"),
        "letter and text": _option("\\boxed{\\text{(@) } #}"),
        "letter point text": _option("The answer is @. #"),
        "bold": _option("**(@)**"),
        "answer colon": _option("Answer: @"),
        "answer is": _option("So the answer is (@)."),
        "option": _option("Therefore, the correct option is @."),
        "choice": _option("Hence choice (@) is correct."),
        "chinese": _option("所以答案是@。"),
        "alone": _option("@"),
        "alone bracket": _option("(@)"),
        "alone point": _option("@."),
        "small letter": lambda r, s: boxed(r.text.lower()),
        "mathrm": _option("\\boxed{\\mathrm{(@)}}"),
        "textbf": _option("\\boxed{\\textbf{(@)}}"),
        "number text": _numeric_option("\\boxed{#}"),
        "number text said": _numeric_option("The answer is $#$."),
        "number text named": _numeric_option("\\boxed{x = #}"),
        "text in box": lambda r, s: f"\\boxed{{{r.options[r.text].strip('$ ')}}}",
        "others ruled out": lambda r, s: f"{s.choice([o for o in 'ABCD' if o != r.text])} is wrong because it is too large. The answer is {r.text}.",
        "reference bracket": _option_reference("(@)", "@"),
        "reference with text": _option_reference("@. #", "@"),
        "reference bracket text": _option_reference("(@) #", "\\text{(@)}"),
        "reference boxed": _option_reference("\\boxed{@}", "@"),
        "reference says": _option_reference("The answer is @.", "@"),
        "reference is text": lambda r, s: case(r.options[r.text], r.text, prompt=r.prompt) if re.search(r"\d|[a-z]{4}", r.options[r.text]) else None,
    },
    "word": {
        "text": lambda r, s: boxed(rf"\text{{{_word(r)}}}"),
        "lower": lambda r, s: boxed(rf"\text{{{_word(r).lower()}}}"),
        "said": lambda r, s: f"The answer is {_word(r)}.",
        "bold": lambda r, s: f"**{_word(r)}**",
        "on": lambda r, s: boxed(rf"\textbf{{{_word(r)}}}"),
        "bare": lambda r, s: boxed(_word(r)),
    },
    "int": {
        "reference boxed": _reference(r"\boxed{@}"),
        "reference says": _reference("The answer is @."),
        "reference sentence": _reference(r"Therefore the total is $\boxed{@}$ dollars."),
        "reference bold": _reference("**@**"),
        "reference hash": _reference("Some work with 12 and 13.\n#### @"),
        "reference named": _reference("x = @"),
        "reference answer colon": _reference("Answer: @"),
        "reference display": _reference(r"\[@\]"),
        "reference accepted list": lambda r, s: case(f'["{r.text}", "{int(r.text) * 2}/2"]', r.text),
        "plus minus": lambda r, s: case(rf"\pm {r.text}", f"{r.text}, -{r.text}") if int(r.text) > 0 else None,
        "minus plus": lambda r, s: case(f"{r.text}, -{r.text}", rf"x = \pm {r.text}") if int(r.text) > 0 else None,
        "double root named": lambda r, s: case(f"{r.text},{r.text}", f"a={r.text}, b={r.text}"),
        "yes": lambda r, s: case("Yes", f"Yes, since no number below {r.text} divides it.", whole=True, prompt="Is it prime?"),
        "no": lambda r, s: case("No", f"No. The number {r.text} is a counterexample.", whole=True, prompt="Is it true?"),
        "true": lambda r, s: case("True", r"\text{True}", prompt="True or false?"),
        "false": lambda r, s: case("False", "The statement is false.", whole=True, prompt="True or false?"),
    },
    "worked": {
        "reference worked": lambda r, s: Case(r.prompt, boxed(r.text), reference=r.solution, finish_reason="stop"),
        "solution itself": lambda r, s: Case(r.prompt, r.solution, reference=r.text, finish_reason="stop"),
    },
}  # fmt: skip


def _word(ref: Reference) -> str:
    return re.sub(r"\\text\{|\}", "", ref.text)


def _turned(one: Case) -> Case:
    low, high, left, right = one.content.split("boxed{")[1].split("}$")[0].split("|")
    turned = {r"\le": r"\ge", "<": ">"}
    return case(one.reference or "", f"{high} {turned[right]} x {turned[left]} {low}")
