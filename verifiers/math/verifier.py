"""The math verifier: extraction, guards, the exact fast path, then Math-Verify in killable workers."""

from __future__ import annotations

import importlib.metadata
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Literal, NamedTuple

from pydantic import Field

from verifiers.base import Case, Judge, Outcome, Verdict, Verifier
from verifiers.math.canonical import canonical
from verifiers.math.choice import chosen, is_polar, options_of, polarity_of
from verifiers.math.compare import same_answer
from verifiers.math.extract import Found, answer_part, find_answer
from verifiers.math.guards import copied_from_prompt, too_costly
from verifiers.math.policy import ListOrder, Percent, Policy, Rounding
from verifiers.math.reference import Reading, read_reference
from verifiers.math.symbolic_client import Ask, Question, Undecided
from verifiers.workers import WorkerPool

__all__ = ["Math", "math_version"]

CACHE_SIZE = 100_000
_SCORES = {"pass": 1.0, "fail": 0.0}
SHORT = 600
"""A text of fewer characters is searched for a yes or no from its beginning."""
SHOWN = 80
"""Characters of an answer that a verdict's detail shows."""


def math_version(own: str) -> str:
    """The version a verdict records: the rules' own, and that of the pinned symbolic checker."""
    return f"{own}+math-verify-{importlib.metadata.version('math-verify')}"


class Math(Verifier):
    """Whether the final answer of a completion equals the reference.

    A timeout, a crash or a missing reference is never a `fail`. The score is 1 or 0.
    """

    version = "2"
    type: Literal["math"] = "math"
    percent: Percent = "asked"
    """Whether 10 and 10 % are one answer: `asked` takes 10 for 10 %, and 10 % for 10 where the prompt asks
    for percent; `strict` takes 10 % for 0.1 alone."""
    rounding: Rounding = "exact"
    """`exact`: a decimal stands for a fraction or a root only to six digits (0.333333 for 1/3). `written`: a
    decimal is right when the reference rounds to it at the digits it is written with (0.33 for 1/3)."""
    list_order: ListOrder = "free"
    """Whether a bare list is right in any order (`free`) or only in the reference's (`kept`). The order in
    tuples always counts, that in sets never."""
    relative_tolerance: float = Field(default=0.0, ge=0, lt=0.5)
    """Largest distance of a number from the reference, as a share of the reference; for measured values."""
    significant_digits: int | None = Field(default=None, ge=1, le=15)
    """Digits to which two numbers are rounded before they are compared; null compares them whole."""
    deadline_s: float = Field(default=3.0, gt=0)
    """Wall time for one symbolic comparison; past it the worker is killed and the verdict is `timeout`."""
    memory_gb: float = Field(default=1.5, gt=0)
    """Address space of one worker, in 10^9 bytes."""

    @contextmanager
    def open(self) -> Iterator[Judge]:
        """Holds the workers, which start at the first comparison that needs them."""
        with self._session() as session:
            yield session.judge

    @contextmanager
    def comparing(self) -> Iterator[Callable[[str, str], bool]]:
        """Holds the workers for `same(gold, answer)` on bare answers; the undecided is not the same."""
        with self._session() as session:
            yield session.same

    @contextmanager
    def _session(self) -> Iterator[_Session]:
        with WorkerPool(
            "verifiers.math.symbolic:answer",
            size=max(1, min(4, len(os.sched_getaffinity(0)))),
            deadline_s=self.deadline_s,
            memory_bytes=int(self.memory_gb * 1e9),
            warm=["value", r"\frac{\sqrt{2}}{2}+x", r"x+\frac{1}{\sqrt{2}}"],
        ) as pool:
            yield _Session(pool, version=math_version(self.version), policy=self._policy())

    def _policy(self) -> Policy:
        return Policy(
            self.percent, self.rounding, self.list_order, self.relative_tolerance, self.significant_digits
        )


class _Finding(NamedTuple):
    outcome: Outcome
    detail: str


