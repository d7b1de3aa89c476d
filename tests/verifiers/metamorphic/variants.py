"""Pairs of texts around one number of a reference: such as say the same, and such as do not."""

# ruff: noqa: E501  (a kind reads best on one line)

from __future__ import annotations

import random

from tests.verifiers.metamorphic.kinds import Maker, Table, boxed
from tests.verifiers.metamorphic.references import Reference
from verifiers.base import Case

__all__ = ["CHANGING_VARIANTS", "KEEPING_VARIANTS"]


def _fill(text: str, k: int) -> str:
    """`@` is the number, `#` one more, `~` one less."""
    return text.replace("@", str(k)).replace("#", str(k + 1)).replace("~", str(k - 1))


def _pair(gold: str, answer: str, *, high: int = 99, whole: bool = False, prompt: str = "") -> Maker:
    def make(ref: Reference, source: random.Random) -> Case | None:
        k = int(ref.text)
        if not 3 <= k <= high:
            return None
        said = _fill(answer, k)
        return Case(prompt, said if whole else boxed(said), reference=_fill(gold, k), finish_reason="stop")

    return make


def _kinds(answers: dict[str, str], *, whole: bool = False) -> dict[str, Maker]:
    return {name: _pair("@", answer, whole=whole, high=9_999) for name, answer in answers.items()}


_SAID = {
    "final answer hoped": "Final Answer: The final answer is $\\boxed{@}$. I hope it is correct.",
    "final answer plain hoped": "The final answer is $@$. I hope it is correct.",
    "display said": "Therefore, the answer is:\n$$@$$",
    "answer on next line": "Answer:\n\n@",
    "answer bold colon": "**Answer**: $@$",
    "answer heading": "### Answer: @",
    "ans": "Ans: @",
    "result": "Result: @",
    "solution equals": "Solution: x = @",
    "correct answer": "So the correct answer is \\boxed{@}.",
    "chain box": "Hence $1 + 2 + k = \\boxed{@}$",
    "named box": "\\[ x = \\boxed{@} \\]",
    "therefore sign": "$\\therefore \\boxed{@}$",
    "square behind": "\\boxed{@} $\\square$",
    "check mark": "\\boxed{@} ✓",
    "czech": "Odpověď: $@$",
    "swedish": "Svar: $@$",
    "finnish": "Vastaus: $@$",
    "greek": "Απάντηση: $@$",
    "indonesian": "Jawaban: $@$",
    "thai": "คำตอบ: $@$",
    "hebrew": "תשובה: $@$",
    "ukrainian": "Відповідь: $@$",
    "list number before": "1. Add both.\n2. Divide.\n3. The answer is @.",
    "units sentence": "Each of them gets @ apples.",
    "exclamation": "The answer is @!",
    "tick box": "- [x] Answer: $@$",
    "colon dollars": "We find: $@$.",
    "quoted": 'The answer is "@".',
    "backticks": "The answer is `@`.",
    "underlined": "The answer is __@__.",
    "html bold": "The answer is <b>@</b>.",
    "maths tag": "The answer is <math>@</math>.",
}
_BOXED = {
    "single set": "\\{@\\}", "words before": "\\text{The answer is } @", "apples": "n = @ \\text{ apples}",
    "people": "@\\text{ people}", "phantom": "@\\phantom{0}", "hspace": "\\hspace{1mm}@", "large": "\\large @",
    "bigg": "\\Large{@}", "emph": "\\emph{@}", "underline": "\\underline{@}", "tfrac one": "\\tfrac{@}{1}",
    "double minus": "-(-@)", "zeros before": "0@", "cdot one": "1 \\cdot @", "approx words": "\\text{approximately } @",
    "exactly": "\\text{exactly } @", "equals sign before": "= @", "quad before": "\\quad @", "colon words": "\\text{Total: } @",
    "mbox": "\\mbox{@}", "operator name": "\\operatorname{@}", "mathsf": "\\mathsf{@}", "dollar inside": "\\$@",
}  # fmt: skip

