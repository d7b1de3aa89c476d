"""Numbers, fractions, units and money in one spelling: `three-fourths` and `3/4` are one token."""

from __future__ import annotations

import re

from factory.sameness.cursor import CLOSE, OPEN
from factory.sameness.vocabulary import UNITS

__all__ = ["VALUES", "is_number", "joined"]

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
VALUES = {word: value for value, word in enumerate(_ONES.split())}
VALUES |= {word: 10 * value for value, word in enumerate(_TENS.split(), start=2)}
"""Value of each word for a number below a hundred."""

_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {"half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4}
_PARTS |= {
    f"{word}{end}": value
    for value, word in enumerate(
        ["fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"], start=4
    )
    for end in ("", "s")
}
_PARTS |= {"hundredth": 100, "hundredths": 100, "thousandth": 1000, "thousandths": 1000, "twentieths": 20}
_COINS = frozenset(("quarter", "quarters"))
_SAID = {"half": ("#1/2",), "halves": ("#1/2",), "twice": ("#2", "times"), "thrice": ("#3", "times")}
_WHOLE = re.compile(r"#\d+\Z")
_NOT_BESIDE = frozenset("/^_")
_MONEY = frozenset("$€£¥₹")
_CENTS = re.compile(r"\.00\Z")


def is_number(token: str) -> bool:
    """Whether a token is a number."""
    return len(token) > 1 and token[0] == "#"


def joined(tokens: list[str]) -> list[str]:
    """Tokens with number words as numbers, fractions as one token, and units and money in one spelling."""
    tokens = _worded(tokens) if any(t in VALUES or t in _PARTS or t in _SAID for t in tokens) else tokens
    if "/" in tokens:
        tokens = _mixed(_divided(_ratios(tokens)))
    return _measured(tokens)


def _worded(tokens: list[str]) -> list[str]:
    """Words of numbers as numbers, with the fractions that they form."""
    out: list[str] = []
    at = 0
    while at < len(tokens):
        value, after = _spoken(tokens, at)
        if after == at and _WHOLE.match(tokens[at]):
            value, after = int(tokens[at][1:]) if len(tokens[at]) < 12 else 0, at + 1
        if after == at:
            out += _SAID.get(tokens[at], (tokens[at],))
            at += 1
            continue
        part = tokens[after] if after < len(tokens) else ""
        coin = part in _COINS and tokens[after + 1 : after + 2] not in (["of"], ["the"], ["as"])
        if (
            part in _PARTS
            and value > 0
            and not coin
            and tokens[at][0] != "#"
            and (value == 1 or part.endswith("s") or part == "halves")
        ):
            out.append(f"#{value}/{_PARTS[part]}")
            after += 1
        else:
            out += tokens[at:after] if after == at + 1 and tokens[at][0] == "#" else [f"#{value}"]
        at = after
    return _with_halves(out)


def _spoken(tokens: list[str], at: int) -> tuple[int, int]:
    """The number that the words from `at` on say, and the place after it; that place is `at` for none."""
    total, group, begun = 0, 0, at
    last = 1 << 60
    while at < len(tokens):
        word = tokens[at]
        if (
            word in VALUES
            and VALUES[word] < last
            and (group % 100 == 0 or (group % 10 == 0 and VALUES[word] < 10))
        ):
            group += VALUES[word]
            last = 10 if VALUES[word] >= 20 else 1
        elif word in _SCALES and at > begun:
            scale = _SCALES[word]
            total, group = (total, group * scale) if scale == 100 else (total + group * scale, 0)
            last = 1 << 60
        elif not (
            word == "and"
            and at > begun
            and last == 1 << 60
            and tokens[at + 1 : at + 2]
            and tokens[at + 1] in VALUES
        ):
            break
        at += 1
    return total + group, at


def _with_halves(tokens: list[str]) -> list[str]:
    """`2 and a half`, `2 and 1/2` as one number."""
    out: list[str] = []
    for token in tokens:
        mixed = token == "#1/2" and len(out) > 1 and out[-1] in ("a", "and")
        if mixed and out[-1] == "a" and len(out) > 2 and out[-2] == "and" and _WHOLE.match(out[-3]):
            out[-3:] = [out[-3] + "+1/2"]
        elif mixed and out[-1] == "and" and _WHOLE.match(out[-2]):
            out[-2:] = [out[-2] + "+1/2"]
        else:
            out.append(token)
    return out


def _ratios(tokens: list[str]) -> list[str]:
    """`a / b` of two single tokens in the brackets of a fraction, as `\\frac{a}{b}` has them."""
    out: list[str] = []
    at = 0
    while at < len(tokens):
        here = tokens[at + 1 : at + 2] == ["/"] and at + 2 < len(tokens)
        beside = {tokens[at - 1] if at else "", tokens[at + 3] if at + 3 < len(tokens) else ""}
        whole = at > 0 and tokens[at - 1] == OPEN and tokens[at + 3 : at + 4] == [CLOSE]
        if here and not whole and not beside & _NOT_BESIDE and _atom(tokens[at]) and _atom(tokens[at + 2]):
            out += [OPEN, *tokens[at : at + 3], CLOSE]
            at += 3
            continue
        out.append(tokens[at])
        at += 1
    return out


def _atom(token: str) -> bool:
    return token[0].isalpha() or is_number(token)


def _divided(tokens: list[str]) -> list[str]:
    """Fractions of two whole numbers as one token."""
    out: list[str] = []
    for token in tokens:
        out.append(token)
        if token == CLOSE and len(out) >= 5 and out[-5] == OPEN and out[-3] == "/":
            top, bottom = out[-4], out[-2]
            if _WHOLE.match(top) and _WHOLE.match(bottom):
                out[-5:] = [f"{top}/{bottom[1:]}"]
    return out


def _mixed(tokens: list[str]) -> list[str]:
    out: list[str] = []
    for token in tokens:
        if is_number(token) and "/" in token and out and _WHOLE.match(out[-1]) and out[-2:-1] != ["^"]:
            out[-1] += "+" + token[1:]
        else:
            out.append(token)
    return out


def _measured(tokens: list[str]) -> list[str]:
    out: list[str] = []
    for place, token in enumerate(tokens):
        before = out[-1] if out else ""
        number = is_number(before)
        after = tokens[place + 1] if place + 1 < len(tokens) else ""
        if (token == "$" and number and not is_number(after) and out[-2:-1] != ["$"]) or (
            token in ("dollar", "dollars") and number and out[-2:-1] != ["$"]
        ):
            out.insert(-1, "$")
        elif token in ("percent", "pct") or (token == "cent" and before == "per"):
            out[-1:] = [before, "%"] if token != "cent" else ["%"]
        elif token in UNITS and number:
            out.append("°" if UNITS[token] == "degree" else UNITS[token])
        elif is_number(token) and before in _MONEY:
            out.append(_CENTS.sub("", token))
        else:
            out.append(token)
    return [t for t in out if t]