class _Session:
    def __init__(self, pool: WorkerPool, *, version: str, policy: Policy) -> None:
        self._pool = pool
        self._policy = policy
        self._version = version
        self._answers: OrderedDict[tuple[str, str, str], bool | Undecided] = OrderedDict()
        self._lock = threading.Lock()

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        return [self._verdict(case) for case in cases]

    def same(self, gold: str, answer: str) -> bool:
        if canonical(gold) == canonical(answer):
            return True
        try:
            return bool(same_answer(gold, answer, ask=self._asker(), policy=self._policy))
        except Undecided:
            return False

    def _verdict(self, case: Case) -> Verdict:
        start = time.perf_counter()
        try:
            finding = self._find(case)
        except Undecided as unknown:
            finding = _Finding(unknown.outcome, f"gold {_shown(case.reference)}: {unknown.detail}")
        except (ValueError, TypeError, RecursionError, OverflowError, ArithmeticError) as error:
            # The text of one completion must not stop a run, and its failure here says nothing about it.
            finding = _Finding(
                "error", f"the answer could not be read: {type(error).__name__}: {error}"[:200]
            )
        score = _SCORES.get(finding.outcome)
        seconds = time.perf_counter() - start
        return Verdict("math", self._version, finding.outcome, score, finding.detail, seconds)

    def _find(self, case: Case) -> _Finding:
        reading = read_reference(case.reference, prompt=case.prompt)
        if not reading.answers:
            return _Finding("error", f"{reading.reason}: {_shown(case.reference)}")
        shown = _shown(reading.answers[0])
        text = answer_part(case.content)
        if not text or text.isspace():
            return _Finding("fail", f"gold {shown}: no answer after the thinking")
        found = find_answer(text, finished=case.finish_reason != "length", same=self.same)
        picked = _picked(case, reading, text, found)
        if picked is not None:
            return picked
        if found.answer is None:
            return _Finding("fail", f"gold {shown}: {found.how}")
        return self._any_of(reading, found, prompt=case.prompt)

    def _any_of(self, reading: Reading, found: Found, *, prompt: str) -> _Finding:
        """The best comparison with an accepted answer: a pass, else what is not known, else a fail."""
        answer = found.answer or ""
        findings = []
        for reference in reading.answers:
            shown = f"gold {_shown(reference)}, answer {_shown(answer)} ({found.how})"
            finding = self._compared(reference, answer, prompt=prompt, shown=shown)
            if finding.outcome == "pass":
                return finding
            findings.append(finding)
        return min(findings, key=lambda finding: finding.outcome == "fail")

    def _compared(self, reference: str, answer: str, *, prompt: str, shown: str) -> _Finding:
        if canonical(reference) == canonical(answer):
            return _Finding("pass", f"{shown}: same text")
        if copied_from_prompt(answer, reference=reference, prompt=prompt):
            return _Finding("fail", f"{shown}: copied from the prompt")
        policy = self._policy
        same = same_answer(reference, answer, prompt=prompt, policy=policy)
        path = "exact"
        if same is None:
            path = "symbolic"
            try:
                same = same_answer(reference, answer, prompt=prompt, ask=self._asker(), policy=policy)
            except Undecided as unknown:
                return _Finding(unknown.outcome, f"{shown}: {unknown.detail}")
        if not same:
            return _Finding("fail", f"{shown}: different, {path}")
        return _Finding("pass", f"{shown}: equal, {path}{self._loosened(reference, answer, prompt)}")

    def _loosened(self, reference: str, answer: str, prompt: str) -> str:
        """The fields that let unequal numbers pass, named where they did."""
        if not self._policy.loosens or same_answer(reference, answer, prompt=prompt) is not False:
            return ""
        return f" by {self._policy.loosens}"

    def _asker(self) -> Ask:
        def ask(question: Question, gold: str, pred: str) -> bool:
            key = (question, canonical(gold), canonical(pred))
            with self._lock:
                known = self._answers.get(key)
            if known is None:
                known = self._asked(question, gold, pred)
                with self._lock:
                    self._answers[key] = known
                    if len(self._answers) > CACHE_SIZE:
                        self._answers.popitem(last=False)
            if isinstance(known, Undecided):
                raise Undecided(known.outcome, known.detail)
            return known

        return ask

    def _asked(self, question: Question, gold: str, pred: str) -> bool | Undecided:
        for side, latex in (("reference", gold), ("answer", pred)):
            costly = too_costly(latex)
            if costly is not None:
                return Undecided("error", f"the {side} is not evaluated: {costly}")
        reply = self._pool.call(question, gold, pred)
        if reply.status != "value":
            return Undecided(reply.status, f"symbolic check: {reply.detail}")
        if reply.value is None:
            # Neither side is the other's text, and one of them is no mathematics: nothing makes them equal.
            return False
        return bool(reply.value)


def _polar_finding(reference: str, text: str, found: Found) -> _Finding:
    whole = text.strip()
    answer = whole if len(whole) < SHORT else whole[-200:]
    if found.answer is not None and found.how not in ("last value", "whole text"):
        answer = found.answer
    right = polarity_of(reference, answer)
    return _Finding("pass" if right else "fail", f"gold {_shown(reference)}, answer {_shown(answer)}: yes/no")


def _picked(case: Case, reading: Reading, text: str, found: Found) -> _Finding | None:
    """The finding for a reference that names options, or yes or no; null for all others."""
    reference = reading.answers[0]
    if is_polar(reference):
        return _polar_finding(reference, text, found)
    letters = reading.letters
    if letters is None:
        return None
    options = options_of(case.prompt)
    if not options and len(letters) == 1:
        return None
    pick = chosen(text, found, options=options)
    if pick is None and found.answer is not None and len(reference) > 1:
        return None  # a reference by its text, and an answer that may be that text in other words
    detail = f"gold {_shown(reference)}, chose {'/'.join(sorted(pick)) if pick else 'nothing'}"
    return _Finding("pass" if pick == letters else "fail", f"{detail}: option letters")


@lru_cache(maxsize=16_384)
def _shown(text: str | None) -> str:
    if text is None:
        return "none"
    line = " ".join(text.split())
    return repr(line if len(line) <= SHOWN else line[: SHOWN - 1] + "…")
