"""Pure judgement: is this completion right? Knows nothing of pipelines or storage."""

from verifiers.base import Case, Judge, Outcome, Verdict, Verifier

__all__ = ["Case", "Judge", "Outcome", "Verdict", "Verifier"]
