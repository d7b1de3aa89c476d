"""What a dedup says of its own work: removals, how many of them are doubtful, and what looks wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from factory.stages.dedup.compared_rows import ComparedRows
from factory.stages.dedup.judged import Outcome

__all__ = ["alarms", "outcome_report", "planted", "precision"]

_GIANT_ROWS, _GIANT_SHARE = 50, 0.1
"""A group of copies of at least so many rows and so large a share of all is an alarm."""
_AUDITED_ROWS, _AUDITED_CHARS = 60, 4000
_LEAST_FOUND, _MOST_MERGED = 0.8, 0.01
_LEAST_ROWS, _TIMES, _LEAST_SHARE = 50, 3.0, 0.2
"""A source or a script of so many rows is an alarm when it loses so many times the share of the others, and
so large a share."""


def outcome_report(found: Outcome) -> dict[str, Any]:
    """Counts of judged pairs: verdicts, and for those kept apart the kind of what differs."""
    return {
        "pairs_judged": found.verdicts.total(),
        "verdicts": dict(sorted(found.verdicts.items())),
        "kept_apart_by": dict(found.apart.most_common()),
        "pairs_unjudged": found.unjudged,
        "conflicts": len(found.conflicts),
        "conflicts_settled": found.settled,
        "review": len(found.doubtful),
    }


def precision(answers: Counter[str], *, settled: int) -> dict[str, Any]:
    """Of the removed rows those that have an answer beside the kept row's, and those whose answers differ: an
    upper bound of false removals. Rows removed to settle a conflict of answers are apart."""
    known = answers["agree"] + answers["differ"]
    return {
        "removed_answers_known": known,
        "removed_answers_differ": answers["differ"],
        "removed_answers_differ_share": round(answers["differ"] / known, 5) if known else 0.0,
        "removed_to_settle_conflicts": settled,
    }


def planted(rows: ComparedRows, *, fixed: int) -> tuple[dict[str, Any], list[str]]:
    """How the judgement does on rewrites of some rows: the report, and alarms where it does badly."""
    from factory.sameness.planted_audit import audit

    total = len(rows.settings)
    rng = np.random.default_rng(0)
    chosen = fixed + np.sort(rng.choice(total - fixed, min(_AUDITED_ROWS, total - fixed), replace=False))
    texts = [text for row in chosen.tolist() if len(text := rows.text(row)) <= _AUDITED_CHARS]
    found = audit(texts)
    report = {
        "planted_same_found": round(found.found, 4),
        "planted_other_merged": round(found.merged, 5),
        "planted_same": {kind: list(counts) for kind, counts in found.same.items()},
        "planted_other": {kind: list(counts) for kind, counts in found.other.items()},
    }
    alarms = []
    if found.found < _LEAST_FOUND:
        alarms.append(f"of harmless rewrites of these rows only {found.found:.3f} are judged the same")
    if found.merged > _MOST_MERGED:
        alarms.append(f"of rewrites to another problem {found.merged:.3f} are judged the same")
    return report, alarms


def alarms(
    rows: ComparedRows, removed: npt.NDArray[np.int64], kept: npt.NDArray[np.int64], *, fixed: int
) -> list[str]:
    """What a person should look at: a giant group, a source or script that loses far more than the others,
    and pairs across scripts."""
    total = len(rows.settings)
    return [
        *_giant(kept, total - fixed),
        *_losing(rows, removed, total, fixed, "from", "source"),
        *_losing(rows, removed, total, fixed, "script", "script"),
        *_across(rows, removed, kept),
    ]


def _giant(kept: npt.NDArray[np.int64], total: int) -> Iterator[str]:
    if kept.size:
        largest = 1 + int(np.unique(kept, return_counts=True)[1].max())
        if largest >= _GIANT_ROWS and largest > _GIANT_SHARE * total:
            yield f"one group of copies holds {largest} rows of {total}; look at what they share"


def _losing(
    rows: ComparedRows, removed: npt.NDArray[np.int64], total: int, fixed: int, column: str, word: str
) -> Iterator[str]:
    codes, names = rows.codes(column)
    all_of = np.bincount(codes[fixed:], minlength=len(names))
    lost_of = np.bincount(codes[removed], minlength=len(names))
    for name, count, lost in zip(names, all_of.tolist(), lost_of.tolist(), strict=True):
        others, others_lost = int(all_of.sum()) - count, int(lost_of.sum()) - lost
        share, usual = lost / count if count else 0.0, others_lost / others if others else 0.0
        if count >= _LEAST_ROWS and others and share >= _LEAST_SHARE and share > _TIMES * usual:
            yield f"{word} '{name}' loses {lost} of {count} rows, the others {others_lost} of {others}"


def _across(rows: ComparedRows, removed: npt.NDArray[np.int64], kept: npt.NDArray[np.int64]) -> Iterator[str]:
    codes, names = rows.codes("script")
    pairs = Counter(zip(codes[removed].tolist(), codes[kept].tolist(), strict=True))
    for (one, other), count in pairs.most_common():
        if one != other and "none" not in (names[one], names[other]):
            yield f"{count} rows in {names[one]} script go as copies of rows in {names[other]} script"
