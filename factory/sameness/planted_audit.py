"""How the judgement does on a corpus: its own texts, rewritten so that they stay what they are or do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from factory.sameness.changing_rewrites import CHANGING
from factory.sameness.harmless_rewrites import HARMLESS, Rewrite
from factory.sameness.judgement import Problem, judge

__all__ = ["PlantedAudit", "audit"]

Counts = Mapping[str, tuple[int, int]]
"""By kind: pairs judged the same, and all pairs."""


@dataclass(frozen=True, slots=True)
class PlantedAudit:
    """What the judgement says of planted pairs."""

    same: Counts
    other: Counts

    @property
    def found(self) -> float:
        """Share of the harmless rewrites that are judged the same; 1 where none applies."""
        return _share(self.same, nothing=1.0)

    @property
    def merged(self) -> float:
        """Share of the rewrites to another problem that are judged the same."""
        return _share(self.other, nothing=0.0)


def audit(texts: Sequence[str], *, seed: int = 0) -> PlantedAudit:
    """Judges each text beside each of its rewrites."""
    rng = Random(seed)
    return PlantedAudit(_judged(texts, HARMLESS, rng), _judged(texts, CHANGING, rng))


def _judged(texts: Sequence[str], rewrites: Mapping[str, Rewrite], rng: Random) -> Counts:
    counts: dict[str, tuple[int, int]] = {}
    for text in texts:
        problem = Problem(text)
        for kind, rewrite in rewrites.items():
            made = rewrite(text, rng)
            if made is None or made == text:
                continue
            same, pairs = counts.get(kind, (0, 0))
            counts[kind] = same + (judge(problem, Problem(made)).verdict == "same"), pairs + 1
    return counts


def _share(counts: Counts, *, nothing: float) -> float:
    pairs = sum(total for _, total in counts.values())
    return sum(same for same, _ in counts.values()) / pairs if pairs else nothing
