"""The grader of numbers, within tolerances."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Literal, NamedTuple

from pydantic import Field

from verifiers.graders.base import AnswerPart, Finding, Grader, UnusableReference

__all__ = ["Numeric", "Quantity", "quantity_of"]

MAX_EXPONENT = 1_000
"""Powers of ten beyond this are no measured quantity, and dear to write out."""
_GROUPED = r"\d{1,3}(?:(?:,|\\,|\{,\}|[\u00a0\u2009\u202f'])\d{3})+(?:\.\d+)?"
_DECIMAL = r"\d{1,400}(?:\.\d{0,400})?|\.\d{1,400}"
_POWER = r"(?:[eE]|\s?(?:\\times|\\cdot|[×·*x])\s?10(?:\^|\*\*))\{?([+-]?\d{1,5})\}?"
_NUMBER = re.compile(rf"([+-]?)\s?[$€£]?({_GROUPED}|{_DECIMAL})(?:{_POWER}|\s?/\s?(\d{{1,400}}))?")
_MINUS = str.maketrans({"−": "-", "–": "-", "－": "-", "＋": "+"})
_LEAD = re.compile(r"(?i)^(?:[a-z]\w{0,20}|the (?:final )?answer)?\s*(?:=|:|≈|\\approx|\bis\b|~)\s*")
_UNIT = re.compile(
    r"\s*%\s*|(?:\s+|°\s?)[^\W\d_]{1,30}(?:\^?-?\d|[²³])?"
    r"(?:(?:\s?[/·*]\s?|\s+|-)[^\W\d_]{1,30}(?:\^?-?\d|[²³])?){0,5}\s*"
)
"""What may stand behind a number without changing it: percent, or words that a blank parts from it. Letters
that touch the number, as in 5x, are factors."""
_SCALE = re.compile(
    r"(?i)\b(?:hundred|thousand|million|billion|trillion|lakh|crore|dozen|times|plus|minus|over|or|and|to|not|pi"
    r"|factorial|squared|cubed|half|if|unless|modulo|mod)s?\b"
)
_DECORATION = re.compile(r"[*_`$]|\\(?:boxed|text|mathrm|,|;| )|[{}]")


class Quantity(NamedTuple):
    """A number as it was written, and what stands behind it."""

    value: Fraction
    unit: str
    """Without blanks; empty where nothing stands behind the number."""


class Numeric(Grader):
    """Passes a number that is as near the reference as the tolerances say; by default it must be the same.

    Near: |answer - reference| <= max(abs_tol, rel_tol x |reference|), compared without rounding. What stands
    behind the reference's number (km, %) may be left out of an answer, but nothing else may take its place.
    """

    type: Literal["numeric"] = "numeric"
    answer: AnswerPart = "final"
    """What is graded; a text with other numbers beside the answer has none, whatever part it is."""
    abs_tol: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Largest difference, in units of the reference."""
    rel_tol: float = Field(default=0.0, ge=0, lt=1)
    """Largest difference as a part of the reference."""

    def compared(self, answer: str, reference: str, *, prompt: str) -> Finding:
        """1 where the number is near enough."""
        wanted = quantity_of(reference)
        if wanted is None:
            raise UnusableReference(f"the reference is no number: {reference[:60]!r}")
        said = quantity_of(answer)
        if said is None:
            return Finding(0.0, f"no single number in {answer[:60]!r}")
        if wanted.unit and said.unit and said.unit != wanted.unit:
            return Finding(0.0, f"unit {said.unit[:20]!r}, wanted {wanted.unit[:20]!r}")
        if "%" in said.unit and not wanted.unit:
            return Finding(0.0, "percent where the reference has none")
        room = max(_exactly(self.abs_tol), _exactly(self.rel_tol) * abs(wanted.value))
        near = abs(said.value - wanted.value) <= room
        return Finding(float(near), f"{_shown(said)} against {_shown(wanted)}, within {float(room):g}")


def quantity_of(text: str) -> Quantity | None:
    """The one number of a text with what stands behind it; null when there is none, or another one."""
    plain = _DECORATION.sub(" ", text.translate(_MINUS)).strip().rstrip(".")
    found = _NUMBER.match(plain)
    if found is None:
        plain = _LEAD.sub("", plain, count=1)
        found = _NUMBER.match(plain)
    if found is None:
        return None
    rest = plain[found.end() :]
    value = _value(found)
    if value is None or (rest.strip() and not _UNIT.fullmatch(rest)) or _SCALE.search(rest):
        return None
    return Quantity(value, re.sub(r"\s+", "", rest))


def _value(found: re.Match[str]) -> Fraction | None:
    sign, digits, power, below = found.groups()
    value = Fraction(re.sub(r"[^\d.]", "", digits).strip("."))
    if power is not None:
        if abs(int(power)) > MAX_EXPONENT:
            return None
        value *= Fraction(10) ** int(power)
    if below is not None:
        if not int(below):
            return None
        value /= int(below)
    return -value if sign == "-" else value


def _exactly(tolerance: float) -> Fraction:
    # 0.01 is meant as a hundredth and not as the double that is nearest to it.
    return Fraction(Decimal(repr(tolerance)))


def _shown(quantity: Quantity) -> str:
    try:
        number = f"{float(quantity.value):.10g}"
    except OverflowError:
        number = "a number beyond 1e308"
    return f"{number} {quantity.unit[:20]}".strip()
