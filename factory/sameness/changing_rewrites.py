"""Rewrites that make another problem, made of a text by one small edit each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random

from factory.sameness.harmless_rewrites import Rewrite
from factory.sameness.vocabulary import CONTRARY, LANGUAGES, UNITS

__all__ = ["CHANGING"]

_NUMBER = re.compile(r"(?<![\w.,])\d+(?:\.\d+)?(?![\w.,]*\d)")
_NAME = re.compile(r"(?<=[a-z] )[A-Z][a-z]{2,}(?= [a-z])")


def _one(pattern: str, instead: str) -> Rewrite:
    """One place of many is changed."""
    compiled = re.compile(pattern)

    def made(text: str, rng: Random) -> str | None:
        places = list(compiled.finditer(text))
        if not places:
            return None
        match = rng.choice(places)
        changed = text[: match.start()] + match.expand(instead) + text[match.end() :]
        return changed if changed != text else None

    return made


def _number(text: str, rng: Random) -> str | None:
    places = list(_NUMBER.finditer(text))
    if not places:
        return None
    match = rng.choice(places)
    other = match[0][:-1] + str((int(match[0][-1]) + rng.randrange(1, 9)) % 10)
    return text[: match.start()] + (other if other != "0" else "11") + text[match.end() :]


def _exchanged(pattern: re.Pattern[str]) -> Rewrite:
    """Two places with other content change places."""

    def made(text: str, rng: Random) -> str | None:
        places = list(pattern.finditer(text))
        if len({m[0] for m in places}) < 2:
            return None
        one, other = rng.sample(places, 2)
        if one[0] == other[0]:
            return None
        one, other = sorted((one, other), key=lambda m: m.start())
        between = text[one.end() : other.start()]
        return text[: one.start()] + other[0] + between + one[0] + text[other.end() :]

    return made


def _word_of(words: Mapping[str, object], choose: Mapping[str, str]) -> Rewrite:
    pattern = re.compile(r"(?<![\w\\-])(?:" + "|".join(map(re.escape, sorted(words))) + r")(?![\w-])")

    def made(text: str, rng: Random) -> str | None:
        places = [m for m in pattern.finditer(text) if choose.get(m[0])]
        if not places:
            return None
        match = rng.choice(places)
        return text[: match.start()] + choose[match[0]] + text[match.end() :]

    return made


def _next_unit() -> dict[str, str]:
    order = ["seconds", "minutes", "hours", "days", "weeks", "months", "years", "inches", "feet", "yards"]
    order += ["miles", "grams", "kilograms", "ounces", "pounds", "gallons", "liters", "meters", "kilometers"]
    return {word: order[(n + 1) % len(order)] for n, word in enumerate(order)}


def _question(text: str, rng: Random) -> str | None:
    parts = re.split(r"(?<=[.?!])\s+", text.strip())
    if len(parts) < 3 or not parts[-1].endswith("?"):
        return None
    asked = ("How many would there be if everything were doubled?", "What is half of that in the end?")
    return " ".join([*parts[:-1], rng.choice(asked)])


def _sentence_gone(text: str, rng: Random) -> str | None:
    parts = re.split(r"(?<=[.?!])\s+", text.strip())
    if len(parts) < 4:
        return None
    gone = rng.randrange(len(parts) - 1)
    return " ".join(p for n, p in enumerate(parts) if n != gone) if len(parts[gone].split()) > 3 else None


def _dedented(text: str, rng: Random) -> str | None:
    lines = text.split("\n")
    deep = [n for n in range(1, len(lines)) if re.match(r"\s+(?:\w+ [-+*/]?= |return )", lines[n])]
    if not deep or '"""' in text:
        return None
    place = rng.choice(deep)
    return "\n".join(line.strip() if n == place else line for n, line in enumerate(lines))


