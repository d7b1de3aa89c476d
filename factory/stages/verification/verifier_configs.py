"""Verifiers as a pipeline names them: each with the domains it takes. A new verifier is one class here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Union

from pydantic import Field

from factory.core.plugins import models
from factory.stages.verification.grader_configs import (
    ChoiceRoute,
    ExactRoute,
    F1Route,
    JsonSchemaRoute,
    NormalisedTextRoute,
    NumericRoute,
    PatternRoute,
    RougeLRoute,
)
from factory.stages.verification.majority_verifier import MajorityRoute
from factory.stages.verification.model_verifiers import JudgeRoute, RewardRoute
from factory.stages.verification.reference_probes import code_proof, math_proof
from factory.stages.verification.rule_canaries import CODE_CANARIES, IFEVAL_CANARIES, MATH_CANARIES
from factory.stages.verification.verifier_config import Proof, Route
from verifiers import Case
from verifiers.canaries import Canary
from verifiers.code.verifier import Code
from verifiers.format import Format
from verifiers.ifeval.verifier import IFEval
from verifiers.length import Length
from verifiers.math import Math
from verifiers.repetition import Repetition

__all__ = [
    "VERIFIERS",
    "AnyRoute",
    "CodeRoute",
    "FormatRoute",
    "IFEvalRoute",
    "JudgeRoute",
    "LengthRoute",
    "MajorityRoute",
    "MathRoute",
    "RepetitionRoute",
    "RewardRoute",
    "Route",
]


class MathRoute(Math, Route):
    """The math verifier."""

    wants = "reference"
    canaries: ClassVar[Sequence[Canary]] = MATH_CANARIES

    def proof(self, case: Case) -> Proof | None:
        """The reference as an answer, and another value in its place."""
        return math_proof(case)


class CodeRoute(Code, Route):
    """The code verifier."""

    wants = "tests"
    canaries: ClassVar[Sequence[Canary]] = CODE_CANARIES

    def proof(self, case: Case) -> Proof | None:
        """The reference as a program, where there is one, and a program that does nothing."""
        return code_proof(case)


class FormatRoute(Format, Route):
    """The verifier of the parts of a completion."""

    @property
    def checks_form(self) -> bool:
        """It does."""
        return True


class RepetitionRoute(Repetition, Route):
    """The verifier of completions that go round in circles."""

    @property
    def checks_form(self) -> bool:
        """It does."""
        return True


class LengthRoute(Length, Route):
    """The verifier of lengths."""

    @property
    def checks_form(self) -> bool:
        """It does."""
        return True


class IFEvalRoute(IFEval, Route):
    """The verifier of instructions whose following can be checked by rules."""

    wants = "tests"
    canaries: ClassVar[Sequence[Canary]] = IFEVAL_CANARIES

    def proof(self, case: Case) -> Proof | None:
        """No text, which follows no instruction."""
        return Proof(None, replace(case, content="", finish_reason="stop"))


_OURS: tuple[type[Route], ...] = (
    MathRoute,
    CodeRoute,
    FormatRoute,
    RepetitionRoute,
    LengthRoute,
    IFEvalRoute,
    RewardRoute,
    JudgeRoute,
    MajorityRoute,
    ChoiceRoute,
    ExactRoute,
    F1Route,
    JsonSchemaRoute,
    NormalisedTextRoute,
    NumericRoute,
    PatternRoute,
    RougeLRoute,
)
VERIFIERS = models(
    "factory.verifiers",
    _OURS,
    base=Route,
    wanted="a subclass of Route (factory.stages.verification.verifier_config), documented",
)
"""Verifiers by the name they have in a pipeline file."""

if TYPE_CHECKING:
    AnyRoute = Route
else:
    AnyRoute: Any = Annotated[Union[tuple(VERIFIERS.values())], Field(discriminator="type")]  # noqa: UP007