KEEPING_VARIANTS: Table = {
    "int": {
        **{f"says {name}": make for name, make in _kinds(_SAID, whole=True).items()},
        **{f"box {name}": make for name, make in _kinds({k: v for k, v in _BOXED.items() if k != "dollar inside"}).items()},
        "expanded product": _pair("(x-@)(x+1)", "x^2 - ~x - @"),
        "factor before": _pair(r"\frac{x}{@}", r"\frac{1}{@}x"),
        "exp": _pair("e^{@x}", r"\exp(@x)"),
        "log of product": _pair(r"\ln(@x)", r"\ln @ + \ln x"),
        "square of sine": _pair(r"@\sin^2 x", r"@(\sin x)^2"),
        "double angle": _pair(r"@\sin 2x", r"2 \cdot @ \sin x \cos x"),
        "arctan": _pair(r"\tan^{-1}(@x)", r"\arctan(@x)"),
        "log by ln": _pair(r"\log_2(@)", r"\frac{\ln @}{\ln 2}"),
        "factorial": _pair("@!", r"@ \cdot (~)!", high=20),
        "absolute interval": _pair(r"(~, #)", r"|x - @| < 1"),
        "half open": _pair("(0, @]", r"0 < x \le @"),
        "dots": _pair(r"\{0, 1, \ldots, @\}", r"\{0, 1, \dots, @\}"),
        "point slope": _pair("y = 2x + ~", "y - # = 2(x - 1)"),
        "circle": _pair("x^2+y^2=@^2", "x^2 + y^2 - @^2 = 0"),
        "vector brackets": _pair(r"(1, @)", r"\langle 1, @ \rangle"),
        "vector named": _pair(r"(1, @)", r"\vec{v} = (1, @)"),
        "column vector": _pair(r"\begin{pmatrix}1\\@\end{pmatrix}", r"\begin{bmatrix} 1 \\ @ \end{bmatrix}"),
        "clock": _pair(r"@\text{ p.m.}", r"@ \text{ PM}", high=12),
        "no solution": _pair(r"\text{no solution}", r"\text{No solution}"),
        "no solutions": _pair(r"\text{no solution}", r"\emptyset"),
        "all reals": _pair(r"\mathbb{R}", r"\text{all real numbers}"),
        "all reals interval": _pair(r"\text{all real numbers}", r"(-\infty, \infty)"),
        "k pi": _pair(r"@k\pi", r"@\pi k"),
        "integer parameter": _pair(r"x = \frac{\pi}{@} + k\pi", r"x = \frac{\pi}{@} + k\pi, \; k \in \mathbb{Z}"),
        "kilograms": _pair(r"@\text{ kg}", r"@000\text{ g}"),
        "litres": _pair(r"@\text{ L}", r"@000\text{ mL}"),
        "dollars usd": _pair(r"\$@", r"@ \text{ USD}"),
        "dollars zeros": _pair(r"\$@", r"\$@.00"),
        "kilohms": _pair(r"@\text{ k}\Omega", r"@ \text{ kΩ}"),
        "newton metres": _pair(r"@\text{ N m}", r"@\ \mathrm{N \cdot m}"),
        "density": _pair(r"@\text{ g/cm}^3", r"@\ \mathrm{g/cm^3}"),
        "speed as power": _pair(r"@\text{ m/s}", r"@\ \mathrm{m\,s^{-1}}"),
        "plus minus spelled": _pair(r"2 \pm \sqrt{@}", r"2 + \sqrt{@}, 2 - \sqrt{@}"),
        "or values": _pair(r"x = @ \text{ or } x = #", r"@, #"),
        "values and": _pair("@, #", r"x = @ \text{ and } x = #"),
        "conjunction": _pair("~ < x < #", r"x > ~ \text{ and } x < #"),
        "complex order": _pair("@ + 2i", "2i + @"),
        "negative power": _pair(r"\frac{1}{x^{@}}", "x^{-@}"),
        "root as power": _pair(r"\sqrt[3]{x^2} + @", "x^{2/3} + @"),
        "million": _pair("@000000", r"@ \text{ million}"),
        "sum sign": _pair(r"\sum_{k=1}^{@} k", r"\sum_{i=1}^{@} i"),
        "mod": _pair(r"x \equiv @ \pmod{101}", r"x \equiv @ \mod 101"),
        "union of points": _pair(r"\{@, #\}", r"\{@\} \cup \{#\}"),
        "degrees minutes": _pair(r"@^\circ", r"@ \text{ deg}"),
    }
}  # fmt: skip

