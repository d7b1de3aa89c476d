"""Verifiers as a pipeline names them: each with the domains it takes. A new verifier is one class here."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from pydantic import BaseModel

from verifiers import Case
from verifiers.math import Math

__all__ = ["AnyRoute", "MathRoute", "Route"]


class Route(BaseModel):
    """What a pipeline adds to a verifier."""

    wants_reference: ClassVar[bool] = False
    """Whether the verifier can say nothing of a problem without a reference."""
    domains: tuple[str, ...] | None = None
    """Domains of the completions that this verifier judges; null: all."""

    def takes(self, case: Case) -> bool:
        """Whether the verifier is asked about a case at all."""
        if self.wants_reference and case.reference is None:
            return False
        return self.domains is None or case.domain in self.domains


class MathRoute(Math, Route):
    """The math verifier."""

    wants_reference = True


AnyRoute: TypeAlias = MathRoute
