"""Judges completions with one or more verifiers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from factory.core import VERDICT, Apply, Flow, Site, Stage, StageError, cut, prompt_text
from factory.stages.verification.canary_runs import measured, plant
from factory.stages.verification.verdict_rules import Rule, Ruling, combined
from factory.stages.verification.verifier_config import Opened
from factory.stages.verification.verifier_configs import AnyRoute
from verifiers import Case

__all__ = ["Rule", "Verify", "case_of", "combined"]

_ENOUGH = 50
"""Completions judged before the share of unjudged ones can stop a run midway, since those of one problem with
broken tests come together. Of the whole step the share counts whatever its size."""
_CAUSES = 3
_READ = ("prompt", "reference", "tests", "domain", "reasoning_content", "content", "finish_reason")


class Verify(Stage):
    """Adds what each verifier says of a completion, and one verdict in all. Cuts nothing.

    A completion without text (its teacher failed) is an `error`; one that no verifier takes, for its domain
    or for want of a reference or tests, has a null verdict. So has one of which only the form was checked
    (format, length, repetition): a form that is kept makes nothing right, a broken one makes it a `fail`
    under every rule. An error or a time-out never becomes a `fail`. A judge may turn a fail into a pass,
    which its entry in `verdicts` says; it never takes a pass away.

    In every run each worker also judges cases whose verdict is known: a verifier of rules that passes a wrong
    one stops the run, and how often each verifier errs on them is in the step's manifest.
    """

    version: ClassVar[int] = 3
    type: Literal["verify"] = "verify"
    requires: ClassVar[frozenset[str]] = frozenset(_READ)
    adds: ClassVar[pa.Schema] = pa.schema([("verdicts", pa.list_(VERDICT)), ("verdict", pa.string())])
    minimal: ClassVar[Mapping[str, Any]] = {"verifiers": [{"type": "math"}]}
    verifiers: Annotated[list[AnyRoute], Field(min_length=1)]
    """Verifiers in the order in which they judge; `domains` on one names the domains it takes."""
    rule: Rule = "all"
    """How verdicts combine: `all` must pass, `any` may pass, or the `first` that passes or fails decides."""
    stop_early: bool = True
    """Whether a verifier is spared the completions whose verdict is settled; false: each judges every one."""
    max_unjudged_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Largest share of error and timeout, of 50 completions or more under way and of all in the end."""

    def identity(self) -> dict[str, Any]:
        """Fields, with the version of each verifier and the content of its model."""
        plain = self.model_dump(mode="json", exclude={"name", "verifiers"})
        return plain | {"verifiers": [verifier.identity() for verifier in self.verifiers]}

    def lacks(self, site: Site) -> str | None:
        """What the first verifier lacks that lacks something."""
        return next((missing for v in self.verifiers if (missing := v.lacks(site.resources))), None)

    def report(self, site: Site) -> dict[str, Any] | None:
        """How often each verifier was wrong where the right verdict is known."""
        found = measured(self.verifiers, identity=self.identity(), site=site)
        return {"canaries": found} if found else None

    def fault(self, spent: Mapping[str, int], kept: Iterator[pa.Table]) -> str | None:
        """Whether too many of all completions, however few these are, could not be judged, and why not."""
        judged, unjudged = spent.get("judged", 0), spent.get("unjudged", 0)
        if unjudged <= self.max_unjudged_share * judged:
            return None
        causes = Counter(one for batch in kept for one in _causes(batch))
        return self._too_many(unjudged, judged, causes)

    @contextmanager
    def open(self, site: Site) -> Iterator[Apply]:
        """Holds the verifiers open, and counts over all shards that this worker takes."""
        seen, causes, lock, planted = Counter[str](), Counter[str](), threading.Lock(), False
        with ExitStack() as stack:
            opened = [stack.enter_context(v.opened(site)) for v in self.verifiers]

            def apply(batch: pa.Table) -> Flow:
                nonlocal planted
                with lock:
                    if not planted and batch.num_rows:
                        self._plant(opened, site)
                        planted = True
                flow, here = self._judged(batch, opened)
                with lock:
                    seen.update(here)
                    causes.update(_causes(flow.kept))
                    self._require_judged(seen, causes)
                self._require_judged(here, Counter(_causes(flow.kept)))
                return flow

            yield apply

    def _plant(self, opened: Sequence[Opened], site: Site) -> None:
        plant(self.verifiers, opened, identity=self.identity(), site=site, step=self.step_name)

    def _judged(self, batch: pa.Table, opened: Sequence[Opened]) -> tuple[Flow, Counter[str]]:
        cases = [case_of(row) for row in batch.select(list(_READ)).to_pylist()]
        rulings = [Ruling(self.rule) for _ in cases]
        spent = Counter[str]()
        for number, (verifier, one) in enumerate(zip(self.verifiers, opened, strict=True)):
            asked = {p: c for p, c in enumerate(cases) if c is not None and self._asks(number, c, rulings[p])}
            for place, verdict in zip(asked, one.judge(list(asked.values())) if asked else (), strict=True):
                if verdict is not None and verifier.checks_form:
                    rulings[place].veto(verdict)
                elif verdict is not None:
                    spent["rescued"] += rulings[place].add(verdict, turns=verifier.may_turn())
            spent.update(one.take_spent())
        verdicts = [
            "error" if case is None else ruling.verdict for case, ruling in zip(cases, rulings, strict=True)
        ]
        here = Counter(
            v for v, case in zip(verdicts, cases, strict=True) if v is not None and case is not None
        )
        spent.update(f"verdict_{verdict or 'none'}" for verdict in verdicts)
        spent.update(judged=here.total(), unjudged=here["error"] + here["timeout"])
        return self._flow(batch, rulings, verdicts, {k: n for k, n in spent.items() if n}), here

    def _asks(self, number: int, case: Case, ruling: Ruling) -> bool:
        verifier = self.verifiers[number]
        if not verifier.takes(case):
            return False
        later = frozenset[str]().union(*(v.may_turn() for v in self.verifiers[number + 1 :] if v.takes(case)))
        spare = self.stop_early and not verifier.together
        return ruling.wants(turns=verifier.may_turn(), later=later, spare=spare, vetoes=verifier.checks_form)

    def _flow(
        self,
        batch: pa.Table,
        rulings: Sequence[Ruling],
        verdicts: Sequence[str | None],
        spent: Mapping[str, int],
    ) -> Flow:
        plain = [[{n: getattr(v, n) for n in VERDICT.names} for v in ruling.said] for ruling in rulings]
        kept = batch.append_column(self.adds.field("verdicts"), pa.array(plain, pa.list_(VERDICT)))
        kept = kept.append_column(self.adds.field("verdict"), pa.array(verdicts, pa.string()))
        flow = cut(kept, pa.nulls(batch.num_rows, pa.string()))
        return Flow(flow.kept, flow.rejected, spent=spent)

    def _require_judged(self, seen: Counter[str], causes: Counter[str]) -> None:
        total, unjudged = seen.total(), seen["error"] + seen["timeout"]
        if total >= _ENOUGH and unjudged > self.max_unjudged_share * total:
            raise StageError(f"step '{self.step_name}': {self._too_many(unjudged, total, causes)}")

    def _too_many(self, unjudged: int, total: int, causes: Counter[str]) -> str:
        told = "; ".join(f"{count} x {cause}" for cause, count in causes.most_common(_CAUSES))
        return (
            f"{unjudged} of {total} completions could not be judged, above max_unjudged_share "
            f"{self.max_unjudged_share:g}: {told or 'no verifier says why'}; mend what is named and run again"
        )


def _causes(batch: pa.Table) -> Iterator[str]:
    """Of each unjudged completion the verifier that could not judge it, and why."""
    unknown = pc.is_in(batch["verdict"], value_set=pa.array(["error", "timeout"]))
    for said in batch["verdicts"].filter(unknown).to_pylist():
        for one in said:
            if one["verdict"] in ("error", "timeout"):
                yield f"{one['verifier']} {one['verdict']}: {one['detail'] or 'no detail'}"
                break


def case_of(row: Mapping[str, Any]) -> Case | None:
    """What verifiers see of a completion; null where its teacher gave none."""
    if row["content"] is None or row["finish_reason"] == "error":
        return None
    return Case(
        prompt=prompt_text(row["prompt"] or ()),
        content=row["content"],
        reasoning_content=row["reasoning_content"],
        reference=row["reference"],
        tests=row["tests"],
        domain=row["domain"],
        finish_reason=row["finish_reason"],
        turns=tuple((turn["role"], turn["content"]) for turn in row["prompt"] or ()),
    )