_NOT_SAID = {
    "final answer other": "The sum @ is even. Final Answer: The final answer is $\\boxed{#}$. I hope it is correct.",
    "unclosed and more": "The answer is \\boxed{@ and we are done because it holds.",
    "verify cut": "Let's verify: if x = @ then 2x =",
    "reconsidered": "\\boxed{@}. Hmm, let me reconsider. Actually the answer should be #.",
    "answer or": "Answer: @ or #",
    "plus one": "The answer is @ + 1.",
    "times two": "The answer is @ times 2.",
    "more than another": "The answer is @ more than #.",
    "twice": "The answer is twice @.",
    "half of": "The answer is half of @.",
    "root of": "The answer is the square root of @.",
    "squared word": "The answer is @ squared.",
    "thousand word": "The answer is @ thousand.",
    "dozen word": "The answer is @ dozen.",
    "negative word": "The answer is negative @.",
    "between words": "The answer lies between @ and #.",
    "one less": "The answer is one less than @.",
    "not equal": "The answer is not equal to @.",
    "any but": "The answer is anything but @.",
    "no longer": "The answer is no longer @.",
    "far from": "The answer is far from @.",
    "would be if": "The answer would be @ if the dice were fair, but they are not.",
    "contradiction": "If the answer is @, we get a contradiction.",
    "neither": "The answer is neither @ nor #.",
    "instead of": "The answer is # instead of @.",
    "rather than": "The answer is # rather than @.",
    "crossed": "~~The answer is @.~~ The answer is #.",
    "update": "The answer is @. EDIT: The answer is #.",
    "student says": "A student claims the answer is @. The student is wrong.",
    "some say": "Some might say that the answer is @, but they forget a case.",
    "cannot say": "I can't say that the answer is @.",
    "box then wrong": "\\boxed{@}\n\nThe answer above is wrong.",
    "box then doubt": "\\boxed{@} is probably not right.",
    "box then mistake": "\\boxed{@}\n\nOops, I made a mistake in step 2.",
    "box crossed": "\\boxed{\\cancel{@}}",
    "struck box": "\\boxed{\\not{@}}",
    "question then": "Could the answer be \\boxed{@}?",
    "two finals": "The final answer is @. The final answer is #.",
    "heading only": "## @",
    "cut dollars": "The final answer is $@ \\cdot",
    "cut word": "The final answer is @ multiplied by",
    "cut minus": "The answer is @ -",
    "cut comma": "The solutions are @,",
    "cut and": "The answer is @ and",
    "cut fraction": "The answer is \\boxed{\\frac{@}{",
    "spanish not": "La respuesta no es $@$.",
    "italian not": "La risposta non è $@$.",
    "portuguese not": "A resposta não é $@$.",
    "japanese not": "答えは@ではありません。",
    "korean other": "처음에는 @이지만 정답은 #입니다.",
    "russian or": "Ответ: $@$ или $#$",
    "french or": "La réponse est $@$ ou $#$.",
    "italian or": "La risposta è $@$ o $#$.",
}
_NOT_BOXED = {
    "squared": "@ \\text{ squared}", "half of": "\\text{half of } @", "twice": "\\text{twice } @", "dozen": "@ \\text{ dozen}",
    "times": "@ \\text{ times } 2", "negative": "\\text{negative } @", "minus": "\\text{minus } @", "and": "@ \\text{ and } #",
    "to": "@ \\text{ to } #", "between": "\\text{between } @ \\text{ and } #", "up to": "\\text{up to } @", "remainder": "@ \\text{ remainder } 1",
    "mod": "@ \\bmod 2", "R": "@ R 1", "inverse": "@^{-1}", "transposed": "@^T", "overline": "\\overline{@}x", "prime": "@'",
    "order": "O(@)", "ceiling": "\\lceil @.5 \\rceil", "floor": "\\lfloor ~.5 \\rfloor", "negated": "-(@)", "twice over": "@\\,@", "ratio to itself": "@:@",
    "by itself": "@/@", "as decimals": "@.@", "difference": "@-#", "joined": "@#", "equal to another": "@ = #", "another equal": "# = @",
    "unequal": "@ \\ne @", "below": "@ < #", "chain": "x < @ < y", "complement": "\\{@\\}^c", "ring": "\\mathbb{Z}_{@}", "term": "a_{@} = 3",
    "inverse function": "f^{-1}(@)", "empty": "\\emptyset", "undefined": "\\text{undefined}", "tuple": "(@,)x", "percentage points": "@ \\text{ percentage points}",
    "double factorial": "@!!", "choose": "\\binom{@}{1} + 1", "log": "\\ln @", "conjugate": "@ - i", "nothing": "", "star": "@^*x", "at most words": "\\text{at most } @",
    "roman": "\\text{XL}V", "if": "@ \\text{ if } x > 0", "otherwise": "@ \\text{ or undefined}", "hex": "0x@A",
    "cases": "\\begin{cases} @ & x > 0 \\\\ # & x \\le 0 \\end{cases}", "cents": "@ \\text{ cents } and \\text{ a half}",
}  # fmt: skip

