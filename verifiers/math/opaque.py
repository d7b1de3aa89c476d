r"""Derivatives, unknown functions and other operators as symbols of their own.

Read as algebra, `\frac{dy}{dx}` is a quotient of products, or a derivative of a free symbol, which is 0.
Each operator with its operand becomes one symbol, named by a checksum of what it says.
"""

from __future__ import annotations

import re
import zlib

__all__ = ["opaque", "opaque_pair", "unevaluated"]

_ROMAN_D = re.compile(r"\\(?:mathrm|text|operatorname)\s*\{\s*d\s*\}|\\(?:mathrm|rm)\s+d(?=[a-zA-Z])")
_D = r"(?:d|\\partial(?![a-zA-Z]))\s*"
_POWER = r"(?:\^\s*\{?\s*(\d)\s*\}?)?\s*"
_QUOTIENT = re.compile(
    rf"\\frac\s*\{{\s*{_D}{_POWER}((?:\\?[a-zA-Z]+(?:_\{{?\w+\}}?)?(?:\([a-z](?:,[a-z])*\))?)?)\s*\}}\s*"
    rf"\{{((?:\s*{_D}\\?[a-zA-Z](?:\^\s*\{{?\s*\d\s*\}}?)?)+)\s*\}}"
)
_SLASHED = re.compile(
    r"(?<![a-zA-Z\\])d(?:\^\{?(\d)\}?)?\s*([a-zA-Z])\s*/\s*(d[a-zA-Z](?:\^\{?\d\}?)?)(?![a-zA-Z])"
)
_PRIME_MARKS = re.compile(r"\^\s*\{((?:\s*\\prime)+)\s*\}|\^\s*((?:\\prime(?![a-zA-Z])\s*)+)")
_PRIMED = re.compile(r"(\\?[a-zA-Z]+(?:_\{?\w+\}?)?)\s*('+)(\(\s*[a-z]\s*\))?")
_PRIMED_GROUP = re.compile(r"\)\s*('+)")
_DOTTED = re.compile(r"\\(d{0,3})dot\s*\{?\s*([a-zA-Z])\s*\}?")
_NABLA = re.compile(
    r"\\nabla(?![a-zA-Z])\s*(?:\\(?:cdot|times)(?![a-zA-Z])\s*)?(?:\^\s*\{?2\}?\s*)?(?:\\vec\s*\{?)?\s*(?:\\[a-z]+|[a-zA-Z])\}?"
)
_APPLIED = re.compile(r"(?<![a-zA-Z\\])([fghuvFGHP])(\s*\^\s*\{\s*-\s*1\s*\})?\(([^()]*)\)")
_DIFFERENTIAL = re.compile(r"(?<![a-zA-Z\\])d\s?([xyztuvrs])(?![a-zA-Z])")
_INTEGRAL = re.compile(r"\\i*int(?![a-zA-Z]).*?(?<![a-zA-Z\\])d\s?\\?[a-z]+")
_LIMIT = re.compile(r"\\lim\s*_\s*\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
_NAMED = r"\Theta"
_MACRO = r"\\Theta_\{\d+\}"


def opaque_pair(gold: str, pred: str) -> tuple[str, str]:
    """Both answers with their operators made opaque; y' is dy/dx where one side names no variable."""
    gold, pred = _spelled(gold), _spelled(pred)
    kinds = [
        (bool(_PRIMED.search(one)), bool(_QUOTIENT.search(one) or _SLASHED.search(one)))
        for one in (gold, pred)
    ]
    bare = {kinds[0], kinds[1]} == {(True, False), (False, True)}
    return opaque(gold, bare=bare), opaque(pred, bare=bare)


def _spelled(latex: str) -> str:
    latex = _ROMAN_D.sub("d", latex)
    return _PRIME_MARKS.sub(lambda marks: "'" * marks[0].count("prime"), latex)


def opaque(latex: str, *, bare: bool = False) -> str:
    """The text with each operator as a symbol; `bare` leaves the variable of a derivative out of it."""
    if not _HAS.search(latex):
        return latex
    if _VECTOR.search(latex):
        latex = _CROSS.sub(lambda _: _symbol("cross product"), latex)
    latex = _quotients(latex, bare=bare)
    latex = _DOTTED.sub(lambda one: _symbol(f"dot {len(one[1])} {one[2]}"), latex)
    latex = _PRIMED.sub(
        lambda one: _symbol(_key(one[1], len(one[2]), "", bare=True)) if one[1] != "\\" else one[0], latex
    )
    latex = _primed_groups(latex)
    latex = _NABLA.sub(lambda one: _symbol(_dense(one[0])), latex)
    latex = _applied(latex)
    integrals = _INTEGRAL.search(latex)
    if integrals and re.search(_MACRO, integrals[0]):
        latex = _INTEGRAL.sub(lambda one: _symbol(_dense(one[0])), latex)
    if re.search(_MACRO, latex):
        latex = _LIMIT.sub(lambda one: _symbol(_dense(one[0])), latex)
    if "=" in latex and len(set(_DIFFERENTIAL.findall(latex))) > 1 and not integrals:
        latex = _DIFFERENTIAL.sub(lambda one: _symbol(f"differential {one[1]}"), latex)
    return latex


_VECTOR = re.compile(r"\\(?:vec|overrightarrow|mathbf|boldsymbol)(?![a-zA-Z])")
_CROSS = re.compile(r"\\times(?![a-zA-Z])")
_HAS = re.compile(
    r"'|\\times|\\prime|\\d+ot(?![a-z])|\\nabla|\\partial|d[a-zA-Z\s\\^{]|[fghuvFGHP]\s*(?:\^\s*\{\s*-\s*1\s*\})?\("
)


def _quotients(latex: str, *, bare: bool) -> str:
    def quotient(one: re.Match[str]) -> str:
        order, function, below = int(one[1] or 1), one[2], _dense(one[3]).replace("\\partial", "d")
        partial = "partial " if "partial" in one[0] else ""
        if function:
            return _symbol(partial + _key(function, order, below, bare=bare))
        return f"{_OPERATOR}{order} {partial}{below}{_OPERATOR}"

    latex = _QUOTIENT.sub(quotient, latex)
    latex = _SLASHED.sub(
        lambda one: _symbol(_key(one[2], int(one[1] or 1), _dense(one[3]), bare=bare)), latex
    )
    while (start := latex.find(_OPERATOR)) >= 0:
        # d/dx of what follows: of a bracket, else of all that is left of the term
        end = latex.index(_OPERATOR, start + 1)
        rest = latex[end + 1 :]
        operand = _group(rest) or re.match(r"[^=<>,]*", rest)[0]  # type: ignore[index]
        said = f"operator {latex[start + 1 : end]} {_dense(operand)}"
        latex = latex[:start] + _symbol(said) + rest[len(operand) :]
    return latex


_OPERATOR = "\x01"


def _group(text: str) -> str:
    """The bracket that opens a text, with all it holds; empty where none does."""
    stripped = text.lstrip()
    if not stripped or stripped[0] not in "([":
        return ""
    depth = 0
    for place, symbol in enumerate(text):
        depth += (symbol in "([") - (symbol in ")]")
        if depth == 0 and not symbol.isspace():
            return text[: place + 1]
    return ""


def _primed_groups(latex: str) -> str:
    while (found := _PRIMED_GROUP.search(latex)) is not None:
        depth, start = 0, found.start()
        for place in range(found.start(), -1, -1):
            depth += (latex[place] == ")") - (latex[place] == "(")
            if depth == 0:
                start = place
                break
        said = _symbol(f"prime {_dense(latex[start : found.end()])}")
        latex = latex[:start] + said + latex[found.end() :]
    return latex


def _applied(latex: str) -> str:
    for _ in range(4):  # f(g(x)) from the inside out
        shorter = _APPLIED.sub(lambda one: _symbol(_dense(one[0])), latex)
        if shorter == latex:
            break
        latex = shorter
    return latex


def _key(function: str, order: int, below: str, *, bare: bool) -> str:
    variable = "" if bare else re.sub(r"[\^{}\d]", "", below)
    return f"derivative {order} {re.sub(r'[(].*', '', function)} {variable}"


def _dense(text: str) -> str:
    return re.sub(r"(?<=[_^])\{(\w)\}", r"\1", re.sub(r"\s|\\[,;!]", "", text))


def _symbol(said: str) -> str:
    return f" {_NAMED}_{{{zlib.crc32(said.encode())}}} "


_UNEVALUATED = re.compile(r"\\i*int(?![a-zA-Z])(?!\s*_)|\\frac\s*\{\s*d\s*\}\s*\{\s*d\s*[a-z]\s*\}")


def unevaluated(gold: str, pred: str) -> bool:
    """Whether only the answer still holds an indefinite integral or a derivative to be computed."""
    return bool(_UNEVALUATED.search(pred)) and not _UNEVALUATED.search(gold)
