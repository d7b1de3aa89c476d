"""Asks a pipeline's own verifiers about its references before anything is sampled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from factory.core import Site, prompt_text
from factory.stages.verification.verifier_config import Asked, Proof, Route
from factory.stages.verification.verify import Verify
from verifiers import Case, Verdict

__all__ = ["Checked", "Untaken", "check_references", "untaken_problems"]

_BATCH = 256
_EXAMPLES = 3


@dataclass(slots=True)
class Checked:
    """What one verifier says of the references of its problems."""

    step: str
    verifier: str
    problems: int = 0
    """Problems that it takes."""
    fail_themselves: int = 0
    """References that do not pass against themselves, those that cannot be judged included."""
    unjudged: int = 0
    """Of these, the ones that ended in an error or a time-out."""
    accept_a_mutation: int = 0
    """References that something else passes for."""
    unusable: int = 0
    """Problems whose reference or tests cannot be read or check nothing: what is wrong ends in an error."""
    causes: dict[str, int] = field(default_factory=dict)
    """Why they are unusable, and how often."""
    skipped: str | None = None
    """Why nothing was asked; null where it was."""
    examples: list[dict[str, Any]] = field(default_factory=list)
    """The first few of each fault: `fault`, `origin`, `reference`, `said`, `verdict`, `detail`."""

    @property
    def holds(self) -> bool:
        """Whether every reference passes for itself, and nothing else for it."""
        return not (self.fail_themselves or self.accept_a_mutation or self.unusable)


@dataclass(slots=True)
class Untaken:
    """Problems of which no verifier of a step can say whether a completion is right."""

    step: str
    problems: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    """What each verifier lacks, and for how many problems."""
    examples: list[str] = field(default_factory=list)
    """Origins of the first few."""


def untaken_problems(stage: Verify, problems: pa.Table) -> Untaken:
    """The problems that would stay unjudged; checks of the form do not count."""
    found = Untaken(stage.step_name)
    judging = [route for route in stage.verifiers if not route.checks_form]
    for row in _rows(problems):
        case = _case(row)
        lacks = [(route.type, route.declines(case)) for route in judging]
        if any(why is None for _, why in lacks):
            continue
        found.problems += 1
        cause = "; ".join(f"{name}: {why}" for name, why in lacks) or "only the form is checked"
        found.causes[cause] = found.causes.get(cause, 0) + 1
        if len(found.examples) < _EXAMPLES:
            found.examples.append(str(row["origin"]))
    return found


def _rows(problems: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = problems.select(
        ["prompt", "reference", "tests", "domain", "origin"]
    ).to_pylist()
    return rows


def _case(row: Mapping[str, Any]) -> Case:
    return Case(
        prompt_text(row["prompt"] or ()),
        "",
        reference=row["reference"],
        tests=row["tests"],
        domain=row["domain"],
    )


def check_references(stage: Verify, problems: pa.Table, *, site: Site) -> list[Checked]:
    """One finding per verifier: each reference against itself must pass, against a changed one must not.

    `problems` have the columns of a source. Verifiers that ask a model are left out: they would cost tokens.
    """
    rows = _rows(problems)
    return [_checked(stage.step_name, route, rows, site=site) for route in stage.verifiers]


def _checked(step: str, route: Route, rows: Sequence[dict[str, Any]], *, site: Site) -> Checked:
    found = Checked(step, route.type)
    if not route.by_rules:
        found.skipped = "asks a model" if not route.together else "needs completions"
        return found
    asked = [(row, proof) for row, proof in _proofs(route, rows)]
    found.problems = len(asked)
    if not asked:
        found.skipped = "has no reference to go by" if route.wants is None else "takes none of the problems"
        return found
    with route.opened(site) as opened:
        for first in range(0, len(asked), _BATCH):
            _judge(found, asked[first : first + _BATCH], opened.judge)
    return found


def _proofs(route: Route, rows: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Proof]]:
    for row in rows:
        case = _case(row)
        proof = route.proof(case) if route.takes(case) else None
        if proof is not None:
            yield row, proof


def _judge(found: Checked, asked: Sequence[tuple[dict[str, Any], Proof]], judge: Asked) -> None:
    true = [(row, proof.true) for row, proof in asked if proof.true is not None]
    for (row, case), verdict in zip(true, judge([case for _, case in true]), strict=True):
        if verdict is None or verdict.verdict != "pass":
            found.fail_themselves += 1
            found.unjudged += verdict is None or verdict.verdict != "fail"
            _note(found, "fails itself", row, case, verdict)
    false = [(row, proof.false) for row, proof in asked]
    for (row, case), verdict in zip(false, judge([case for _, case in false]), strict=True):
        if verdict is not None and verdict.verdict == "pass":
            found.accept_a_mutation += 1
            _note(found, "accepts a mutation", row, case, verdict)
        elif verdict is not None and verdict.verdict == "error":
            found.unusable += 1
            cause = verdict.detail or "no detail"
            found.causes[cause] = found.causes.get(cause, 0) + 1
            _note(found, "cannot be used", row, case, verdict)


def _note(found: Checked, fault: str, row: dict[str, Any], case: Case, verdict: Verdict | None) -> None:
    if sum(example["fault"] == fault for example in found.examples) >= _EXAMPLES:
        return
    found.examples.append(
        {
            "fault": fault,
            "origin": row["origin"],
            "reference": _short(row["reference"]),
            "said": _short(case.content),
            "verdict": verdict.verdict if verdict else None,
            "detail": verdict.detail if verdict else "",
        }
    )


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= 120 else text[:117] + "..."
