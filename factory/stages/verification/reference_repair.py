"""Proposes another reference where every completion fails the one that is there."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field, field_validator

from factory.core import Apply, Flow, Site, Stage, cut
from factory.stages.verification.verifier_config import Asked
from factory.stages.verification.verifier_configs import AnyRoute, JudgeRoute
from factory.stages.verification.verify import case_of
from verifiers import Case
from verifiers.majority import majority_answer

__all__ = ["ReferenceRepair"]

_READ = ("prompt", "reference", "tests", "domain", "reasoning_content", "content", "finish_reason")


class ReferenceRepair(Stage):
    """Adds `repaired_reference` to problems whose own reference is likely wrong. Cuts nothing.

    A pass rate of 0 means a hard problem or a wrong reference; more than half of such problems of one public
    set were the latter (Light-R1, 2503.10460). The completions of such a problem vote, and the answer of the
    majority is proposed when a second verifier, which should go by other means than the first, passes so many
    of those who gave it that they are still the majority. The second verifier never sees the old reference:
    one that compares with a reference is given the proposed answer, any other judges without one, as a judge
    that is asked for a grade does.

    The old reference stays in `reference`, and the verdicts stay those against it. `repair` says as a JSON
    object what was found: `answer`, `share` and `samples` of the vote, `second`, `confirmed` and `repaired`.
    """

    type: Literal["reference-repair"] = "reference-repair"
    requires: ClassVar[frozenset[str]] = frozenset({"id", "pass_rate", "n_judged", *_READ})
    adds: ClassVar[pa.Schema] = pa.schema([("repaired_reference", pa.string()), ("repair", pa.string())])
    minimal: ClassVar[Mapping[str, Any]] = {"second": {"type": "math"}}
    second: AnyRoute
    """The verifier that must confirm the answer of the majority."""
    min_samples: Annotated[int, Field(ge=2)] = 4
    """Fewest judged completions of a problem that say anything about its reference."""
    min_share: Annotated[float, Field(gt=0.5, le=1)] = 0.6
    """Least share of a problem's completions that give the answer, and that the second verifier confirms."""

    @field_validator("second")
    @classmethod
    def _judges_alone(cls, second: AnyRoute) -> AnyRoute:
        if isinstance(second, JudgeRoute) and second.ask == "reference":
            raise ValueError("the old reference is in doubt; set `ask: grade` for a judge without one")
        if second.together:
            raise ValueError(f"`{second.type}` is the vote itself; wanted a verifier of another kind")
        return second

    def identity(self) -> dict[str, Any]:
        """Fields, with the identity of the second verifier."""
        plain = self.model_dump(mode="json", exclude={"name", "second"})
        return plain | {"second": self.second.identity()}

    @contextmanager
    def open(self, site: Site) -> Iterator[Apply]:
        """Holds the second verifier open."""
        with self.second.opened(site) as opened:

            def apply(batch: pa.Table) -> Flow:
                flow = self._repaired(batch, opened.judge)
                spent = Counter(flow.spent or {}) + opened.take_spent()
                return Flow(flow.kept, flow.rejected, spent=dict(spent))

            yield apply

    def _repaired(self, batch: pa.Table, judge: Asked) -> Flow:
        rows = batch.select(["id", "pass_rate", "n_judged", *_READ]).to_pylist()
        problems: dict[str, list[int]] = defaultdict(list)
        for place, row in enumerate(rows):
            if self._is_suspect(row):
                problems[row["id"]].append(place)
        found: list[dict[str, Any] | None] = [None] * len(rows)
        spent: Counter[str] = Counter()
        for places in problems.values():
            finding = self._finding([case for p in places if (case := case_of(rows[p])) is not None], judge)
            spent.update(references_suspect=1, references_repaired=int(finding["repaired"]))
            for place in places:
                found[place] = finding
        references = [one["answer"] if one and one["repaired"] else None for one in found]
        notes = [None if one is None else json.dumps(one, ensure_ascii=False) for one in found]
        kept = batch.append_column(self.adds.field("repaired_reference"), pa.array(references, pa.string()))
        kept = kept.append_column(self.adds.field("repair"), pa.array(notes, pa.string()))
        flow = cut(kept, pa.nulls(kept.num_rows, pa.string()))
        return Flow(flow.kept, flow.rejected, spent={k: n for k, n in spent.items() if n})

    def _is_suspect(self, row: Mapping[str, Any]) -> bool:
        return (
            row["reference"] is not None
            and row["pass_rate"] == 0.0
            and (row["n_judged"] or 0) >= self.min_samples
        )

    def _finding(self, cases: Sequence[Case], judge: Asked) -> dict[str, Any]:
        vote = majority_answer(
            [case.content for case in cases], min_share=self.min_share, min_samples=self.min_samples
        )
        finding = {"answer": vote.answer, "share": round(vote.share, 4), "samples": len(cases)}
        if vote.answer is None:
            return finding | {"second": None, "confirmed": None, "repaired": False}
        winner = max(set(vote.clusters) - {-1}, key=vote.clusters.count)
        shown = vote.answer if self.second.wants == "reference" else None
        asked = [
            replace(case, reference=shown, tests=None)
            for case, cluster in zip(cases, vote.clusters, strict=True)
            if cluster == winner
        ]
        verdicts = judge(asked) if all(self.second.takes(case) for case in asked) else []
        confirmed = sum(verdict is not None and verdict.verdict == "pass" for verdict in verdicts)
        repaired = confirmed >= self.min_share * len(cases)
        return finding | {"second": self.second.type, "confirmed": confirmed, "repaired": repaired}
