"""Graders that compare texts: as they stand, normalised, or by their likeness."""

from __future__ import annotations

import unicodedata
from typing import Literal

from pydantic import Field

from verifiers.graders.base import Finding, Grader, UnusableReference
from verifiers.graders.similarity import f1, rouge_l, squad_normalised

__all__ = ["Exact", "NormalisedText", "RougeL", "TokenF1"]

_SHOWN = 60


class Exact(Grader):
    """Passes an answer that is the reference letter by letter, space at its ends not counted."""

    type: Literal["exact"] = "exact"
    ignore_case: bool = False
    """Whether capital and small letters are one."""

    def compared(self, answer: str, reference: str, *, prompt: str) -> Finding:
        """1 where both are the same text in Unicode's composed form."""
        said, wanted = (unicodedata.normalize("NFC", text).strip() for text in (answer, reference))
        if self.ignore_case:
            said, wanted = said.casefold(), wanted.casefold()
        return _same(said, wanted)


class NormalisedText(Grader):
    """Passes an answer that is the reference but for case, punctuation, articles and blanks, as in SQuAD."""

    type: Literal["normalised-text"] = "normalised-text"

    def compared(self, answer: str, reference: str, *, prompt: str) -> Finding:
        """1 where nothing else differs."""
        return _same(squad_normalised(answer), _meaningful(reference))


class TokenF1(Grader):
    """Passes an answer whose words are much the same as the reference's, in any order, as SQuAD's F1 has it.

    Likeness is no truth: one word, such as a number or a `not`, makes little difference in a long answer.
    """

    type: Literal["f1"] = "f1"
    min_score: float = Field(default=0.8, gt=0, le=1)
    """Least F1 of a pass. Nothing published says where right begins: look at rows on both sides."""

    def least_score(self) -> float:
        """As set."""
        return self.min_score

    def compared(self, answer: str, reference: str, *, prompt: str) -> Finding:
        """The F1 of their words."""
        _meaningful(reference)
        return _scored("F1", f1(answer, reference))


class RougeL(Grader):
    """Passes an answer that has much of the reference's words in their order, by ROUGE-L's F-measure.

    Likeness is no truth: one word, such as a number or a `not`, makes little difference in a long answer.
    """

    type: Literal["rouge-l"] = "rouge-l"
    min_score: float = Field(default=0.8, gt=0, le=1)
    """Least F-measure of a pass. Nothing published says where right begins: look at rows on both sides."""

    def least_score(self) -> float:
        """As set."""
        return self.min_score

    def compared(self, answer: str, reference: str, *, prompt: str) -> Finding:
        """The F-measure of their longest common subsequence of words."""
        _meaningful(reference)
        return _scored("ROUGE-L", rouge_l(answer, reference))


def _meaningful(reference: str) -> str:
    normalised = squad_normalised(reference)
    if not normalised:
        raise UnusableReference(f"nothing is left of the reference without articles and marks: {reference!r}")
    return normalised


def _same(said: str, wanted: str) -> Finding:
    if said == wanted:
        return Finding(1.0, f"the same as {wanted[:_SHOWN]!r}")
    return Finding(0.0, f"{said[:_SHOWN]!r} is not {wanted[:_SHOWN]!r}")


def _scored(name: str, score: float) -> Finding:
    return Finding(score, f"{name} {score:.3f}")
