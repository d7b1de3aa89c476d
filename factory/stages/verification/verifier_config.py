"""What a pipeline adds to a verifier: whom it judges, how it is opened at a site, how it is tested itself."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from factory.core import Resources, Site, storable
from verifiers import Case, Verdict, Verifier
from verifiers.canaries import Canary

__all__ = ["Asked", "Opened", "Proof", "Route"]

Asked = Callable[[Sequence[Case]], Sequence[Verdict | None]]
"""Judges a batch: one verdict per case, in order; null where it says nothing of a case."""


class Opened:
    """A verifier that is ready to judge; safe to use from several threads where its judge is."""

    def __init__(self, judge: Asked, *, judge_canaries: Asked | None = None) -> None:
        """`judge_canaries` judges the cases whose verdict is known, where that is done otherwise."""
        self.judge = _storing(judge)
        self.judge_canaries = _storing(judge_canaries or judge)
        self._spent = Counter[str]()
        self._lock = threading.Lock()

    def spend(self, **counts: int) -> None:
        """Notes what a judgement cost."""
        with self._lock:
            self._spent.update(counts)

    def take_spent(self) -> Counter[str]:
        """What the judgements have cost since this was last asked."""
        with self._lock:
            taken, self._spent = self._spent, Counter[str]()
        return taken


def _storing(judge: Asked) -> Asked:
    """The judge with verdicts that can be stored, whatever a program or a model wrote into them."""

    def judged(cases: Sequence[Case]) -> Sequence[Verdict | None]:
        return [v if v is None else replace(v, detail=storable(v.detail)) for v in judge(cases)]

    return judged


@dataclass(frozen=True, slots=True)
class Proof:
    """Two completions made from a problem's own reference."""

    true: Case | None
    """Must pass: it says what the reference says. Null where the problem has nothing to say it with."""
    false: Case
    """Must not pass: it says something else."""


class Route(Verifier):
    """A verifier as a pipeline names it."""

    wants: ClassVar[Literal["reference", "tests"] | None] = None
    """What the verifier can say nothing without."""
    by_rules: ClassVar[bool] = True
    """Whether rules decide and not a model: then one wrong thing passed stops the run."""
    together: ClassVar[bool] = False
    """Whether the completions of a problem are judged by each other, so that none may be spared."""
    canaries: ClassVar[Sequence[Canary]] = ()
    """Cases whose verdict is known, judged in every run to measure the verifier."""
    by_degree: ClassVar[bool] = False
    """Whether a degree of likeness decides: near misses may pass, which is told and stops nothing."""
    domains: tuple[str, ...] | None = None
    """Domains of the completions that this verifier judges; null: all."""

    @property
    def checks_form(self) -> bool:
        """Whether it looks at the form alone: a fail vetoes, and a pass says nothing of what is right."""
        return False

    def planted(self) -> Sequence[Canary]:
        """The canaries for this very configuration."""
        return self.canaries

    def takes(self, case: Case) -> bool:
        """Whether the verifier is asked about a case at all."""
        return self.declines(case) is None

    def declines(self, case: Case) -> str | None:
        """Why the verifier is not asked about a case; null where it is."""
        if self.domains is not None and case.domain not in self.domains:
            return f"the domain '{case.domain}' is none of its own"
        if self.wants is not None and getattr(case, self.wants) is None:
            return f"there is no {self.wants}" if self.wants == "reference" else f"there are no {self.wants}"
        return None

    def lacks(self, resources: Resources) -> str | None:
        """What it cannot be opened without and does not have here, and what to do; null: nothing."""
        return None

    def may_turn(self) -> frozenset[str]:
        """Verifiers whose fail, error or timeout a pass of this one takes the place of."""
        return frozenset()

    def proof(self, case: Case) -> Proof | None:
        """What the verifier must say of the problem's own reference; null where it has none to go by."""
        return None

    def identity(self) -> dict[str, Any]:
        """All that can change a verdict, as JSON values: fields, version, digests in place of paths."""
        return self.model_dump(mode="json") | {"version": self.version}

    @contextmanager
    def opened(self, site: Site) -> Iterator[Opened]:
        """Holds the verifier open."""
        with self.open() as judge:
            yield Opened(judge)
