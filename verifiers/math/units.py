"""Units of measurement: what `12 \\text{ km}` carries beside its value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from verifiers.math.canonical import plain_words

__all__ = ["Unit", "read_unit", "same_tail", "same_unit"]


@dataclass(frozen=True, slots=True)
class Unit:
    """A known unit has a dimension and a factor to its base; an unknown one only its words."""

    dimension: str
    """Such as `length^2` or `length/time`; empty for words that no table knows."""
    factor: Fraction
    words: frozenset[str]


_ROWS = """
length 1 m meter meters metre metres
length 1/100 cm centimeter centimeters centimetre centimetres
length 1/1000 mm millimeter millimeters millimetre millimetres
length 1000 km kilometer kilometers kilometre kilometres
length 127/5000 in inch inches
length 381/1250 ft foot feet
length 1143/1250 yd yard yards
length 201168/125 mi mile miles
time 1 s sec secs second seconds
time 60 min mins minute minutes
time 3600 h hr hrs hour hours
time 86400 day days
time 604800 week weeks
mass 1 g gram grams
mass 1/1000 mg milligram milligrams
mass 1000 kg kilogram kilograms
mass 45359237/100000 lb lbs pound pounds
mass 45359237/1600000 oz ounce ounces
volume 1 l liter liters litre litres
volume 1/1000 ml milliliter milliliters millilitre millilitres
money 1 $ dollar dollars usd
money 1/100 ¢ cent cents
euro 1 € euro euros
pound_sterling 1 £
yuan 1 ¥ yuan rmb
rupee 1 ₹ rupee rupees
angle 1 deg degs degree degrees ^\\circ
angle 20626480624709635/360000000000000 rad radian radians
temperature 1 ^\\circc
temperature_f 1 ^\\circf
force 1 n newton newtons
energy 1 j joule joules
energy 1000 kj
power 1 w watt watts
voltage 1 v volt volts
current 1 a ampere amperes amp amps
kelvin 1 k kelvin
frequency 1 hz hertz
amount 1 mol mole moles
"""
"""Dimension, size in its base unit, names."""


def _table() -> dict[str, tuple[str, Fraction]]:
    table = {}
    for row in _ROWS.strip().splitlines():
        dimension, factor, *names = row.split()
        table.update(dict.fromkeys(names, (dimension, Fraction(factor))))
    return table


_UNITS = _table()
_COMPOUND = {"mph": "mi/h", "kph": "km/h", "kmh": "km/h", "mps": "m/s", "fps": "ft/s"}
_FILLER = frozenset(["unit", "units", "the", "of", "a", "an", "about", "total", "in", "per", "each"])
_NO_UNIT = re.compile(
    r"(?i)\b(?:or|and|not|more|less|fewer|greater|least|most|than|a\.?m|p\.?m|bc|ad|if|when|where|for)\b"
)
"""Words that change the value they follow."""
_TAIL = re.compile(r"[\s{}a-zA-Z°'.\-/^\d\\$€£¥₹¢]*\Z")
_PIECE = re.compile(
    r"(sq(?:uare)?\.?\s+|cubic\s+)?([a-z$€£¥₹¢]+|\^\\circ\s*[cf]?(?![a-z]))\.?\s*(?:\^?\s*\{?\s*(-?\d)\s*\}?)?"
)
_LETTERS = re.compile(r"[a-zA-Z]+")


@lru_cache(maxsize=16_384)
def read_unit(tail: str, *, currency: str | None = None) -> Unit | None:
    r"""Reads what follows a number; null when it is no unit but part of a formula, as the x of `5x`."""
    if len(tail) > 80 or not _TAIL.match(tail):
        return None
    spelled = plain_words(tail)
    in_text = spelled != tail.strip()
    set_off = in_text or tail[:1].isspace()
    spelled = spelled.replace("{", " ").replace("}", " ").replace("\\$", "$").strip(" .-")
    if not spelled:
        return _known(currency.lstrip("\\")) if currency else None
    if re.search(r"\\(?!circ)", spelled):
        return None
    names = _LETTERS.findall(spelled.replace("\\circ", ""))
    if any(len(name) == 1 for name in names) and not set_off:
        return None
    if _NO_UNIT.search(spelled):
        return None
    known = _known(spelled)
    if known is not None:
        return known if set_off or len(spelled) > 1 or not spelled.isalpha() else None
    words = frozenset(_stem(name) for name in names) - _FILLER
    # Letters that no table knows are a unit when they are set as text or are plainly words.
    if not in_text and not (set_off and names and all(len(name) > 2 for name in names)):
        return None
    if re.search(r"\d|[/^]", spelled):
        return None
    return Unit("", Fraction(1), words)


def _stem(word: str) -> str:
    word = word.lower()
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def _known(spelled: str) -> Unit | None:
    spelled = spelled.lower().strip()
    spelled = _COMPOUND.get(spelled, spelled)
    above, *below = re.split(r"\s*/\s*|\s+per\s+", spelled)
    parts = [_power(above), *(_power(part) for part in below)]
    known = [part for part in parts if part is not None]
    if len(known) != len(parts):
        return None
    dimension = "/".join(name for name, _ in known)
    factor = known[0][1]
    for _, divisor in known[1:]:
        factor /= divisor
    return Unit(dimension, factor, frozenset())


def _power(spelled: str) -> tuple[str, Fraction] | None:
    match = _PIECE.fullmatch(spelled.strip())
    if match is None:
        return None
    name = match[2].replace(" ", "")
    if name not in _UNITS:
        return None
    dimension, factor = _UNITS[name]
    power = int(match[3] or 1)
    if match[1]:
        power = 3 if match[1].startswith("cubic") else 2
    if dimension == "length" and power == 3:
        return "volume", factor**3 * 1000  # the base of volume is the litre
    return (dimension if power == 1 else f"{dimension}^{power}"), factor**power


def same_unit(gold: Unit | None, pred: Unit | None, *, prompt: str = "") -> Fraction | None:
    """The factor that takes pred's value into gold's unit; null when the two cannot be one answer."""
    if gold is None and pred is not None and pred.dimension:
        return None if _asks_for_another(pred, prompt) else Fraction(1)
    if (
        gold is None
        or pred is None
        or not (gold.dimension or gold.words)
        or not (pred.dimension or pred.words)
    ):
        return Fraction(1)
    if gold.dimension and pred.dimension:
        return pred.factor / gold.factor if gold.dimension == pred.dimension else None
    if gold.dimension or pred.dimension:
        return None
    return Fraction(1) if gold.words <= pred.words or pred.words <= gold.words else None


_TEXTS = re.compile(r"\\(?:text|mbox|textrm|textnormal|mathrm)\s*\{([^{}]*)\}")
_LAST_TEXT = re.compile(r"\s*\\(?:text|mbox|textrm|textnormal|mathrm)\s*\{[^{}]*\}[\s^{}\d]*\Z")


def same_tail(gold: str, pred: str, *, prompt: str = "") -> bool:
    r"""Whether the words in two formulas allow them to be equal.

    The symbolic check drops words, so `12 \text{ or more}` and `\sqrt{2} \text{ cm}` are settled here.
    """
    limits = [set(_NO_UNIT.findall(" ".join(_TEXTS.findall(latex)).lower())) for latex in (gold, pred)]
    if limits[0] != limits[1]:
        return False
    tails = [_LAST_TEXT.search(latex) for latex in (gold, pred)]
    units = [read_unit(tail[0]) if tail else None for tail in tails]
    return same_unit(units[0], units[1], prompt=prompt) == 1


def _asks_for_another(pred: Unit, prompt: str) -> bool:
    """Whether the prompt names a unit of the same dimension, and this one not at all."""
    if not prompt:
        return False
    named = [
        _UNITS[word] for word in re.findall(r"[a-z]+|\$", plain_words(prompt).lower()) if _is_unit_word(word)
    ]
    base = re.split(r"[\^/]", pred.dimension)[0]
    if base in ("angle", "money", "volume"):
        return False  # written both ways in one breath: 50 cents of a dollar, litres of cubic centimetres
    factors = {factor for dimension, factor in named if dimension == base}
    if "/" in pred.dimension or "^" in pred.dimension:
        return False
    return bool(factors) and pred.factor not in factors


def _is_unit_word(word: str) -> bool:
    # One letter, "in" and "a" are rarely meant as units in a sentence.
    return word in _UNITS and (len(word) > 1 or word == "$") and word not in ("in", "min", "second", "day")
