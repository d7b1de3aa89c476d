"""The decision of a dedup as the engine wants it: removals with their evidence, notes, and the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.stages.dedup.compared_rows import ComparedRows
from factory.stages.dedup.dedup_base import Ranking
from factory.stages.dedup.judged import Doubtful, Link, Outcome
from factory.stages.dedup.verdict_report import alarms, outcome_report, planted, precision

__all__ = ["decided"]

I64 = npt.NDArray[np.int64]
_NONE = np.zeros(0, np.int64)


def decided(
    ranking: Ranking,
    rows: ComparedRows,
    found: Outcome,
    *,
    doubtful: Doubtful,
    report: Mapping[str, Any],
    score_name: str = "score",
    plain: tuple[I64, I64] = (_NONE, _NONE),
) -> pa.Table:
    """The decision on all rows; `plain` are exact copies, whose answers do not differ, and what they copy."""
    new = plain[0] >= ranking.fixed
    copies, originals = plain[0][new], plain[1][new]
    links = {row: link for row, link in found.removed.items() if row >= ranking.fixed}
    notes = {row: link for row, link in found.doubtful.items() if row >= ranking.fixed}
    notes = notes if doubtful == "review" else {}
    removed = np.concatenate([copies, np.fromiter(links, np.int64, len(links))])
    kept = np.concatenate([originals, np.array([link.like for link in links.values()], np.int64)])
    about = np.concatenate([removed, np.fromiter(notes, np.int64, len(notes))])
    others = np.concatenate([kept, np.array([link.like for link in notes.values()], np.int64)])
    reasons: list[str | None] = ["exact_duplicate"] * copies.size
    reasons += [link.reason for link in links.values()] + [None] * len(notes)
    proofs: list[dict[str, Any]] = [{} for _ in range(copies.size)]
    proofs += [_proof(link, score_name) for link in (*links.values(), *notes.values())]
    order = np.argsort(about)
    likes, origins = ranking.kept(others[order]), ranking.origins(others[order])
    evidence = [
        {"kept": like["kept"]} | like | {"origin": origin} | proofs[i]
        for like, origin, i in zip(likes, origins, order, strict=True)
    ]
    audited, doubts = planted(rows, fixed=ranking.fixed)
    whole = {
        **report,
        **audited,
        **outcome_report(found),
        **precision(_answers(links, rows, copies, originals), settled=found.settled),
        "alarms": [*report.get("alarms", ()), *doubts, *alarms(rows, removed, kept, fixed=ranking.fixed)],
    }
    return ranking.decision(about[order], reason=[reasons[i] for i in order], evidence=evidence, report=whole)


def _proof(link: Link, score_name: str) -> dict[str, Any]:
    proof = link.judgement.evidence()
    if link.reason == "reference_conflict":
        proof["verdict"] = "conflict"
    elif link.reason == "doubtful_duplicate":
        proof["verdict"] = "review"
    return proof if link.reason == "exact_duplicate" else {score_name: round(link.score, 4), **proof}


def _answers(links: Mapping[int, Link], rows: ComparedRows, copies: I64, originals: I64) -> Counter[str]:
    """Answers of the removed rows beside those of what is kept; conflicts that were settled are apart."""
    counts: Counter[str] = Counter(
        link.judgement.answers for link in links.values() if link.reason not in ("reference_conflict",)
    )
    answered = rows.answered()
    counts["agree"] += int((answered[copies] & answered[originals]).sum())
    return counts
