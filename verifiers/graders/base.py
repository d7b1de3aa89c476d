"""What graders share: which part of a completion is the answer, and which references are accepted."""

from __future__ import annotations

import json
import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from verifiers.base import Case, Judge, Outcome, Verdict, Verifier
from verifiers.math.extract import answer_part, find_answer

__all__ = ["AnswerPart", "Finding", "Grader", "UnusableReference", "accepted_references", "answer_of"]

AnswerPart = Literal["whole", "final", "last_line"]
"""What of a completion is graded: all of it, the answer that it states last, or its last line."""
_SHOWN = 60


class UnusableReference(ValueError):
    """The reference cannot be compared with anything; the message says why."""


class Finding(NamedTuple):
    """How like the reference an answer is, from 0 to 1, and what was compared."""

    score: float
    detail: str


class Grader(Verifier):
    """Compares the answer with each accepted reference; the best one counts."""

    answer: AnswerPart = "whole"
    """What is graded: the whole answer, the one stated last (a box, an answer tag, `The answer is`), as the
    math verifier finds it, or the last line."""
    references: Literal["one", "list"] = "one"
    """Whether the reference is one text, or a JSON list of texts of which any will do."""

    @abstractmethod
    def compared(self, answer: str, reference: str, *, prompt: str) -> Finding:
        """How like they are. Raises UnusableReference for a reference that cannot be compared."""

    def least_score(self) -> float:
        """The least score of a pass."""
        return 1.0

    @contextmanager
    def open(self) -> Iterator[Judge]:
        """Holds nothing."""
        yield lambda cases: [self._verdict(case) for case in cases]

    def _verdict(self, case: Case) -> Verdict:
        start = time.perf_counter()
        outcome, score, detail = self._found(case)
        return Verdict(self.type, self.version, outcome, score, detail, time.perf_counter() - start)

    def _found(self, case: Case) -> tuple[Outcome, float | None, str]:
        try:
            accepted = accepted_references(case.reference, form=self.references)
        except UnusableReference as error:
            return "error", None, str(error)
        best, unusable = Finding(0.0, ""), ""
        answer, missing = answer_of(case, part=self.answer)
        for reference in accepted:
            try:
                found = self.compared(answer or "", reference, prompt=case.prompt)
            except UnusableReference as error:
                unusable = str(error)
                continue
            best = max(best, found, key=lambda one: (one.score, bool(one.detail)))
        if answer and best.score >= self.least_score():
            return "pass", best.score, best.detail
        if unusable:
            return "error", None, unusable
        return "fail", best.score if answer else 0.0, missing or best.detail


def accepted_references(reference: str | None, *, form: Literal["one", "list"]) -> list[str]:
    """The references of which any will do. Raises UnusableReference when there is none."""
    if reference is None or not reference.strip():
        raise UnusableReference("there is no reference to compare with")
    if form == "one":
        return [reference]
    try:
        listed = json.loads(reference)
    except (ValueError, RecursionError):
        listed = None
    if not isinstance(listed, list):
        raise UnusableReference(f"the reference is no JSON list of accepted answers: {reference[:_SHOWN]!r}")
    texts = [one if isinstance(one, str) else json.dumps(one) for one in listed if _is_answer(one)]
    if not texts or len(texts) < len(listed):
        raise UnusableReference(f"not every accepted answer is a text or a number: {reference[:_SHOWN]!r}")
    return texts


def _is_answer(value: object) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def answer_of(case: Case, *, part: AnswerPart) -> tuple[str | None, str]:
    """The part of a completion that is graded; null and why where there is none."""
    if part != "final" and case.finish_reason == "length":
        return None, "cut off by the token limit"
    text = answer_part(case.content) if "<think>" in case.content else case.content
    if text is None:
        return None, "the thinking is never closed"
    if not text.strip():
        return None, "the answer is empty"
    if part == "whole":
        return text.strip(), ""
    if part == "last_line":
        return text.strip().splitlines()[-1].strip(), ""
    found = find_answer(text)
    if found.answer is None or not found.answer.strip():
        return None, f"no answer is stated: {found.how}"
    return found.answer.strip(), ""
