"""From proposed pairs to what becomes of each row: greedy keep in the order of rank, pair by pair judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from factory.sameness.judgement import Judgement, Problem, judge
from factory.stages.dedup.pairs import PairStore

__all__ = ["Doubtful", "Link", "Outcome", "Reason", "keep_greedily", "settle_conflicts"]

Doubtful: TypeAlias = Literal["keep", "review", "reject"]
Reason: TypeAlias = Literal["exact_duplicate", "near_duplicate", "reference_conflict", "doubtful_duplicate"]
_MOST_JUDGED = 64
"""Kept rows that one row is compared with, the most alike first; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Link:
    """Why a row goes or is doubtful: the kept row it is like, the judgement on both, how alike they are."""

    like: int
    judgement: Judgement
    score: float
    reason: Reason


@dataclass(slots=True)
class Outcome:
    """What becomes of the rows, by row number."""

    removed: dict[int, Link] = field(default_factory=dict)
    doubtful: dict[int, Link] = field(default_factory=dict)
    """Kept rows that say in other words what another may say, or that disagree with it."""
    conflicts: list[tuple[int, int]] = field(default_factory=list)
    """Pairs of kept rows with one text and two answers."""
    verdicts: Counter[str] = field(default_factory=Counter)
    apart: Counter[str] = field(default_factory=Counter)
    """Pairs that are different, by the kind of what differs."""
    unjudged: int = 0
    """Pairs beyond the number that one row is compared with."""
    settled: int = 0
    """Rows removed because the most of their copies have another answer."""


def keep_greedily(
    pairs: PairStore, problem: Callable[[int], Problem], *, fixed: int, doubtful: Doubtful
) -> Outcome:
    """Visits rows by rank; a row goes when a kept row before it is the same problem.

    A chain of likenesses does not swallow rows that are like no kept row. The `fixed` best-ranked rows
    (earlier releases) stay. The result depends on the pairs and the ranks alone.
    """
    found = Outcome()
    rows = np.empty(pairs.rank.size, np.int64)
    rows[pairs.rank] = np.arange(pairs.rank.size)
    gone = np.zeros(pairs.rank.size, bool)
    for later, heads, scores in pairs.by_later(fixed=fixed):
        row = int(rows[later])
        kept = [(int(rows[h]), s) for h, s in zip(heads, scores, strict=True) if not gone[h]]
        found.unjudged += max(0, len(kept) - _MOST_JUDGED)
        if _judged(found, row, kept[:_MOST_JUDGED], problem):
            gone[later] = True
        elif doubtful == "reject" and row in found.doubtful:
            found.removed[row] = found.doubtful.pop(row)
            gone[later] = True
    return settle_conflicts(found, problem, rank=pairs.rank.tolist(), fixed=fixed, doubtful=doubtful)


def _judged(
    found: Outcome, row: int, kept: Sequence[tuple[int, float]], problem: Callable[[int], Problem]
) -> bool:
    """Whether a kept row is the same problem; notes what else is seen on the way."""
    doubt: Link | None = None
    conflicts: list[tuple[int, int]] = []
    for head, score in kept:
        said = judge(problem(head), problem(row))
        found.verdicts[said.verdict] += 1
        if said.verdict == "same":
            found.removed[row] = Link(head, said, score, "near_duplicate")
            return True
        if said.verdict == "conflict":
            conflicts.append((head, row))
        elif said.verdict == "review":
            doubt = doubt or Link(head, said, score, "doubtful_duplicate")
        else:
            found.apart.update(said.difference.kinds[:1] if said.answers != "differ" else ("answers",))
    found.conflicts += conflicts
    if doubt is not None:
        found.doubtful[row] = doubt
    return False


def settle_conflicts(
    found: Outcome, problem: Callable[[int], Problem], *, rank: Sequence[int], fixed: int, doubtful: Doubtful
) -> Outcome:
    """Rows with one text and several answers: the answer that most copies have stays, if one has more than
    half; otherwise each stays and is doubtful."""
    copies: dict[int, list[int]] = {}
    for row, link in found.removed.items() if found.conflicts else ():
        copies.setdefault(link.like, []).append(row)
    for heads in _groups(found.conflicts):
        heads.sort(key=lambda row: rank[row])
        votes = [1 + sum(_agrees(found.removed[c]) for c in copies.get(row, ())) for row in heads]
        most = votes.index(max(votes))
        decided = 2 * votes[most] > sum(votes)
        for place, row in enumerate(heads):
            like = heads[most] if decided else heads[place == 0]
            if row == like:
                continue
            link = Link(like, judge(problem(like), problem(row)), 1.0, "reference_conflict")
            if rank[row] < fixed or not (decided or doubtful == "reject"):
                found.doubtful[row] = link
                continue
            found.removed[row] = link
            found.doubtful.pop(row, None)
            found.settled += decided
            for copy in copies.get(row, ()):
                old = found.removed[copy]
                reason = link.reason if _agrees(old) else old.reason
                found.removed[copy] = Link(like, old.judgement, old.score, reason)
    return found


def _agrees(link: Link) -> bool:
    return link.judgement.answers == "agree"


def _groups(pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Rows that hang together by pairs."""
    parent: dict[int, int] = {}

    def root(row: int) -> int:
        while parent.setdefault(row, row) != row:
            row = parent[row]
        return row

    for one, other in pairs:
        parent[root(one)] = root(other)
    groups: dict[int, list[int]] = {}
    for row in parent:
        groups.setdefault(root(row), []).append(row)
    return list(groups.values())
