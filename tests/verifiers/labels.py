"""Labels of real outputs, and why one is not believed."""

from __future__ import annotations

from verifiers.base import Case, Verdict
from verifiers.math.compare import same_answer
from verifiers.math.endings import broken_off
from verifiers.math.extract import answer_part, find_answer

__all__ = ["why_disbelieved"]


def why_disbelieved(case: Case, verdict: Verdict, *, label: bool, read: str) -> str | None:
    """Why a label that contradicts the verdict is not believed, checked on the row; null when it should be.

    `read` is the answer that the label was given for.
    """
    part = answer_part(case.content) or ""
    found = find_answer(part).answer
    reference = case.reference or ""
    if verdict.verdict == "pass" and not label:
        spelled = [found or "", (found or "").rsplit("=", 1)[-1]]
        if any(same_answer(reference, one, prompt=case.prompt) for one in spelled):
            return "label: the answer equals the reference"
        return "label: the option of the reference is chosen" if "option letters" in verdict.detail else None
    if broken_off(part) or part.rstrip()[-1:] not in ".!?)]}$>*":
        return "text: stops in mid-sentence, before an answer"
    if same_answer(reference, read) is False:
        return "label: was given for another value than the reference"
    return None
