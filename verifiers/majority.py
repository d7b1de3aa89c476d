"""The answer that most samples of one problem agree on, where nobody wrote a reference."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from verifiers.math.canonical import canonical
from verifiers.math.compare import same_answer
from verifiers.math.extract import answer_part, find_answer

__all__ = ["Majority", "exactly_same", "majority_answer"]

_REFUSAL = re.compile(r"(?i)\b(?:do not|don't|cannot|can't|unable|not sure|unknown|no idea)\b")
"""Completions that agree on not knowing do not vote for an answer."""

Same = Callable[[str, str], bool]
"""Whether two answers are one; must be symmetric."""


@dataclass(frozen=True, slots=True)
class Majority:
    """What the samples of one problem come to."""

    answer: str | None
    """The winning answer as its first sample wrote it; null when no answer is common enough."""
    share: float
    """Samples in the largest cluster over all samples, those without an answer included."""
    clusters: tuple[int, ...]
    """For each sample the number of its cluster in order of appearance; -1 when it has no answer."""
    detail: str = ""


def exactly_same(first: str, second: str) -> bool:
    """The math comparison by reading alone: what it cannot decide counts as different."""
    return canonical(first) == canonical(second) or same_answer(first, second) is True


def majority_answer(
    contents: Sequence[str], *, min_share: float = 0.6, min_samples: int = 4, same: Same = exactly_same
) -> Majority:
    """Clusters the final answers of one problem's completions and names the winner.

    The winner needs `min_share` of all samples and `min_samples` samples in all; a tie has no winner.
    """
    answers = [_answer(content) for content in contents]
    heads: list[str] = []
    clusters: list[int] = []
    for answer in answers:
        if answer is None:
            clusters.append(-1)
            continue
        twin = next((number for number, head in enumerate(heads) if same(head, answer)), None)
        if twin is None:
            twin = len(heads)
            heads.append(answer)
        clusters.append(twin)
    sizes = [clusters.count(number) for number in range(len(heads))]
    if not sizes:
        return Majority(None, 0.0, tuple(clusters), "no sample has an answer")
    largest = max(sizes)
    share = largest / len(contents)
    if len(contents) < min_samples:
        return Majority(None, share, tuple(clusters), f"{len(contents)} samples, fewer than {min_samples}")
    if share < min_share or sizes.count(largest) > 1:
        return Majority(
            None, share, tuple(clusters), f"largest share {share:.2f}, needs {min_share} and no tie"
        )
    return Majority(heads[sizes.index(largest)], share, tuple(clusters))


def _answer(content: str) -> str | None:
    text = answer_part(content)
    found = find_answer(text).answer if text else None
    if found is None or not canonical(found) or _REFUSAL.search(found):
        return None
    return found
