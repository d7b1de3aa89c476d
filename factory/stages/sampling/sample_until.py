"""Draws a problem's completions one after another and stops when enough of them are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from factory.core import COMPLETION_COLUMNS, Apply, Site
from factory.stages.sampling.accepted_target import Target
from factory.stages.verification.verifier_configs import AnyRoute
from factory.stages.verification.verify import Rule, Verify
from factory.teachers import Completion

__all__ = ["Asked", "Drawn", "Rounds", "Until"]

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


@dataclass(frozen=True, slots=True)
class Asked:
    """One batch on its way through the rounds."""

    batch: pa.Table
    ask: Ask
    """From pairs of row and sample index to one Completion each."""
    group: str
    """Name of the batch."""
    spent: Counter[str]
    """What draws and verdicts cost; grows."""
    problems: list[Drawn] = field(default_factory=list)
    """One per row, filled by the rounds; of rows that the target made needless it stays empty."""


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

    def draw(self, asked: Asked) -> None:
        """Fills `asked.problems`; safe to call from several threads."""
        asked.problems.extend(Drawn() for _ in range(asked.batch.num_rows))
        if self._target is None:
            while self._round(asked, self._open(asked)):
                pass
            return
        counts = self._target.finished(asked.group)
        if counts is None:
            self._draw_for(self._target, asked)
        else:
            self._ask(asked, [(row, i) for row, n in enumerate(counts) for i in range(n)])

    def _draw_for(self, target: Target, asked: Asked) -> None:
        with target.batch(asked.group):
            while rows := self._open(asked):
                most = target.take(len(rows), each=self._at_once)
                if most == 0:
                    break
                drawn, before = 0, _passed(asked.problems)
                try:
                    drawn = self._round(asked, rows[:most])
                finally:
                    passed = _passed(asked.problems) - before
                    target.settle(asked.group, most, each=self._at_once, drawn=drawn, passed=passed)
            target.finish(asked.group, [len(p.completions) for p in asked.problems])

    def _open(self, asked: Asked) -> list[int]:
        return [row for row, p in enumerate(asked.problems) if not p.settled(self.until)]

    def _round(self, asked: Asked, rows: Sequence[int]) -> int:
        """Completions that were drawn of these rows."""
        wanted = [(row, index) for row in rows for index in self._next(asked.problems[row])]
        if wanted:
            self._ask(asked, wanted)
        return len(wanted)

    def _ask(self, asked: Asked, wanted: Sequence[tuple[int, int]]) -> None:
        completions = asked.ask(wanted)
        flow = self._judge(_table(asked.batch, wanted, completions))
        asked.spent.update(flow.spent or {})
        verdicts, verdict = flow.kept["verdicts"].to_pylist(), flow.kept["verdict"].to_pylist()
        for place, (row, _) in enumerate(wanted):
            problem = asked.problems[row]
            problem.completions.append(completions[place])
            problem.verdicts.append(verdicts[place])
            problem.verdict.append(verdict[place])

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
