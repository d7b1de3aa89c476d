"""Draws a problem's completions one after another and stops when enough of them are right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from factory.core import COMPLETION_COLUMNS, Apply, Site
from factory.stages.target import Target
from factory.stages.verifier_routes import AnyRoute
from factory.stages.verify import Rule, Verify
from factory.teachers import Completion

__all__ = ["Drawn", "Rounds", "Until"]

Ask = Callable[[Sequence[tuple[int, int]]], Sequence[Completion]]


class Until(BaseModel):
    """When a problem has been asked often enough.

    The share of right completions among those drawn so is no pass rate: it ends with a right one by design.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    passed: Annotated[int, Field(ge=1)] = 1
    """Right completions of a problem after which it is asked no more."""
    max_n: Annotated[int, Field(ge=1, le=4096)]
    """Completions of a problem after which it is given up."""
    verifiers: Annotated[list[AnyRoute], Field(min_length=1)]
    """Who judges, as in `verify`; a problem that none of them takes is asked `n` times only."""
    rule: Rule = "all"
    """How verdicts combine, as in `verify`."""
    target_accepted: Annotated[int, Field(ge=1)] | None = None
    """Right completions of the whole step after which no problem is asked any more; null: all are asked."""

    @model_validator(mode="after")
    def _reachable(self) -> Until:
        if self.passed > self.max_n:
            raise ValueError(f"{self.passed} completions of {self.max_n} can never pass; raise max_n")
        return self

    def verify(self) -> Verify:
        """The stage that judges."""
        return Verify(verifiers=self.verifiers, rule=self.rule)

    def identity(self) -> dict[str, Any]:
        """The fields, with the version of each verifier."""
        return self.model_dump(mode="json") | {"verifiers": self.verify().identity()["verifiers"]}


@dataclass(slots=True)
class Drawn:
    """What a problem has so far, in the order of its samples."""

    completions: list[Completion] = field(default_factory=list)
    verdicts: list[Any] = field(default_factory=list)
    verdict: list[str | None] = field(default_factory=list)

    @property
    def passed(self) -> int:
        """Right completions."""
        return self.verdict.count("pass")

    def settled(self, until: Until) -> bool:
        """Whether it is asked no more: a failed request and a problem without a judge stay what they are."""
        if not self.completions:
            return False
        hopeless = self.completions[-1].error is not None or None in self.verdict
        return hopeless or self.passed >= until.passed or len(self.completions) >= until.max_n


class Rounds:
    """Asks all open problems of a batch, judges, and asks again those that are not settled."""

    def __init__(self, until: Until, *, at_once: int, judge: Apply, target: Target | None) -> None:
        """`at_once` completions of a problem are drawn before a look at the verdicts."""
        self.until, self._at_once = until, at_once
        self._judge, self._target = judge, target

    @classmethod
    @contextmanager
    def open(cls, until: Until, *, at_once: int, site: Site) -> Iterator[Rounds]:
        """Holds the verifiers open."""
        target = None
        if until.target_accepted is not None:
            target = Target(until.target_accepted, site=site)
        with until.verify().open(site) as judge:
            yield cls(until, at_once=at_once, judge=judge, target=target)

    def draw(self, batch: pa.Table, ask: Ask, *, group: str) -> list[Drawn]:
        """One Drawn per problem; of those that the target made needless it is empty.

        `ask` takes pairs of row and sample index and gives one Completion each. `group` names the batch.
        """
        problems = [Drawn() for _ in range(batch.num_rows)]
        if self._target is None:
            while self._round(batch, problems, ask, rows=self._open(problems)):
                pass
            return problems
        counts = self._target.finished(group)
        if counts is None:
            self._draw_for(self._target, batch, problems, ask, group=group)
        else:
            self._ask(batch, problems, ask, [(row, i) for row, n in enumerate(counts) for i in range(n)])
        return problems

    def _draw_for(
        self, target: Target, batch: pa.Table, problems: Sequence[Drawn], ask: Ask, *, group: str
    ) -> None:
        with target.batch(group):
            while rows := self._open(problems):
                most = target.take(len(rows), each=self._at_once)
                if most == 0:
                    break
                drawn, before = 0, _passed(problems)
                try:
                    drawn = self._round(batch, problems, ask, rows=rows[:most])
                finally:
                    passed = _passed(problems) - before
                    target.settle(group, most, each=self._at_once, drawn=drawn, passed=passed)
            target.finish(group, [len(p.completions) for p in problems])

    def _open(self, problems: Sequence[Drawn]) -> list[int]:
        return [row for row, p in enumerate(problems) if not p.settled(self.until)]

    def _round(self, batch: pa.Table, problems: Sequence[Drawn], ask: Ask, *, rows: Sequence[int]) -> int:
        """Completions that were drawn of these rows."""
        wanted = [(row, index) for row in rows for index in self._next(problems[row])]
        if wanted:
            self._ask(batch, problems, ask, wanted)
        return len(wanted)

    def _ask(
        self, batch: pa.Table, problems: Sequence[Drawn], ask: Ask, wanted: Sequence[tuple[int, int]]
    ) -> None:
        completions = ask(wanted)
        judged = self._judge(_table(batch, wanted, completions)).kept
        verdicts, verdict = judged["verdicts"].to_pylist(), judged["verdict"].to_pylist()
        for place, (row, _) in enumerate(wanted):
            problems[row].completions.append(completions[place])
            problems[row].verdicts.append(verdicts[place])
            problems[row].verdict.append(verdict[place])

    def _next(self, problem: Drawn) -> range:
        have = len(problem.completions)
        return range(have, min(have + self._at_once, self.until.max_n))


def _passed(problems: Sequence[Drawn]) -> int:
    return sum(p.passed for p in problems)


def _table(batch: pa.Table, wanted: Sequence[tuple[int, int]], completions: Sequence[Completion]) -> pa.Table:
    """The problems with the columns of a completion that verifiers read."""
    rows = batch.take(pa.array([row for row, _ in wanted], pa.int64()))
    for name in ("reasoning_content", "content", "finish_reason"):
        values = pa.array([getattr(c, name) for c in completions], pa.string())
        rows = rows.append_column(COMPLETION_COLUMNS.field(name), values)
    return rows
