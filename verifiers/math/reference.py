"""What a reference says is right: one reading for the verifier and for every check of references."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache

from verifiers.math.canonical import canonical, clean, plain_words
from verifiers.math.choice import choice_of, options_of
from verifiers.math.extract import find_answer
from verifiers.math.guards import missing_reference
from verifiers.math.number import read_number

__all__ = ["Reading", "read_reference"]

LONG = 200
"""Characters above which a reference is a worked solution and not an answer."""


_DIGITS = re.compile(r"-?\d{1,18}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reading:
    """A reference as the verifier takes it."""

    answers: tuple[str, ...]
    """Accepted answers, any of which is right; empty when the reference is unusable."""
    letters: frozenset[str] | None = None
    """The options of the prompt that are right, where the reference names some by letter or by text."""
    reason: str = ""
    """Why the reference is unusable."""


@lru_cache(maxsize=16_384)
def read_reference(reference: str | None, *, prompt: str = "") -> Reading:
    """Reads a reference that may be plain, LaTeX, boxed, a sentence, a worked solution or a list of answers.

    A JSON list of strings names several accepted answers.
    """
    if reference is not None and _DIGITS.match(reference) and not _may_offer(prompt):
        return Reading((reference,))
    if reference is None or missing_reference(reference):
        return Reading((), reason="no usable reference")
    if read_number(reference) is not None and "nswer" not in reference and not _may_offer(prompt):
        return Reading((reference,))
    if _is_polar_stand_in(reference, prompt):
        return Reading((), reason="a truth value, where the prompt asks for none")
    accepted = _accepted(reference)
    if accepted is not None:
        readings = [read_reference(one, prompt=prompt) for one in accepted]
        answers = tuple(answer for one in readings for answer in one.answers)
        return Reading(answers, reason="" if answers else "no usable reference")
    answer = _bare(reference)
    if answer is None or missing_reference(answer):
        return Reading((), reason="no answer in the reference")
    return _with_options(answer, prompt)


def _accepted(reference: str) -> list[str] | None:
    """The answers of a JSON list; an object or a list of other things is no reference."""
    text = reference.strip()
    if text[:1] not in "[{" or ('"' not in text and ":" not in text):
        return None
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(read, list) and read and all(isinstance(one, str | int | float) for one in read):
        return [str(one) for one in read]
    return []


_SAID = re.compile(
    r"(?is)\A\s*(?:\*\*)?\s*(?:the\s+)?(?:final\s+|correct\s+|right\s+)?(?:answer|solution|result)\s*"
    r"(?:is|:|=)\s*:?\s*(?:\*\*)?\s*(.+?)\s*\.?\s*\Z"
)


def _bare(reference: str) -> str | None:
    """The answer inside a reference."""
    worked = len(reference) > LONG or ("\n" in reference.strip() and r"\begin" not in reference)
    if "boxed" in reference:
        found = find_answer(reference, rival="last" if worked else "all").answer
        return found if found is None or not worked or len(found) <= LONG else None
    if "####" in reference:
        return reference.rsplit("####", 1)[1].strip() or None
    if worked:
        return find_answer(reference, rival="last").answer
    said = _SAID.match(reference)
    return said[1].strip() if said and re.search(r"\w", said[1]) else reference


_LETTER_AND_TEXT = re.compile(r"\(?([A-J])\s*[).:]\s*(\S.*)\Z", re.DOTALL)


def _with_options(answer: str, prompt: str) -> Reading:
    letters = choice_of(answer)
    if letters is not None:
        return Reading((answer,), letters)
    named = _LETTER_AND_TEXT.match(plain_words(clean(answer))) or _LETTER_AND_TEXT.match(answer.strip())
    options = options_of(prompt) if _may_offer(prompt) else {}
    if named is not None and (
        not options or canonical(options.get(named[1], named[2])) == canonical(named[2])
    ):
        return Reading((named[1], named[2]), frozenset(named[1]))
    same = [letter for letter, option in options.items() if canonical(option) == canonical(answer)]
    return Reading((answer,), frozenset(same) if len(same) == 1 else None)


def _may_offer(prompt: str) -> bool:
    return any(f"A{mark}" in prompt and f"B{mark}" in prompt for mark in ").:}")


_TRUTH = re.compile(
    r"(?i)\b(?:true|false|correct|incorrect|right|wrong|valid|whether|yes|no)\b|(?:^|[.!?:]\s+|\n)(?:is|are|does|do|did|can|could|was|were|has|have|will|if)\b"
)


def _is_polar_stand_in(reference: str, prompt: str) -> bool:
    """Whether `true` or `false` answers no question of the prompt: a field of a table became a reference."""
    return reference.strip().lower() in ("true", "false") and _TRUTH.search(prompt) is None
