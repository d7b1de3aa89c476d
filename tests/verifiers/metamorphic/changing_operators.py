"""Other equations, operators and statements than the reference: one mark of them is changed."""

# ruff: noqa: E501  (a kind reads best on one line)

from __future__ import annotations

import random

from tests.verifiers.metamorphic.kinds import Maker, Table
from tests.verifiers.metamorphic.references import Reference
from tests.verifiers.metamorphic.shared import case
from verifiers.base import Case

__all__ = ["CHANGING_OPERATORS"]


def _fill(gold: str, answer: str) -> Maker:
    """`@` is a number of the reference, `#` one more."""

    def make(ref: Reference, source: random.Random) -> Case | None:
        k = int(ref.text)
        if not 2 <= k <= 99:
            return None
        put = lambda text: text.replace("@", str(k)).replace("#", str(k + 1))  # noqa: E731
        return case(put(gold), put(answer))

    return make


CHANGING_OPERATORS: Table = {
    "int": {
        "derivative factor": _fill(r"\frac{dy}{dx}=@y", r"\frac{dy}{dx}=#y"),
        "derivative lost": _fill(r"\frac{dy}{dx}=@y", "y=0"),
        "derivative order": _fill(r"\frac{dy}{dx}=@y", r"\frac{d^2y}{dx^2}=@y"),
        "derivative variable": _fill(r"\frac{dy}{dx}=@y", r"\frac{dy}{dt}=@y"),
        "derivative turned": _fill(r"\frac{dy}{dx}=@", r"\frac{dx}{dy}=@"),
        "derivative sign": _fill(r"\frac{dy}{dx}=@y", r"\frac{dy}{dx}=-@y"),
        "prime factor": _fill("y''+@y=0", "y''+#y=0"),
        "prime count": _fill("y''+@y=0", "y'+@y=0"),
        "primes lost": _fill("y''+@y=0", "y=0"),
        "prime powers": _fill("y'=@y^2", "y'=@y^3"),
        "partial variable": _fill(r"\frac{\partial u}{\partial t}=@u", r"\frac{\partial u}{\partial x}=@u"),
        "partial factor": _fill(r"\frac{\partial u}{\partial t}=@\frac{\partial^2 u}{\partial x^2}", r"\frac{\partial u}{\partial t}=#\frac{\partial^2 u}{\partial x^2}"),
        "differential form": _fill("@x\\,dx + y\\,dy = 0", "#x\\,dx + y\\,dy = 0"),
        "dot derivative": _fill(r"\dot{x} = @x", r"\dot{x} = #x"),
        "integral bound": _fill(r"\int_0^{@} f(x)\,dx", r"\int_0^{#} f(x)\,dx"),
        "integral lower": _fill(r"\int_{@}^{200} f(x)\,dx", r"\int_{#}^{200} f(x)\,dx"),
        "integrand": _fill(r"\int_0^{@} f(x)\,dx", r"\int_0^{@} g(x)\,dx"),
        "sum bound": _fill(r"\sum_{k=1}^{n} k^{@}", r"\sum_{k=2}^{n} k^{@}"),
        "sum term": _fill(r"\sum_{k=1}^{\infty} \frac{x^k}{@^k}", r"\sum_{k=1}^{\infty} \frac{x^k}{#^k}"),
        "limit place": _fill(r"\lim_{x\to @} f(x)", r"\lim_{x\to #} f(x)"),
        "function argument": _fill("f(@)", "f(#)"),
        "function shift": _fill("f(x+@)", "f(x-@)"),
        "function factor": _fill("f(@x)", "@f(x)"),
        "gradient": _fill(r"\nabla f = @", r"\nabla g = @"),
        "congruence": _fill(r"x \equiv @ \pmod{101}", r"x \equiv @ \pmod{103}"),
        "congruence rest": _fill(r"x \equiv @ \pmod{101}", r"x \equiv # \pmod{101}"),
        "period": _fill(r"\frac{\pi}{@} + k\pi", r"\frac{\pi}{@} + 2k\pi"),
        "power of minus one": _fill("(-1)^n @", "-1^n @"),
        "root of square": _fill(r"@\sqrt{x^2}", "@x"),
        "trigonometry": _fill(r"@\sin x", r"@\cos x"),
        "trigonometry argument": _fill(r"\sin(@x)", r"@\sin(x)"),
        "inverse for reciprocal": _fill(r"@\sin^{-1} x", r"\frac{@}{\sin x}"),
        "log of product": _fill(r"\ln(@x)", r"@\ln x"),
        "exponent sign": _fill(r"e^{@x}", r"e^{-@x}"),
        "exponent factor": _fill(r"C e^{@x}", r"C e^{#x}"),
        "complex exponent": _fill(r"e^{@ix}", r"e^{@x}"),
        "index letter": _fill("a_n = @", "b_n = @"),
        "index in formula": _fill("@a_{n-1}", "@a_{n+1}"),
        "excluded value other": _fill(r"x+@, x \ne 1", r"x+@, x \ne 2"),
        "floor for ceiling": _fill(r"\lfloor @x \rfloor", r"\lceil @x \rceil"),
        "vector": _fill(r"@\vec{i} + 3\vec{j}", r"@\vec{i} - 3\vec{j}"),
        "accepted list other": _fill('["@", "@.0"]', "#"),
        "logic": _fill(r"x = @ \text{ and } y = 1", r"x = @ \text{ and } y = 2"),
        "logic or": _fill(r"x < @ \text{ or } x > 200", r"x < @ \text{ and } x > 200"),
        "yes for no": lambda r, s: case("No", f"Yes, since {r.text} divides it.", whole=True, prompt="Is it prime?"),
        "no for yes": lambda r, s: case("Yes", f"No, since {r.text} divides it.", whole=True, prompt="Is it prime?"),
        "true for false": lambda r, s: case("False", "The statement is true.", whole=True, prompt="True or false?"),
        "both yes and no": lambda r, s: case("Yes", "Yes and no.", whole=True, prompt="Is it prime?"),
        "reference of two": _fill("There are $\\boxed{@}$ cats and $\\boxed{#}$ dogs.", "#"),
        "reference with zero comma": _fill("0,1@", "1@"),
        "reference of choices": _fill("@ or #, depending on n", "#"),
    },
}  # fmt: skip
