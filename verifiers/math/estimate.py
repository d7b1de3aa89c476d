"""A quick look at the size of two formulas, which can only tell that they differ.

Small arithmetic in floating point, with a fixed odd value for every variable. Whatever it does not know,
and whatever lies close together, is left to the exact paths.
"""

from __future__ import annotations

import cmath
import re
import zlib
from collections.abc import Callable
from functools import lru_cache

__all__ = ["clearly_different", "is_arithmetic"]

MARGIN = 1e-4
"""Relative; far above rounding, and above the tolerance of any comparison."""
MAX_LENGTH = 200

_TOKEN = re.compile(
    r"\s*(?:(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+)|(\\[a-zA-Z]+)|([a-zA-Z](?:_(?:\{\w+\}|\w))?)|(.))"
)
_CONSTANTS: dict[str, complex] = {r"\pi": cmath.pi, "e": cmath.e, "i": 1j}
_GREEK = re.compile(
    r"\\(?:alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|rho|sigma|tau|phi"
    r"|varphi|chi|psi|omega)\Z"
)
_FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    r"\sin": cmath.sin, r"\cos": cmath.cos, r"\tan": cmath.tan, r"\ln": cmath.log, r"\exp": cmath.exp,
    r"\arctan": cmath.atan, r"\arcsin": cmath.asin, r"\arccos": cmath.acos,
}  # fmt: skip


_UNSURE = re.compile(
    r"\\(?:text|math|operator|mbox|begin|int|iint|oint|lim|equiv|pmod|mod|Re|Im|det)|[\"'|%!]"
)
_BOUND = re.compile(r"\\(?:sum|prod)\s*_\s*\{?\s*([a-zA-Z])()")
_GREEK_NAMES = re.compile(
    r"\\(?:var)?(alpha|beta|gamma|delta|epsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|rho|sigma|tau|phi|chi|psi|omega)"
    r"(?![a-zA-Z])"
)
_LETTER_RUN = re.compile(r"[a-zA-Z]{3}|(?:ln|lg|pi|tg|or|if)(?![a-zA-Z])")


class _Unknown(Exception):
    """Something in the text is not plain arithmetic."""


def clearly_different(gold: str, pred: str) -> bool:
    """True when both are plain arithmetic and far apart; false says nothing."""
    if _other_variables(gold, pred):
        return True
    first = _estimate(gold)
    second = None if first is None else _estimate(pred)
    if first is None or second is None:
        return False
    return abs(first - second) > MARGIN * max(abs(first), abs(second))


def is_arithmetic(latex: str) -> bool:
    """Whether a formula is read to its end as plain arithmetic."""
    return _estimate(latex) is not None


def _other_variables(gold: str, pred: str) -> bool:
    """Whether one formula holds a variable that the other does not: in an answer none cancels."""
    first, second = _variables(gold), _variables(pred)
    return first is not None and second is not None and first != second


@lru_cache(maxsize=16_384)
def _variables(latex: str) -> frozenset[str] | None:
    """Letters that stand for something, without bound ones; null when words make them hard to tell."""
    if _UNSURE.search(latex):
        return None
    bound = {letter for pair in _BOUND.findall(latex) for letter in pair if letter}
    greek = set(_GREEK_NAMES.findall(latex))
    letters = re.sub(r"\\[a-zA-Z]+", " ", latex)
    if _LETTER_RUN.search(letters):
        return None
    return frozenset((set(re.findall("[a-zA-Z]", letters)) | greek) - bound - {"e", "i", "d"})


@lru_cache(maxsize=16_384)
def _estimate(latex: str) -> complex | None:
    if len(latex) > MAX_LENGTH:
        return None
    reader = _Reader([match[0].strip() for match in _TOKEN.finditer(latex) if match[0].strip()])
    try:
        value = reader.sum()
        if reader.position != len(reader.tokens):
            return None
    except (_Unknown, ArithmeticError, ValueError, RecursionError):
        return None
    return value if cmath.isfinite(value) and abs(value) < 1e12 else None


class _Reader:
    """A recursive-descent reader of sums, products, powers, fractions and roots."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.position = 0

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.position += 1
        return token

    def expect(self, token: str) -> None:
        if self.take() != token:
            raise _Unknown

    def sum(self) -> complex:
        sign = -1.0 if self.peek() == "-" else 1.0
        if self.peek() in ("+", "-"):
            self.take()
        value = sign * self.product()
        while self.peek() in ("+", "-"):
            value = value + self.product() if self.take() == "+" else value - self.product()
        return value

    def product(self) -> complex:
        value = self.power()
        while True:
            token = self.peek()
            if token in (r"\cdot", r"\times", "*"):
                self.take()
                value *= self.power()
            elif token in ("/", r"\div"):
                self.take()
                value /= self.power()
                if self.starts_factor():
                    raise _Unknown  # 1/2x has two readings
            elif self.starts_factor():
                value *= self.power()
            else:
                return value

    def starts_factor(self) -> bool:
        token = self.peek()
        return bool(token) and (
            token[0].isalpha()
            or token == "("
            or token in (r"\frac", r"\sqrt", r"\pi")
            or token in _FUNCTIONS
            or bool(_GREEK.match(token))
        )

    def power(self) -> complex:
        value = self.atom()
        if self.peek() != "^":
            return value
        self.take()
        exponent = self.group()
        if self.peek() == "^" or abs(exponent) > 400 or self.peek() == "!":
            raise _Unknown
        return complex(value**exponent)

    def group(self) -> complex:
        if self.peek() != "{":
            token = self.take()
            if token.isdigit() and len(token) == 1:
                return complex(token)
            if token.isalpha():
                return _variable(token)
            raise _Unknown
        self.take()
        value = self.sum()
        self.expect("}")
        return value

    def atom(self) -> complex:
        token = self.take()
        if token[:1].isdigit() or token[:1] == ".":
            return complex(token.replace(",", ""))
        if token == "(":
            value = self.sum()
            self.expect(")")
            return value
        if token == r"\frac":
            return self.group() / self.group()
        if token == r"\sqrt":
            return self.root()
        if token in _FUNCTIONS:
            return self.call(token)
        if token[:1].isalpha() or token in _CONSTANTS or _GREEK.match(token):
            if self.peek() == "(" and token.isalpha() and token in "fghFGHPQ":
                raise _Unknown  # a function of its argument, not a product
            return _variable(token)
        raise _Unknown

    def root(self) -> complex:
        index = 2 + 0j
        if self.peek() == "[":
            self.take()
            index = self.sum()
            self.expect("]")
        return complex(self.group() ** (1 / index))

    def call(self, name: str) -> complex:
        exponent = 1 + 0j
        if self.peek() == "^":
            self.take()
            exponent = self.group()
            if exponent.real < 0:
                raise _Unknown  # an inverse function, not a reciprocal
        if self.peek() not in ("(", "{"):
            raise _Unknown  # where the argument ends is a matter of taste
        closing = ")" if self.take() == "(" else "}"
        value = self.sum()
        self.expect(closing)
        if self.peek() == "^":
            raise _Unknown
        return complex(_FUNCTIONS[name](value) ** exponent)


def _variable(name: str) -> complex:
    if name in _CONSTANTS:
        return _CONSTANTS[name]
    name = name.replace("{", "").replace("}", "")
    return complex(1.1 + (zlib.crc32(name.encode()) % 9_973) / 7_919)