_CONTRARY = {word: sorted(others)[0] for word, others in CONTRARY.items() if len(word) > 3}
_LANGUAGE = {word.title(): "Lua" if word != "lua" else "Perl" for word in LANGUAGES}
_LANGUAGE |= {word: word and ("lua" if word != "lua" else "perl") for word in LANGUAGES}

CHANGING: Mapping[str, Rewrite] = {
    "a number": _number,
    "two numbers exchanged": _exchanged(_NUMBER),
    "a digit more": _one(r"(?<![\w.,:])([1-9]\d*)(?![\w.,]*\d)", r"\g<1>0"),
    "a point moved": _one(r"(?<![\w.,])(\d)(\d)(?![\w.,]*\d)", r"\1.\2"),
    "plus for minus": _one(r"(?<=[\w)}] )\+(?= [\w(\\])|(?<=[\w)}])\+(?=[\w(\\])", "-"),
    "minus for plus": _one(r"(?<=[a-z0-9)}])-(?=\d)", "+"),
    "a sign more": _one(r"(?<=[=(,])\s?(?=\d)", "-"),
    "times for plus": _one(r"(?<=\d)\s?\+\s?(?=\d)", r"\\cdot "),
    "relation": _one(r"\\le(?:q)?(?![a-z])|\\ge(?:q)?(?![a-z])", "="),
    "strict relation": _one(r"<(?!=)", r"\\leq "),
    "exponent": _one(r"\^(\d)(?!\d)", r"^{1\1}"),
    "index": _one(r"_(\d)(?!\d)", r"_{1\1}"),
    "prime": _one(r"(?<![A-Za-z\\])([fg])\(", r"\1'("),
    "root scope": _one(r"\\sqrt\{(\w+)([+-][^{}]+)\}", r"\\sqrt{\1}\2"),
    "exponent scope": _one(r"\^\{(\w)([+-][^{}]+)\}", r"^{\1}\2"),
    "fraction turned": _one(r"\\frac\{([^{}]+)\}\{([^{}]+)\}", r"\\frac{\2}{\1}"),
    "fraction scope": _one(r"\\frac\{([^{}]+)\}\{(\w+)([+-][^{}]+)\}", r"\\frac{\1}{\2}\3"),
    "bracket kind": _one(r"\((-?\w+, ?-?\w+)\)", r"[\1]"),
    "brackets gone": _one(r"\((\w+ ?[+-] ?\w+)\)(?=[\^\d(])", r"\1"),
    "function": _one(r"\\sin(?![a-z])", r"\\cos"),
    "logarithm": _one(r"\\ln(?![a-z])", r"\\log_2 "),
    "variable in one place": _one(r"(?<=[=+(])x(?![a-zA-Z])", "y"),
    "factorial gone": _one(r"(?<![a-z])([\dn])!(?!\w)", r"\1"),
    "degrees gone": _one(r"\^\\circ|\^\{\\circ\}|°", ""),
    "percent gone": _one(r"(?<=\d)\\?%", ""),
    "currency": _one(r"(?<![\\\w$])\$(?=\d+(?:\.\d+)? [a-z])", "€"),
    "unit": _word_of(UNITS, _next_unit()),
    "contrary word": _word_of(CONTRARY, _CONTRARY),
    "negation": _one(r"(?<= )(is|are|was|were|does|did|can|will)(?= [a-z])", r"\1 not"),
    "quantifier": _one(r"(?<= )(?:all|each|every)(?= [a-z])", "some"),
    "at most for at least": _one(r"at least", "at most"),
    "more for less": _one(r"(?<= )(?:less|fewer)(?= )", "more"),
    "names exchanged": _exchanged(_NAME),
    "another question": _question,
    "a sentence gone": _sentence_gone,
    "language": _word_of(_LANGUAGE, _LANGUAGE),
    "indentation": _dedented,
    "another word": _one(r"(?<=[a-z] )(?:red|books|apples|list|triangle|water|school|car)(?![\w-])", "tree"),
}
"""By the name of the edit."""
