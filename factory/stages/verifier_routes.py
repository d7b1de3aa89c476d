"""Verifiers as a pipeline names them: each with the domains it takes. A new verifier is one class here."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, Field

from verifiers import Case
from verifiers.code import Code
from verifiers.format import Format
from verifiers.ifeval import IFEval
from verifiers.length import Length
from verifiers.math import Math
from verifiers.repetition import Repetition

__all__ = [
    "AnyRoute",
    "CodeRoute",
    "FormatRoute",
    "IFEvalRoute",
    "LengthRoute",
    "MathRoute",
    "RepetitionRoute",
    "Route",
]


class Route(BaseModel):
    """What a pipeline adds to a verifier."""

    wants: ClassVar[Literal["reference", "tests"] | None] = None
    """What the verifier can say nothing without."""
    domains: tuple[str, ...] | None = None
    """Domains of the completions that this verifier judges; null: all."""

    def takes(self, case: Case) -> bool:
        """Whether the verifier is asked about a case at all."""
        if self.wants is not None and getattr(case, self.wants) is None:
            return False
        return self.domains is None or case.domain in self.domains


class MathRoute(Math, Route):
    """The math verifier."""

    wants = "reference"


class CodeRoute(Code, Route):
    """The code verifier."""

    wants = "tests"


class FormatRoute(Format, Route):
    """The verifier of the parts of a completion."""


class RepetitionRoute(Repetition, Route):
    """The verifier of completions that go round in circles."""


class LengthRoute(Length, Route):
    """The verifier of lengths."""


class IFEvalRoute(IFEval, Route):
    """The verifier of instructions whose following can be checked by rules."""

    wants = "tests"


AnyRoute: TypeAlias = Annotated[
    MathRoute | CodeRoute | FormatRoute | RepetitionRoute | LengthRoute | IFEvalRoute,
    Field(discriminator="type"),
]
