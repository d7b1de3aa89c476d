"""Pure judgement: is this completion right? Knows nothing of pipelines or storage."""

from __future__ import annotations

from verifiers.base import Case, Judge, Outcome, Verdict, Verifier
from verifiers.code.verifier import Code
from verifiers.format import Format
from verifiers.ifeval.verifier import IFEval
from verifiers.judge.verifier import LLMJudge
from verifiers.length import Length
from verifiers.majority import Majority, majority_answer
from verifiers.math import Math
from verifiers.repetition import Repetition
from verifiers.reward import Reward

__all__ = [
    "Case",
    "Code",
    "Format",
    "IFEval",
    "Judge",
    "LLMJudge",
    "Length",
    "Majority",
    "Math",
    "Outcome",
    "Repetition",
    "Reward",
    "Verdict",
    "Verifier",
    "majority_answer",
]
