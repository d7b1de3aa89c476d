"""Units of measurement: what `12 \\text{ km}` carries beside its value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from verifiers.math.canonical import plain_words

__all__ = ["Unit", "read_unit", "same_tail", "same_unit", "with_plain_unit"]


@dataclass(frozen=True, slots=True)
class Unit:
    """A known unit has a dimension and a factor to its base; an unknown one only its words."""

    dimension: str
    """Such as `length^2` or `length/time`; empty for words that no table knows."""
    factor: Fraction
    words: frozenset[str]


_ROWS = """
length 127/5000 in inch inches
length 381/1250 ft foot feet
length 1143/1250 yd yard yards
length 201168/125 mi mile miles
length 1/10000000000 Å angstrom angstroms
length 149597870700 AU au
length 9460730472580800 ly
time 60 min mins minute minutes
time 3600 h hr hrs hour hours
time 86400 d day days
time 604800 week weeks
time 1 sec secs
mass 45359237/100000 lb lbs pound pounds
mass 45359237/1600000 oz ounce ounces
mass 1000000 tonne tonnes
money 1 $ dollar dollars usd
money 1/100 ¢ cent cents
euro 1 € euro euros
pound_sterling 1 £
yuan 1 ¥ yuan rmb
rupee 1 ₹ rupee rupees
angle 1 deg degs degree degrees ^\\circ
angle 20626480624709635/360000000000000 rad radian radians
temperature 1 ^\\circC ^\\circc celsius
temperature_f 1 ^\\circF ^\\circf fahrenheit
pressure 101325 atm
pressure 100000 bar
energy 1/10000000 erg ergs
energy 3600000 kWh
force 1/100000 dyn dyne dynes
speed 1 knot knots
"""
"""Dimension, size in its base unit, names."""
_SI = """
length 1 m meter metre
time 1 s second
mass 1 g gram
volume 1 L l liter litre
force 1 N newton
energy 1 J joule
power 1 W watt
voltage 1 V volt
current 1 A ampere amp
kelvin 1 K kelvin
frequency 1 Hz hertz
amount 1 mol mole
pressure 1 Pa pascal
resistance 1 Ω ohm
capacitance 1 F farad
charge 1 C coulomb
magnetic_field 1 T tesla
inductance 1 H henry
flux 1 Wb weber
energy_ev 1 eV
energy_cal 1 cal calorie
data 1 B byte
"""
"""Units that take prefixes."""
_PREFIXES = {
    "G": ("giga", 9), "M": ("mega", 6), "k": ("kilo", 3), "c": ("centi", -2), "d": ("deci", -1),
    "m": ("milli", -3),
    "μ": ("micro", -6), "n": ("nano", -9), "p": ("pico", -12), "f": ("femto", -15), "T": ("tera", 12),
}  # fmt: skip


def _table() -> dict[str, tuple[str, Fraction]]:
    table: dict[str, tuple[str, Fraction]] = {}
    for row in _SI.strip().splitlines():
        dimension, factor, *names = row.split()
        for name in names:
            plural = [] if len(name) < 3 else [f"{name}s"]
            for spelled in [name, *plural]:
                table[spelled] = (dimension, Fraction(factor))
            for symbol, (prefix, power) in _PREFIXES.items():
                for spelled in (
                    [symbol + name] if len(name) < 4 else [prefix + one for one in [name, *plural]]
                ):
                    table.setdefault(spelled, (dimension, Fraction(factor) * Fraction(10) ** power))
    for row in _ROWS.strip().splitlines():
        dimension, factor, *names = row.split()
        table.update(dict.fromkeys(names, (dimension, Fraction(factor))))
    return table


_UNITS = _table()
_COMPOUND = {
    "mph": "mi/h", "kph": "km/h", "kmh": "km/h", "mps": "m/s", "fps": "ft/s",
    "cc": "cm^3", "sqft": "ft^2", "sqm": "m^2",
}  # fmt: skip
_PLAIN_COMPOUNDS = re.compile(r"(?:m|km|cm|mi|ft)\s*/\s*(?:s|h|min)\s*(?:\^?\{?2\}?)?\Z")
"""What is a unit in plain letters too, although each letter alone could be a variable."""
_FILLER = frozenset(["unit", "units", "the", "of", "a", "an", "about", "total", "in", "per", "each"])
_NO_UNIT = re.compile(
    r"(?i)\b(?:or|and|not|more|less|fewer|greater|least|most|than|a\.?m|p\.?m|bc|ad|if|when|where|for|squared|cubed"
    r"|times|to|remainder|percentage|plus|minus|twice|half|over|divided|multiplied|modulo|points?)\b"
)
"""Words that change the value they follow."""
_TAIL = re.compile(r"[\s{}a-zA-Z°ÅμΩ'.\-/^\d\\$€£¥₹¢()]*\Z")
_PIECE = re.compile(
    r"(sq(?:uare)?\.?\s+|cubic\s+)?([a-zA-ZÅμΩ$€£¥₹¢]+|\^\\circ\s*[cCfF]?(?![a-zA-Z]))\.?\s*(?:\^?\s*\{?\s*(-?\d)\s*\}?)?"
)
_GREEK_UNITS = {r"\Omega": "Ω", r"\mu": "μ", r"\AA": "Å"}
_GREEK_UNIT = re.compile(r"\\(?:Omega|mu|AA)(?![a-zA-Z])\s*")
_DEGREES = re.compile(r"\s*\^\\circ\s*[CFcf]?\s*\Z")
_LETTERS = re.compile(r"[a-zA-ZμΩÅ]+")


@lru_cache(maxsize=16_384)
def read_unit(tail: str, *, currency: str | None = None) -> Unit | None:
    r"""Reads what follows a number; null when it is no unit but part of a formula, as the x of `5x`."""
    if len(tail) > 80 or not _TAIL.match(tail):
        return None
    tail = _GREEK_UNIT.sub(lambda sign: _GREEK_UNITS[sign[0].strip()], tail)
    spelled = plain_words(tail)
    in_text = spelled != tail.strip()
    spelled = re.sub(r"μ\s+(?=[a-zA-Z])", "μ", spelled)
    set_off = in_text or tail[:1].isspace()
    if _DEGREES.match(spelled):
        return _known(spelled.strip())
    spelled = spelled.replace("{", " ").replace("}", " ").replace("\\$", "$").strip(" .-")
    if not spelled:
        return _known(currency.lstrip("\\")) if currency else None
    if re.search(r"\\(?!circ)", spelled) or _NO_UNIT.search(spelled):
        return None
    names = _LETTERS.findall(spelled.replace("\\circ", ""))
    plain_letters = not in_text and any(len(name) == 1 and name.isascii() for name in names)
    if plain_letters and not _PLAIN_COMPOUNDS.match(spelled):
        return None  # 3 n is a formula
    known = _known(spelled)
    if known is not None:
        return known if set_off or len(spelled) > 1 else None
    return _unknown(spelled, names, in_text=in_text, set_off=set_off)


def _unknown(spelled: str, names: list[str], *, in_text: bool, set_off: bool) -> Unit | None:
    """Letters that no table knows: a unit when they are set as text or are plainly words."""
    if not in_text and not (set_off and names and all(len(name) > 2 for name in names)):
        return None
    if re.search(r"\d|[/^]", spelled):
        return (
            Unit("", Fraction(1), frozenset([re.sub(r"[\s{}]", "", spelled)])) if in_text and names else None
        )
    return Unit("", Fraction(1), frozenset(_stem(name) for name in names) - _FILLER)


def _stem(word: str) -> str:
    word = word.lower()
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def _known(spelled: str) -> Unit | None:
    """A unit of the table, or a product or quotient of several: `km/h`, `m s^-2`, `kilometers per hour`."""
    spelled = re.sub(r"\s*\^\s*", "^", " ".join(spelled.split()).strip("() "))
    if spelled.startswith("^"):
        spelled = re.sub(r"\s", "", spelled)
    spelled = _COMPOUND.get(spelled.lower(), spelled)
    above, *below = re.split(r"\s*/\s*|\s+per\s+", spelled)
    powers: dict[str, int] = {}
    factor = Fraction(1)
    for sign, group in [(1, above), *((-1, part) for part in below)]:
        whole = _power(group)
        for piece in [whole] if whole is not None else [_power(one) for one in _JOINT.split(group.strip())]:
            if piece is None:
                return None
            dimension, size, power = piece
            powers[dimension] = powers.get(dimension, 0) + sign * power
            factor *= size ** (sign * power)
    if powers == {"length": 3}:
        powers, factor = {"volume": 1}, factor * 1000  # the base of volume is the litre
    named = [f"{name}^{power}" if power != 1 else name for name, power in sorted(powers.items()) if power]
    return Unit(" ".join(named), factor, frozenset())


_JOINT = re.compile(r"\s*(?:\\cdot|·|\*)\s*|\s+")


def _power(spelled: str) -> tuple[str, Fraction, int] | None:
    """Dimension, size and power of one unit."""
    match = _PIECE.fullmatch(spelled.strip())
    if match is None:
        return None
    name = match[2].replace(" ", "")
    if name not in _UNITS:
        name = name.lower()  # KM and Meters; mW and MW stay apart
    if name not in _UNITS:
        return None
    power = int(match[3] or 1)
    if match[1]:
        power = 3 if match[1].startswith("cubic") else 2
    return (*_UNITS[name], power)


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


_PLAIN_LETTER = re.compile(r"(.*[\d}])\s+([a-zA-Z])\Z")


def with_plain_unit(answer: str, *, other: str, prompt: str) -> str:
    r"""`5 m` as `5 \text{m}` where the other answer or the prompt has that unit."""
    match = _PLAIN_LETTER.match(answer)
    if match is None or match[2] not in _UNITS:
        return answer
    noted = [_power(text.strip()) for text in _TEXTS.findall(other)]
    dimension = _UNITS[match[2]][0]
    if any(unit is not None and unit[0] == dimension for unit in noted) or dimension in _named_in(prompt):
        return rf"{match[1]} \text{{ {match[2]}}}"
    return answer


@lru_cache(maxsize=1_024)
def _named_in(prompt: str) -> frozenset[str]:
    """Dimensions of the units that a prompt writes out, or sets as text behind a number."""
    words = [word for word in re.findall(r"[a-zA-Z]+", plain_words(prompt)) if len(word) > 1]
    noted = [text.strip() for text in _TEXTS.findall(prompt)]
    named = [word.lower() for word in words if _is_unit_word(word.lower())] + [
        one for one in noted if one in _UNITS
    ]
    return frozenset(_UNITS[one][0] for one in named if one in _UNITS)


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
    base = pred.dimension
    if base in ("angle", "money", "volume"):
        return False  # written both ways in one breath: 50 cents of a dollar, litres of cubic centimetres
    factors = {factor for dimension, factor in named if dimension == base}
    return bool(factors) and pred.factor not in factors


def _is_unit_word(word: str) -> bool:
    # One letter, "in" and "a" are rarely meant as units in a sentence.
    return word in _UNITS and (len(word) > 1 or word == "$") and word not in ("in", "min", "second", "day")
