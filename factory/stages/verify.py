"""Judges completions with one or more verifiers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from factory.core import VERDICT, Apply, Flow, Site, Stage, StageError, cut, prompt_text
from factory.stages.verifier_routes import AnyRoute
from verifiers import Case, Judge, Verdict

__all__ = ["Verify", "combined"]

_ENOUGH = 50
"""Completions judged before the share of unjudged ones can stop a run."""
_READ = ("prompt", "reference", "tests", "domain", "reasoning_content", "content", "finish_reason")

Rule = Literal["all", "any", "first"]


class Verify(Stage):
    """Adds what each verifier says of a completion, and one verdict in all. Cuts nothing.

    A completion without text (its teacher failed) is an `error`; one that no verifier takes, for its domain
    or for want of a reference or tests, has a null verdict. An error or a time-out never becomes a `fail`.
    """

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
    """Largest share of error and timeout, in a shard and in all; above it the run stops."""

    def identity(self) -> dict[str, Any]:
        """Fields, with the version of each verifier."""
        plain = super().identity()
        for fields, verifier in zip(plain["verifiers"], self.verifiers, strict=True):
            fields["version"] = verifier.version
        return plain

    @contextmanager
    def open(self, site: Site) -> Iterator[Apply]:
        """Holds the verifiers open, and counts over all shards that this worker takes."""
        seen, lock = Counter[str](), threading.Lock()
        with ExitStack() as stack:
            judges = [stack.enter_context(v.open()) for v in self.verifiers]

            def apply(batch: pa.Table) -> Flow:
                flow, here = self._judged(batch, judges)
                with lock:
                    seen.update(here)
                    self._require_judged(here)
                    self._require_judged(seen)
                return flow

            yield apply

    def _judged(self, batch: pa.Table, judges: Sequence[Judge]) -> tuple[Flow, Counter[str]]:
        cases = [_case(row) for row in batch.select(list(_READ)).to_pylist()]
        said: list[list[Verdict]] = [[] for _ in cases]
        for verifier, judge in zip(self.verifiers, judges, strict=True):
            asked = [
                place
                for place, case in enumerate(cases)
                if case is not None and verifier.takes(case) and not self._settled(said[place])
            ]
            for place, verdict in zip(
                asked, judge([c for c in map(cases.__getitem__, asked) if c]), strict=True
            ):
                said[place].append(verdict)
        verdicts = [
            "error" if case is None else combined(found, rule=self.rule)
            for case, found in zip(cases, said, strict=True)
        ]
        plain = [[{n: getattr(v, n) for n in Verdict.__slots__} for v in found] for found in said]
        kept = batch.append_column(self.adds.field("verdicts"), pa.array(plain, pa.list_(VERDICT)))
        kept = kept.append_column(self.adds.field("verdict"), pa.array(verdicts, pa.string()))
        here = Counter(
            v for v, case in zip(verdicts, cases, strict=True) if v is not None and case is not None
        )
        spent = {f"verdict_{name}": count for name, count in Counter(v or "none" for v in verdicts).items()}
        flow = cut(kept, pa.nulls(batch.num_rows, pa.string()))
        return Flow(flow.kept, flow.rejected, spent=spent), here

    def _settled(self, said: Sequence[Verdict]) -> bool:
        if not self.stop_early or not said:
            return False
        last = said[-1].verdict
        return {"all": last == "fail", "any": last == "pass", "first": last in ("pass", "fail")}[self.rule]

    def _require_judged(self, seen: Counter[str]) -> None:
        total, unjudged = seen.total(), seen["error"] + seen["timeout"]
        if total >= _ENOUGH and unjudged > self.max_unjudged_share * total:
            raise StageError(
                f"step '{self.step_name}': {unjudged} of {total} completions could not be judged "
                f"({seen['error']} errors, {seen['timeout']} timeouts), above max_unjudged_share "
                f"{self.max_unjudged_share:g}; see `detail` in `verdicts`, mend the verifier, run again"
            )


def combined(said: Sequence[Verdict], *, rule: Rule) -> str | None:
    """One verdict out of several; null where nobody judged."""
    verdicts = [v.verdict for v in said]
    unknown = next((v for v in verdicts if v in ("error", "timeout")), None)
    if not verdicts:
        return None
    if rule == "first":
        return next((v for v in verdicts if v in ("pass", "fail")), unknown)
    decisive, other = ("fail", "pass") if rule == "all" else ("pass", "fail")
    return decisive if decisive in verdicts else unknown or other


def _case(row: Mapping[str, Any]) -> Case | None:
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
    )
