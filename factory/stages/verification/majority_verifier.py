"""The vote of a problem's completions, where nobody wrote a reference."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Literal

from pydantic import Field

from factory.core import Site
from factory.stages.verification.verifier_config import Opened, Route
from verifiers import Case, Verdict, majority_answer

__all__ = ["MajorityRoute"]


class MajorityRoute(Route):
    """Passes the completions that give the answer on which most samples of the problem agree.

    Without such an answer it says nothing of the problem: the verdict stays null, it is no fail and no error.
    The score of a verdict is the share of the samples that give the winning answer. Agreement is no proof: a
    teacher that errs in one way all the time agrees with itself.
    """

    together: ClassVar[bool] = True
    by_rules: ClassVar[bool] = False
    type: Literal["majority"] = "majority"
    min_share: float = Field(default=0.6, gt=0.5, le=1)
    """Least share of all samples that the winning answer needs, those without an answer included."""
    min_samples: int = Field(default=4, ge=2)
    """Fewest samples of a problem that make a vote."""
    with_reference: bool = False
    """Whether problems that have a reference are put to the vote as well."""

    def declines(self, case: Case) -> str | None:
        """Problems that have a reference are not put to the vote, unless told otherwise."""
        if case.reference is not None and not self.with_reference:
            return "there is a reference"
        return super().declines(case)

    @contextmanager
    def opened(self, site: Site) -> Iterator[Opened]:
        """Holds nothing."""
        yield Opened(self._judged)

    def _judged(self, cases: Sequence[Case]) -> list[Verdict | None]:
        problems: dict[tuple[str | None, str], list[int]] = defaultdict(list)
        for place, case in enumerate(cases):
            problems[case.domain, case.prompt].append(place)
        verdicts: list[Verdict | None] = [None] * len(cases)
        for places in problems.values():
            for place, verdict in zip(places, self._voted([cases[p] for p in places]), strict=True):
                verdicts[place] = verdict
        return verdicts

    def _voted(self, cases: Sequence[Case]) -> list[Verdict | None]:
        start = time.perf_counter()
        contents = [case.content for case in cases]
        found = majority_answer(contents, min_share=self.min_share, min_samples=self.min_samples)
        if found.answer is None:
            return [None] * len(cases)
        winner = max(set(found.clusters) - {-1}, key=found.clusters.count)
        detail = f"{found.answer[:80]!r} is the answer of {found.share:.2f} of {len(cases)} samples"
        seconds = (time.perf_counter() - start) / len(cases)
        return [
            Verdict(
                self.type,
                self.version,
                "pass" if cluster == winner else "fail",
                found.share,
                detail,
                seconds,
            )
            for cluster in found.clusters
        ]
