"""Reward models: raw head scores, and how they are put together afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

from pydantic import Field

from verifiers.base import Case, Judge, Outcome, Verdict, Verifier

__all__ = ["Reward", "Scorer", "ScorerSource", "combine", "passes"]

Scorer = Callable[[Sequence[tuple[str, str]]], Sequence[Mapping[str, float]]]
"""Raw scores by head for each (prompt, answer), in order; none for what is longer than the model's context.
Raises when the model is out of reach."""
ScorerSource = Callable[[str], AbstractContextManager[Scorer]]
"""Opens the scorer of a model's name; the caller who has the machines supplies it."""

AM_HEADS = ("coherence", "correctness", "helpfulness")
AM_HIGHEST = 12.0
"""Three grades of 0 to 4 each (arXiv 2504.17565)."""
Combination = Literal["am", "single"]


class Reward(Verifier):
    """Scores the answer part with a reward model. The detail keeps every head's raw score.

    The score is raw, so another combination or threshold needs no second run of the model.
    """

    type: Literal["reward"] = "reward"
    model: str
    """Name of the reward model, with its revision where it has one."""
    combination: Combination = "single"
    """`am` is (coherence + correctness + helpfulness) / 12; `single` is a Bradley-Terry model's one head."""
    threshold: float = Field(default=0.0, allow_inf_nan=False)
    """Least combined score of a pass; 0.7 with `am`. Scores of `single` compare within one prompt only."""

    def open(self, source: ScorerSource | None = None) -> AbstractContextManager[Judge]:
        """Holds the model: the given source's, or else a local folder's, loaded with transformers."""
        from verifiers.reward_transformers import opened_folder

        return self._opened(opened_folder if source is None else source)

    @contextmanager
    def _opened(self, source: ScorerSource) -> Iterator[Judge]:
        with source(self.model) as scorer:
            yield lambda cases: self._judged(cases, scorer)

    def _judged(self, cases: Sequence[Case], scorer: Scorer) -> list[Verdict]:
        start = time.perf_counter()
        asked = [number for number, case in enumerate(cases) if case.content.strip()]
        found: list[tuple[Outcome, float | None, str]] = [("fail", None, "the answer is empty")] * len(cases)
        try:
            scores = scorer([(cases[number].prompt, cases[number].content) for number in asked])
        except Exception as error:
            # The model's machine failing says nothing about the answers.
            scores = []
            found = [("error", None, f"the reward model failed: {error!r}"[:200])] * len(cases)
        for number, heads in zip(asked, scores, strict=False):
            found[number] = self._finding(heads)
        seconds = (time.perf_counter() - start) / max(1, len(cases))
        return [Verdict("reward", self.version, *one, seconds) for one in found]

    def _finding(self, heads: Mapping[str, float]) -> tuple[Outcome, float | None, str]:
        detail = " ".join(f"{name}={score!r}" for name, score in heads.items())
        try:
            score = combine(heads, combination=self.combination)
        except ValueError as error:
            return "error", None, f"{error}; {detail}" if detail else str(error)
        return ("pass" if passes(score, threshold=self.threshold) else "fail"), score, detail


def combine(heads: Mapping[str, float], *, combination: Combination) -> float:
    """One number from the heads. Raises ValueError when a head is missing, one too many, or not finite."""
    if not heads:
        raise ValueError("the conversation does not fit into the model's context")
    broken = [name for name, score in heads.items() if score != score or abs(score) == float("inf")]
    if broken:
        raise ValueError(f"heads without a finite score: {', '.join(broken)}")
    if combination == "single":
        if len(heads) != 1:
            raise ValueError(f"'single' needs one head, the model has {len(heads)}")
        return next(iter(heads.values()))
    missing = [name for name in AM_HEADS if name not in heads]
    if missing:
        raise ValueError(f"'am' needs the heads {', '.join(AM_HEADS)}; missing: {', '.join(missing)}")
    return sum(heads[name] for name in AM_HEADS) / AM_HIGHEST


def passes(score: float, *, threshold: float) -> bool:
    """Whether a combined score is enough; a score exactly at the threshold is."""
    return score >= threshold
