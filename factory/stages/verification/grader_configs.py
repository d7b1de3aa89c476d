"""The generic graders as a pipeline names them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from factory.stages.verification.grader_canaries import (
    CHOICES,
    LIKE,
    NUMBERS,
    NUMBERS_NEAR,
    SCHEMAS,
    TEXTS,
    WORDS,
    Known,
    canaries_of,
)
from factory.stages.verification.reference_probes import mutated
from factory.stages.verification.verifier_config import Proof, Route
from verifiers import Case
from verifiers.canaries import Canary
from verifiers.graders.base import Grader, UnusableReference, accepted_references
from verifiers.graders.choice import Choice
from verifiers.graders.numeric import Numeric
from verifiers.graders.pattern import JsonSchema, Pattern
from verifiers.graders.text import Exact, NormalisedText, RougeL, TokenF1
from verifiers.math.choice import options_of

__all__ = [
    "ChoiceRoute",
    "ExactRoute",
    "F1Route",
    "JsonSchemaRoute",
    "NormalisedTextRoute",
    "NumericRoute",
    "PatternRoute",
    "RougeLRoute",
]


class _GraderRoute(Grader, Route):
    """A grader that compares with references."""

    wants = "reference"
    known: ClassVar[Sequence[Known]] = ()

    def planted(self) -> Sequence[Canary]:
        """Known answers, put where this configuration looks for them."""
        return canaries_of(self._known(), part=self.answer, references=self.references)

    def proof(self, case: Case) -> Proof | None:
        """The first accepted answer, and another in its place."""
        try:
            reference = accepted_references(case.reference, form=self.references)[0]
        except UnusableReference:
            return Proof(None, replace(case, content="none", finish_reason="stop"))
        said, other = reference, self._other(reference, case)
        if self.answer == "final":
            said, other = (f"<answer>{text}</answer>" for text in (said, other))
        true, false = (replace(case, content=text, finish_reason="stop") for text in (said, other))
        return Proof(true, false)

    def _known(self) -> Sequence[Known]:
        return self.known

    def _other(self, reference: str, case: Case) -> str:
        return mutated(reference)


class ExactRoute(Exact, _GraderRoute):
    """The grader of texts letter by letter."""

    known: ClassVar[Sequence[Known]] = TEXTS


class NormalisedTextRoute(NormalisedText, _GraderRoute):
    """The grader of texts but for case, marks and articles."""

    known: ClassVar[Sequence[Known]] = WORDS


class F1Route(TokenF1, _GraderRoute):
    """The grader by F1 of words."""

    by_degree = True
    known: ClassVar[Sequence[Known]] = LIKE

    def _other(self, reference: str, case: Case) -> str:
        return "none"


class RougeLRoute(RougeL, _GraderRoute):
    """The grader by ROUGE-L."""

    by_degree = True
    known: ClassVar[Sequence[Known]] = LIKE

    def _other(self, reference: str, case: Case) -> str:
        return "none"


class NumericRoute(Numeric, _GraderRoute):
    """The grader of numbers."""

    def _known(self) -> Sequence[Known]:
        return NUMBERS_NEAR if self.abs_tol >= 1 else NUMBERS

    def _other(self, reference: str, case: Case) -> str:
        return "no number"


class ChoiceRoute(Choice, _GraderRoute):
    """The grader of choices."""

    def _known(self) -> Sequence[Known]:
        if self.labels is None:
            return CHOICES
        first, second = self.labels[:2]
        return (("Which?", first, first, True), ("Which?", first, second, False))

    def _other(self, reference: str, case: Case) -> str:
        others = self.labels or tuple(options_of(case.prompt)) or ("A", "B")
        return next((one for one in others if one.casefold() != reference.strip(" ().").casefold()), "none")


class PatternRoute(Pattern, Route):
    """The grader by a regular expression."""

    @property
    def checks_form(self) -> bool:
        """One pattern for every row says nothing of what is right for each."""
        return self.pattern is not None

    def declines(self, case: Case) -> str | None:
        """A row without a reference, where that is the pattern."""
        if self.pattern is None and case.reference is None:
            return "there is no reference"
        return super().declines(case)

    def planted(self) -> Sequence[Canary]:
        """Words for patterns that are the rows' own; one for all rows is known to nobody else."""
        if self.pattern is not None or self.whole:
            return ()
        known: Sequence[Known] = (
            ("Which?", r"\bfive\s+\w+s\b", "five apples", True),
            ("Which?", r"\bfive\s+\w+s\b", "four apples", False),
            ("Which?", r"^\d{3}$", "1234", False),
        )
        return canaries_of(known, part=self.answer, references=self.references)

    def proof(self, case: Case) -> Proof | None:
        """No text, in which nothing may be found."""
        return Proof(None, replace(case, content="", finish_reason="stop"))


class JsonSchemaRoute(JsonSchema, Route):
    """The grader by a JSON schema."""

    @property
    def checks_form(self) -> bool:
        """One schema for every row says nothing of what is right for each."""
        return self.json_schema is not None

    def declines(self, case: Case) -> str | None:
        """A row without tests, where these hold the schema."""
        if self.json_schema is None and case.tests is None:
            return "there are no tests"
        return super().declines(case)

    def planted(self) -> Sequence[Canary]:
        """Objects for a schema of a row; one for all rows is known to nobody else."""
        fits = self.json_schema is None and self.answer == "whole" and self.fenced
        return SCHEMAS if fits else ()

    def proof(self, case: Case) -> Proof | None:
        """A text that is no JSON."""
        return Proof(None, replace(case, content=json.dumps("x")[:-1], finish_reason="stop"))
