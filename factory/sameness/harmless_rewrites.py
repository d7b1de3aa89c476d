"""Rewrites that leave a problem what it is, made of a text by one kind of edit each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import Random

from factory.sameness.numerals import VALUES
from factory.sameness.zones import code_like

__all__ = ["HARMLESS", "Rewrite"]

Rewrite = Callable[[str, Random], str | None]
"""From a text to another; null where the kind does not apply."""

_WORD_OF = {value: word for word, value in VALUES.items()}
_PLAIN = re.compile(r"(?<![\\\w$'-])[a-z]{5,}(?![\w'-])")
_MATH = re.compile(r"(?<![\\$])\$([^$\n]+)\$(?!\$)")
_BEFORE = (
    "Please solve this problem carefully, step by step. ",
    "Solve the following problem.\n\n",
    "You are a helpful assistant. Answer the question below.\n",
    "Here is a problem for you. Think it through before you answer. ",
)
_BEHIND = (
    " Put the final answer in \\boxed{}.",
    "\n\nLet's think step by step.",
    " Show your work and explain your reasoning.",
    "\nGive only the final answer.",
)


def _changed(text: str, made: str) -> str | None:
    return made if made != text else None


def _sub(pattern: str, instead: str | Callable[[re.Match[str]], str]) -> Rewrite:
    return lambda text, rng: _changed(text, re.sub(pattern, instead, text))


def _blanks(text: str, rng: Random) -> str | None:
    if "\n" in text:
        return None
    return _changed(text, re.sub(" ", lambda _: rng.choice((" ", "  ", "\n", " \t")), text))


def _upper(text: str, rng: Random) -> str | None:
    return None if set(text) & set("\\$`=^_{") else _changed(text, text.upper())


def _lower(text: str, rng: Random) -> str | None:
    return None if set(text) & set("\\$`=^_{") else _changed(text, text.lower())


def _slips(edit: Callable[[str, int, Random], str]) -> Rewrite:
    def made(text: str, rng: Random) -> str | None:
        words = list(_PLAIN.finditer(text))
        if len(words) < 8 or code_like(text):
            return None
        for match in sorted(rng.sample(words, max(1, len(words) // 16)), key=lambda m: -m.start()):
            word = match[0]
            slip = edit(word, rng.randrange(1, len(word) - 1), rng)
            text = text[: match.start()] + slip + text[match.end() :]
        return text

    return made


def _question_first(text: str, rng: Random) -> str | None:
    parts = re.split(r"(?<=[.?!])\s+", text.strip())
    if len(parts) < 3 or not parts[-1].endswith("?") or set(text) & set("\\$`"):
        return None
    return " ".join([parts[-1], *parts[:-1]])


def _in_words(match: re.Match[str]) -> str:
    return _WORD_OF.get(int(match[0]), match[0])


def _wrapped(before: bool, behind: bool) -> Rewrite:
    def made(text: str, rng: Random) -> str | None:
        first = rng.choice(_BEFORE) if before else ""
        last = rng.choice(_BEHIND) if behind else ""
        if "\n" in text:
            first, last = first and first.strip() + "\n", last and "\n" + last.strip()
        return first + text + last

    return made


_BARE = _sub(r"(?<=[a-z])[.,;?](?=\s|$)", "")
_SMALL = r"(?<=[a-z] )(?:[2-9]|1[0-9])(?= [a-z])"

HARMLESS: Mapping[str, Rewrite] = {
    "blanks": _blanks,
    "upper case": _upper,
    "lower case": _lower,
    "no punctuation": lambda t, r: (
        None if code_like(t) else _changed(t, re.sub(r"(?<=[a-z])[.,;?](?=\s|$)", "", t))
    ),
    "typographic quotes": _sub(r"(?<=\w)'(?=\w)", "’"),
    "unseen characters": _sub(r"(?<=[a-z]{3}) (?=[a-z])", " \u200b"),
    "other delimiters": lambda t, r: _changed(t, _MATH.sub(r"\\( \1 \\)", t)),
    "display fractions": _sub(r"\\frac", r"\\dfrac"),
    "braced exponents": _sub(r"\^(\d)(?!\d)", r"^{\1}"),
    "sized brackets": lambda t, r: (
        _changed(t, t.replace("(", "\\left(").replace(")", "\\right)"))
        if "\\frac" in t and "\\left" not in t and t.count("$") == 2 and t.strip()[-1:] == "$"
        else None
    ),
    "signs for commands": lambda t, r: _changed(
        t, t.replace("\\times ", "×").replace("\\leq ", "≤ ").replace("\\geq ", "≥ ").replace("\\cdot ", "·")
    ),
    "numbers in words": _sub(_SMALL, _in_words),
    "thousands marked": _sub(r"(?<![\d.,])(\d{1,3})(\d{3})(?= [a-z]{3})", r"\1,\2"),
    "dollars in words": _sub(r"(?<![\\\w$])\$(\d+)(?= [a-z]{2,}[^$]*$)", r"\1 dollars"),
    "percent in words": _sub(r"(?<=\d)%(?= [a-z])", " percent"),
    "letters exchanged": _slips(lambda w, n, r: w[:n] + w[n + 1] + w[n] + w[n + 2 :]),
    "letter missing": _slips(lambda w, n, r: w[:n] + w[n + 1 :]),
    "letter doubled": _slips(lambda w, n, r: w[:n] + w[n] + w[n:]),
    "instruction before": _wrapped(True, False),
    "instruction behind": _wrapped(False, True),
    "instructions around": _wrapped(True, True),
    "labels": lambda t, r: f"Question: {t}\nAnswer:",
    "bold": lambda t, r: f"**Problem:**\n{t}",
    "question first": _question_first,
}
"""By the name of the edit."""