CHANGING_VARIANTS: Table = {
    "int": {
        **{f"says {name}": make for name, make in _kinds(_NOT_SAID, whole=True).items()},
        **{f"box {name}": make for name, make in _kinds(_NOT_BOXED).items()},
        "kilograms milligrams": _pair(r"@\text{ kg}", r"@\text{ mg}"),
        "litres millilitres": _pair(r"@\text{ L}", r"@\text{ mL}"),
        "m/s km/h": _pair(r"@\text{ m/s}", r"@\text{ km/h}"),
        "joule kilojoule": _pair(r"@\text{ J}", r"@\text{ kJ}"),
        "celsius kelvin": _pair(r"@^\circ\text{C}", r"@\text{ K}"),
        "ohm kilohm": _pair(r"@\ \Omega", r"@\text{ kΩ}"),
        "area volume": _pair(r"@\text{ cm}^2", r"@\text{ cm}^3"),
        "force torque": _pair(r"@\text{ N}", r"@\text{ N m}"),
        "hertz kilohertz": _pair(r"@\text{ Hz}", r"@\text{ kHz}"),
        "years days": _pair(r"@\text{ years}", r"@\text{ days}"),
        "arcs": _pair(r"@\arcsin x", r"@\arccos x"),
        "hyperbolic": _pair(r"@\sinh x", r"@\sin x"),
        "logs": _pair(r"@\log_{10} x", r"@\ln x"),
        "indices": _pair("@x_1", "@x_2"),
        "greek": _pair(r"@\alpha", r"@\beta"),
        "power of product": _pair("a^{@c}", "a^{@}c"),
        "root of sum": _pair(r"\sqrt{x}+@", r"\sqrt{x+@}"),
        "fraction of sum": _pair(r"\frac{1}{x}+@", r"\frac{1}{x+@}"),
        "square of sum": _pair("(x+@)^2", "x^2+@^2"),
        "case of letter": _pair("@x + y", "@X + y"),
        "sum start": _pair(r"\sum_{k=0}^{@} a_k", r"\sum_{k=1}^{@} a_k"),
        "product for sum": _pair(r"\prod_{k=1}^{n} (k+@)", r"\sum_{k=1}^{n} (k+@)"),
        "binomial index": _pair(r"\binom{n}{@}", r"\binom{n}{#}"),
        "order of a derivative at a point": _pair("f''(@)", "f'(@)"),
        "derivative at a point lost": _pair("f'(@)", "f(@)"),
        "derivative point": _pair("f'(@)", "f'(#)"),
        "partial": _pair(r"\frac{\partial f}{\partial x} = @", r"\frac{\partial f}{\partial y} = @"),
        "third derivative": _pair("y'''-@y=0", "y''-@y=0"),
        "second derivative factor": _pair(r"\frac{d^2y}{dx^2}+@y=0", r"\frac{d^2y}{dx^2}+#y=0"),
        "mixed derivative": _pair(r"\frac{dy}{dx}+@y=x", r"\frac{dy}{dx}+@y=x^2"),
        "double integral": _pair(r"\iint_D @ f\,dA", r"\int_D @ f\,dA"),
        "variable of integration": _pair(r"\int_0^{@} f(t)\,dt", r"\int_0^{#} f(t)\,dt"),
        "transposed": _pair("@A^T", "@A"),
        "cross for dot": _pair(r"@\vec{a} \times \vec{b}", r"@\vec{a} \cdot \vec{b}"),
        "norm": _pair(r"@\|v\|", r"@v"),
        "min for max": _pair(r"\max(@, x)", r"\min(@, x)"),
        "set difference": _pair(r"\mathbb{R} \setminus \{@\}", r"\mathbb{R} \setminus \{#\}"),
        "set difference lost": _pair(r"\mathbb{R} \setminus \{@\}", r"\mathbb{R}"),
        "naturals": _pair(r"\{n \in \mathbb{N} : n > @\}", r"\{n \in \mathbb{N} : n \ge @\}"),
        "open ends": _pair("[~, @)", "(~, @]"),
        "tuple order": _pair("(@, #, ~)", "(#, @, ~)"),
        "ratio of three": _pair("@:#:~", "#:@:~"),
        "clock minutes": _pair("@:15", "@:45", high=12),
        "line sign": _pair("y = @x - 1", "y = @x + 1"),
        "plane": _pair("@x + 2y - z = 4", "@x + 2y + z = 4"),
        "circle radius": _pair("x^2 + y^2 = @", "x^2 + y^2 = #"),
        "circle centre": _pair("(x-1)^2+(y-@)^2=4", "(x-1)^2+(y+@)^2=4"),
        "inequality turned": _pair("x < @", "x > @"),
        "inequality closed": _pair("x < @", r"x \le @"),
        "constant sign": _pair(r"Ce^{@x}", r"Ce^{-@x}"),
        "two constants": _pair(r"C_1 e^{@x} + C_2", r"C_1 e^{@x}"),
        "parameter": _pair(r"\frac{\pi}{@} + k\pi", r"\frac{\pi}{@}"),
    }
}  # fmt: skip
