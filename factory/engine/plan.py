"""What a run would reuse, resume and run, and why; nothing runs here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from factory.engine.steps import Step
from factory.engine.store import join, list_names, read_json

__all__ = ["PlannedStep", "make_plan", "previous_run"]


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of the plan."""

    step: Step
    action: Literal["reuse", "resume", "run"]
    why: str
    cost: Mapping[str, int]
    """At most what it would spend (completions, tokens); for a reused step nothing."""
    rows: int | None = None
    """Rows it kept, when it is done."""
    likely: Mapping[str, float] = field(default_factory=dict)
    """What it will likely spend more, by what was drawn before; empty where nothing was."""


def previous_run(root: str) -> dict[str, Any] | None:
    """The record of the last run of this pipeline, or null."""
    names = [n for n in list_names(join(root, "runs")) if n.endswith(".json")]
    if not names:
        return None
    record: dict[str, Any] = read_json(join(root, "runs", names[-1]))
    return record


def make_plan(steps: Sequence[Step], *, previous: Mapping[str, Any] | None) -> list[PlannedStep]:
    """Plans every step. `previous` is the record of the last run: it says what changed since."""
    manifests = [s.manifest() for s in steps]
    last_done = max((i for i, m in enumerate(manifests) if m), default=-1)
    before = {s["step"]: s for s in (previous or {}).get("steps", [])}
    rows: int | None = None
    planned = []
    for index, (step, manifest) in enumerate(zip(steps, manifests, strict=True)):
        if manifest:
            rows = int(manifest["rows_kept"])
            planned.append(PlannedStep(step, "reuse", "finished in an earlier run", {}, rows))
            continue
        if index < last_done:
            planned.append(PlannedStep(step, "reuse", "a step behind it is finished", {}))
            continue
        done = len(step.receipts_done())
        cost = step.stage.cost(rows) if rows is not None else {}
        likely = step.stage.estimate(rows, site=step.site) if rows is not None else {}
        action: Literal["resume", "run"] = "resume" if done else "run"
        why = f"{done} shards are done" if done else _why(step, before.get(step.name))
        planned.append(PlannedStep(step, action, why, cost, likely=likely))
    return planned


def _why(step: Step, before: Mapping[str, Any] | None) -> str:
    if before is None:
        return "new step"
    if before["fingerprint"] == step.fingerprint:
        return "not finished yet"
    if before["type"] != step.stage.type:
        return f"was a '{before['type']}' step"
    if before["version"] != step.stage.version:
        return f"stage version {before['version']} -> {step.stage.version}"
    changes = list(_changes(before["fields"], step.stage.identity(), ""))
    if changes:
        return "; ".join(changes[:3]) + (f"; and {len(changes) - 3} more" if len(changes) > 3 else "")
    return "a step before it changed"


def _changes(old: Any, new: Any, path: str) -> list[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        found: list[str] = []
        for key in sorted({*old, *new}):
            found += _changes(old.get(key), new.get(key), f"{path}.{key}" if path else key)
        return found
    if old == new:
        return []
    return [f"{path}: {_short(old)} -> {_short(new)}"]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."
