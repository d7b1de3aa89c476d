"""Known copies of a text, made by one change each: the truth that dedup and decontamination are tested on."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Literal, TypeAlias, get_args

from factory.stages.decontamination.disguises import DISGUISES
from factory.text.numbers import NUMBER_WORDS

__all__ = ["KINDS", "Kind", "plant"]

Edit: TypeAlias = Literal[
    "verbatim", "wrapped", "typo", "edited", "inserted", "deleted", "punctuation", "number_changed"
]
Disguise: TypeAlias = Literal[
    "html_tags", "html_entities", "homoglyphs", "combining_marks", "zero_width", "plain_latex",
    "every_7th_replaced", "filler_after_5th", "sentences_reordered", "synonyms", "reworded",
]  # fmt: skip
Kind: TypeAlias = Edit | Disguise
KINDS: tuple[Edit, ...] = get_args(Edit)
"""All are copies but `number_changed`, which is another problem in the same words."""

_WRAPS = (
    "Solve the following problem step by step.\n\n{}",
    "{}\n\nPut your final answer within \\boxed{{}}.",
    "Question: {}\nAnswer:",
    "{} Please reason carefully and explain.",
)
_FILLERS = ("as it happens", "of course", "in other words", "to be precise")
_WORDS = ("large", "quickly", "object", "certain", "given", "different", "person", "total")
_SHARE = 0.06  # of the words that typo, edited and deleted change


def plant(text: str, *, kind: Kind, rng: Random) -> str | None:
    """A copy of `text`; None when the change does not apply: no number, or fewer than 8 plain words."""
    made = _MAKERS[kind](text, rng)
    return made if kind == "verbatim" or made != text else None


def _wrapped(text: str, rng: Random) -> str:
    return rng.choice(_WRAPS).format(text)


def _changed_words(text: str, rng: Random, change: Callable[[str], str]) -> str:
    """Applies `change` to 6 % of the plain words (four letters or more, no number word), one at least."""
    parts = re.split(r"(\s+)", text)
    plain = [i for i, part in enumerate(parts) if re.fullmatch(r"[A-Za-z]{4,}", part) and not _number(part)]
    if len(plain) < 8:
        return text
    words = sum(not part.isspace() for part in parts)
    for i in rng.sample(plain, min(len(plain), max(1, round(_SHARE * words)))):
        parts[i] = change(parts[i])
    return "".join(parts)


def _number(word: str) -> bool:
    return word.lower() in NUMBER_WORDS


def _typo(text: str, rng: Random) -> str:
    def swap(word: str) -> str:
        at = rng.randrange(1, len(word) - 2) if len(word) > 3 else 1
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    return _changed_words(text, rng, swap)


def _edited(text: str, rng: Random) -> str:
    return _changed_words(text, rng, lambda word: rng.choice([w for w in _WORDS if w != word]))


def _deleted(text: str, rng: Random) -> str:
    return re.sub(r"  +", " ", _changed_words(text, rng, lambda word: ""))


def _inserted(text: str, rng: Random) -> str:
    gaps = [m.start() for m in re.finditer(r" ", text)]
    if len(gaps) < 8:
        return text
    at = rng.choice(gaps)
    return f"{text[:at]} {rng.choice(_FILLERS)}{text[at:]}"


def _punctuation(text: str, rng: Random) -> str:
    bare = re.sub(r"(?<![0-9])[,.;:?](?![0-9])", "", text)
    return bare.replace(" ", "  ").upper() if rng.random() < 0.5 else bare.replace("$", "")


def _number_changed(text: str, rng: Random) -> str:
    def other(match: re.Match[str]) -> str:
        digits = match[0]
        low = 10 ** (len(digits) - 1) if len(digits) > 1 else 0
        while True:
            drawn = str(rng.randrange(low, 10 ** len(digits)))
            if drawn != digits:
                return drawn

    return re.sub(r"[0-9]{1,15}", other, text)


_MAKERS: dict[str, Callable[[str, Random], str]] = {
    "verbatim": lambda text, rng: text,
    "wrapped": _wrapped,
    "typo": _typo,
    "edited": _edited,
    "inserted": _inserted,
    "deleted": _deleted,
    "punctuation": _punctuation,
    "number_changed": _number_changed,
    **DISGUISES,
}
