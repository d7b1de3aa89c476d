"""Pure judgement: is this completion right? Knows nothing of pipelines or storage."""

from __future__ import annotations

from verifiers.base import Case, Judge, Outcome, Verdict, Verifier
from verifiers.format import Format
from verifiers.ifeval import IFEval
from verifiers.length import Length
from verifiers.majority import Majority, majority_answer
from verifiers.math import Math
from verifiers.repetition import Repetition

__all__ = [
    "Case",
    "Format",
    "IFEval",
    "Judge",
    "Length",
    "Majority",
    "Math",
    "Outcome",
    "Repetition",
    "Verdict",
    "Verifier",
    "majority_answer",
]
