"""Pure judgement: is this completion right? Knows nothing of pipelines or storage."""

from __future__ import annotations

from verifiers.base import Case, Judge, Outcome, Verdict, Verifier
from verifiers.math import Math

__all__ = ["Case", "Judge", "Math", "Outcome", "Verdict", "Verifier"]
