"""Whether two rows are the same problem: by their texts, and by the answers that they want."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

from factory.sameness.difference import Difference, difference
from factory.sameness.reading import Reading
from factory.sameness.references import agree, says_little, tests_agree

__all__ = ["Answers", "Judgement", "Problem", "Verdict", "judge", "settled_by_answers"]

Verdict: TypeAlias = Literal["same", "different", "conflict", "review"]
"""`conflict`: one text with two answers; `review`: other words for what may be the same, and nothing that
decides."""
Answers: TypeAlias = Literal["agree", "differ", "undecided", "unknown"]
"""`undecided`: both are there, and reading them cannot tell; `unknown`: one is missing."""
_SAME_TEXT = frozenset(("none", "harmless"))


class Problem:
    """What is compared of a row; its text is read once, when it is first wanted."""

    def __init__(
        self, text: str, *, reference: str | None = None, tests: str | None = None, domain: str | None = None,
        setting: str = "",
    ) -> None:  # fmt: skip
        self.text, self.reference, self.tests, self.domain = text, reference, tests, domain
        self.setting = setting
        """The turns that are not the user's, and where the user's stand among them."""

    @cached_property
    def reading(self) -> Reading:
        """The text as tokens."""
        return Reading(self.text)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict on two rows and what it rests on."""

    verdict: Verdict
    difference: Difference
    answers: Answers = "unknown"

    def evidence(self) -> dict[str, Any]:
        """What is written down of it: the kinds of the difference, the words on both sides, the answers."""
        found: dict[str, Any] = {"difference": list(self.difference.kinds) or ["none"]}
        if self.difference.left or self.difference.right:
            found["texts"] = [self.difference.left, self.difference.right]
        return found | ({} if self.answers == "unknown" else {"answers": self.answers})


def judge(one: Problem, other: Problem) -> Judgement:
    """Judges two rows that hashing, MinHash or embeddings propose; symmetric.

    Texts that differ harmlessly are the same problem, in conflict where their answers differ. Texts that say
    another thing are different whatever their answers. Other words, with the same numbers and signs, are the
    same problem where the answers agree and say more than a letter; for review where nothing decides.
    """
    if one.domain != other.domain:
        return Judgement("different", Difference("meaning", ("domain",)))
    if one.setting != other.setting:
        return Judgement("different", Difference("meaning", ("other turns",)))
    found = difference(one.reading, other.reading)
    if found.weight == "meaning":
        return Judgement("different", found)
    return settled_by_answers(one, other, found)


def settled_by_answers(one: Problem, other: Problem, found: Difference) -> Judgement:
    """The verdict on two texts that do not say different things."""
    answers, telling = _answers(one, other)
    if found.weight in _SAME_TEXT:
        parted = answers in ("differ", "undecided")
        return Judgement("conflict" if parted else "same", found, answers)
    if answers == "differ":
        return Judgement("different", found, answers)
    return Judgement("same" if answers == "agree" and telling else "review", found, answers)


def _answers(one: Problem, other: Problem) -> tuple[Answers, bool]:
    """Whether the answers agree, and whether that says something."""
    known: list[bool | None] = []
    telling = False
    if one.reference is not None and other.reference is not None:
        same = agree(one.reference, other.reference, math=one.domain in (None, "math"))
        known.append(same)
        telling = not says_little(one.reference)
    if one.tests is not None and other.tests is not None:
        known.append(tests_agree(one.tests, other.tests))
        telling = True
    if not known:
        return "unknown", False
    if False in known:
        return "differ", True
    return ("undecided", False) if None in known else ("agree", telling)
