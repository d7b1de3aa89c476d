"""Classes of English words that decide whether a difference of wording is a difference of meaning."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

__all__ = [
    "CONTRARY",
    "ENGLISH",
    "FUNCTION_WORDS",
    "LANGUAGES",
    "MATH_NAMES",
    "NEGATIONS",
    "ORDER_WORDS",
    "POLITE",
    "SHORT_WORDS",
    "SPELLINGS",
    "UNITS",
    "WRAPPER",
    "contrary",
    "known",
]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


SHORT_WORDS = _set(
    "a i of to in is it on he as by we an at or if no up so do my me us go be am oh ok hi vs th st nd rd pm "
    "mr ms dr"
)
"""Words of one or two letters: every other run of two letters is a product of variables."""

MATH_NAMES = _set(
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln lg exp lim sup inf max min gcd lcm "
    "det dim ker mod arg deg sqrt sgn rank tr pi alpha beta gamma delta epsilon varepsilon zeta eta theta "
    "vartheta iota kappa lambda mu nu xi rho sigma tau upsilon phi varphi chi psi omega infinity degree"
)
"""Names that stay whole among variables."""

ENGLISH = _set(
    "the of is are was were and how what which that this with for she they each if from has have had his "
    "her many much when where who their there than then find does did can given write"
)
"""Frequent words that few other languages have."""

FUNCTION_WORDS = (ENGLISH | SHORT_WORDS) - {"a", "i"} | _set(
    "a about after all also and any are because been before both but during each either enough every "
    "few first for from given into its itself just last least less let like make more most must name "
    "new next none nor not now number numbers off one only other our out over per please same several "
    "should since solve some such than them these those three through too total two under until up very "
    "was way were will without would you your compute calculate evaluate simplify determine prove show "
    "suppose consider express answer"
)
"""Words that are no names, so that their case says nothing."""

POLITE = _set("please kindly")
"""Words that ask nicely and say nothing."""

WRAPPER = _set(
    "number line last own new single separate sentence sentences words bold brackets tag tags very much ok "
    "please kindly solve answer the following problem question task below above given carefully and step by "
    "think through let us let's lets show your work working steps reasoning reason explain explanation "
    "explanations process put provide give write final result solution box boxed within inside in a an to "
    "this is it as your you are can could would will help me i need with of at end complete exercise here "
    "be sure make clear clearly detailed detail thoroughly before after then out loud only return code just "
    "my for math maths mathematical mathematics expert assistant helpful tutor teacher student homework "
    "challenge challenging interesting that which should must want would like now try using use format "
    "respond response reply output submit enclosed enclose wrap wrapped place inside latex notation do so "
    "first begin start starting finish conclude letter option correct choice choose select from one options "
    "choices directly concise concisely brief briefly logically logical together deep breath take time hint "
    "thanks thank hello hi hey programming coding function program script implement implementation body no "
    "any additional text extra comments comment markdown block read instruction instructions consider "
    "attempt work figure determine how what approach all on each every"
)
"""Words of which a sentence around a problem consists that says how to answer and not what."""

ORDER_WORDS = _set(
    "he she it they his her their its him them this these those said says claims claimed asked answered "
    "then next after afterwards afterward finally later before again previous previously following "
    "subsequently former latter now remaining rest first second third last lastly initially originally "
    "originally"
)
"""A sentence with one of these may mean something else at another place."""

NEGATIONS = _set(
    "not no never none without neither nor cannot can't don't doesn't didn't isn't aren't wasn't weren't "
    "won't wouldn't shouldn't couldn't hasn't haven't hadn't mustn't nobody nothing nowhere except "
    "excluding unless"
)

UNITS = {
    word: unit
    for unit, words in {
        "millimeter": "millimeters millimetre millimetres mm",
        "centimeter": "centimeters centimetre centimetres cm",
        "meter": "meters metre metres",
        "kilometer": "kilometers kilometre kilometres km",
        "inch": "inches",
        "foot": "feet ft",
        "yard": "yards yd",
        "mile": "miles",
        "milligram": "milligrams mg",
        "gram": "grams gramme grammes",
        "kilogram": "kilograms kg kgs kilo kilos",
        "ton": "tons tonne tonnes",
        "ounce": "ounces oz",
        "pound": "pounds lb lbs",
        "milliliter": "milliliters millilitre millilitres ml",
        "liter": "liters litre litres",
        "gallon": "gallons gal",
        "quart": "quarts",
        "pint": "pints",
        "cup": "cups",
        "tablespoon": "tablespoons tbsp",
        "teaspoon": "teaspoons tsp",
        "second": "seconds sec secs",
        "minute": "minutes mins",
        "hour": "hours hr hrs",
        "day": "days",
        "week": "weeks",
        "month": "months",
        "year": "years yr yrs",
        "decade": "decades",
        "century": "centuries",
        "cent": "cents",
        "penny": "pennies pence",
        "nickel": "nickels",
        "dime": "dimes",
        "quarter": "quarters",
        "dollar": "dollars usd",
        "euro": "euros eur",
        "yen": "yens",
        "rupee": "rupees",
        "degree": "degrees",
        "radian": "radians",
        "kelvin": "kelvins",
        "celsius": "centigrade",
        "fahrenheit": "",
        "joule": "joules",
        "watt": "watts",
        "newton": "newtons",
        "volt": "volts",
        "ampere": "amperes amp amps",
        "ohm": "ohms",
        "hertz": "hz",
        "mole": "moles mol",
        "byte": "bytes",
        "bit": "bits",
        "dozen": "dozens",
        "percent": "",
    }.items()
    for word in (unit, *words.split())
}
"""The unit that a word names; its spellings are one."""

SPELLINGS: dict[str, tuple[str, ...]] = {
    unit: tuple(word for word, named in UNITS.items() if named == unit) for unit in set(UNITS.values())
}
"""All words for each unit."""

LANGUAGES = _set(
    "python javascript typescript java kotlin swift rust golang ruby perl php scala haskell lua julia "
    "matlab fortran cobol erlang elixir clojure ocaml lisp scheme prolog sql bash powershell assembly "
    "pascal delphi english german french spanish italian portuguese dutch russian chinese mandarin "
    "cantonese japanese korean arabic hindi bengali urdu turkish greek hebrew latin polish czech swedish "
    "norwegian danish finnish hungarian romanian thai vietnamese indonesian malay persian ukrainian swahili "
    "tamil telugu"
)
"""Programming and natural languages: another one is another task."""

_GROUPS = """
largest smallest|biggest smallest|greatest least|greatest smallest|highest lowest|maximum minimum|most least
most fewest|more less fewer|longer shorter|longest shortest|larger smaller|greater less smaller|higher lower
bigger smaller|older younger|oldest youngest|taller shorter|heavier lighter|faster slower|fastest slowest
earlier later|early late|earliest latest|first last
first second third fourth fifth sixth seventh eighth ninth tenth|before after|increase decrease
increases decreases|increased decreased|increasing decreasing|ascending descending|rise fall|gain loss
gained lost|gains loses|profit loss|buy sell|buys sells|bought sold|give take|gives takes|gave took
give receive|gives receives|gave received|earn spend|earns spends|earned spent|add subtract remove
added removed|sum difference product quotient|total average|mean median mode|multiply divide
multiplied divided|positive negative|even odd|prime composite|odd prime|rational irrational|real imaginary
finite infinite|all some none|every some|each total|always never sometimes|any all|both either neither
exactly least most|inside outside|above below|over under|top bottom|left right|north south east west
northeast southwest|up down|front back|row column|rows columns|horizontal vertical|parallel perpendicular
clockwise counterclockwise|numerator denominator|dividend divisor|base height|length width height
area perimeter volume circumference|radius diameter|sine cosine tangent|sin cos tan cot sec csc
arcsin arccos arctan|sinh cosh tanh|ceiling floor|union intersection|subset superset|floor ceil|max min
with without|include exclude|including excluding|inclusive exclusive|include omit|true false|yes no
same different|similar different|distinguishable indistinguishable|distinct identical
distinct indistinguishable|ordered unordered|replacement replacements|dependent independent|convex concave
acute obtuse right|isosceles scalene equilateral|open closed|male female|boys girls|boy girl|men women
man woman|mother father|brother sister|son daughter|list tuple array set string dictionary dict matrix
lists tuples arrays sets strings dictionaries|integer float string boolean|integers floats strings booleans
uppercase lowercase|upper lower|prefix suffix|push pop|append remove|insert delete|encode decode
encrypt decrypt|compress decompress|start end|begins ends|starts ends|key value|keys values|row column
read write|import export|client server|input output|possible impossible|correct incorrect|valid invalid
weaken strengthen|support weaken|supports weakens|strengthens weakens|likely unlikely|necessary sufficient
agree disagree|like dislike|likes dislikes|hot cold|hotter colder|warm cool|day night
morning evening afternoon|am pm|win lose|wins loses|won lost|pass fail|passed failed|passes fails|full empty
win draw|arrive leave|arrives leaves|arrived left|enter leave|simple compound|linear quadratic cubic
local global|relative absolute|internal external|domain range codomain|derivative integral
differentiate integrate|expand factor|factored expanded|mean variance|slope intercept|heads tails
red blue green yellow black white|single double triple|half twice double|doubled halved tripled
monday tuesday wednesday thursday friday saturday sunday
january february march april may june july august september october november december
"""


def _contraries() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for group in _GROUPS.replace("\n", "|").split("|"):
        words = group.split()
        for word in words:
            found.setdefault(word, set()).update(w for w in words if w != word)
    return {word: frozenset(others) for word, others in found.items()}


CONTRARY = _contraries()
"""For each word the words that mean something else in its place; both forms are common."""

_PREFIXES = ("un", "in", "im", "ir", "il", "dis", "non", "mis", "anti", "counter")


def contrary(one: str, other: str) -> bool:
    """Whether one word in the place of the other says another thing."""
    if other in CONTRARY.get(one, ()):
        return True
    short, long = sorted((one, other), key=len)
    return len(short) > 2 and any(long == prefix + short for prefix in _PREFIXES)


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    """Words that are no typos of others: the whole words of BERT's vocabulary (Apache-2.0), in lower case."""
    text = files("factory.sameness").joinpath("common_words.txt").read_text()
    return frozenset(text.split()) | SHORT_WORDS


@lru_cache(maxsize=65536)
def known(word: str) -> bool:
    """Whether a lower-case word, or what it is inflected from, is a common English word.

    The words are those of BERT's uncased vocabulary (Apache-2.0): 21,000 of English text, names included.
    """
    common = _common()
    if word in common or word in UNITS:
        return True
    if "'" in word:
        return word.split("'")[0] in common
    return any(_inflected(word, *form) in common for form in _ENDINGS)


def _inflected(word: str, ending: str, instead: str, behind: str) -> str:
    """What a word is inflected from by one ending; empty for none. Short words have their forms listed."""
    base = word[: -len(ending)] if word.endswith(ending) else ""
    if len(base) < _LEAST_BASE or (behind and not base.endswith(tuple(behind.split()))):
        return ""
    return base + instead if instead or base[-1] != "e" or ending == "s" else ""


_LEAST_BASE = 4
_ENDINGS = (
    ("s", "", ""), ("es", "", "s x z ch sh o"), ("ies", "y", ""), ("ed", "", ""), ("ed", "e", ""),
    ("ied", "y", ""), ("ing", "", ""), ("ing", "e", ""),
)  # fmt: skip
