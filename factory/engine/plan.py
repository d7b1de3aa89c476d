"""What a run would reuse, resume and run, and why; nothing runs here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from factory.core import DataError, SourceStage
from factory.engine.steps import Step
from factory.storage.files import join, list_names, read_json
from factory.storage.lease import STALE_S, is_alive

__all__ = ["PlannedStep", "Preview", "make_plan", "previous_run", "run_status"]


_SHOWN = 40
"""Characters of a changed value."""


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
    likely_rows: int | None = None
    """Rows it will likely keep, by a preview; null: done, or not seen in one."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What became of a few rows of the inputs."""

    source_rows: int
    """Rows of the whole inputs."""
    manifests: Sequence[Mapping[str, Any]]
    """Of the first steps, as far as they were run."""

    def kept(self, index: int, rows_in: float) -> float | None:
        """Rows that the step will likely keep of so many; null: it was not seen."""
        if index >= len(self.manifests) or not self.manifests[index]["rows_in"]:
            return None
        seen = self.manifests[index]
        return float(rows_in * seen["rows_kept"] / seen["rows_in"])

    def per_row(self, index: int) -> float | None:
        """Completions that the step wanted of a row; null: it was not seen, or wants none."""
        if index >= len(self.manifests) or not self.manifests[index]["rows_in"]:
            return None
        seen = self.manifests[index]
        wanted = sum(seen["spent"].get(f"completions_{how}", 0) for how in ("drawn", "reused"))
        return wanted / seen["rows_in"] if wanted else None


def previous_run(root: str) -> dict[str, Any] | None:
    """The record of the last run of this pipeline, or null."""
    found = []
    for name in list_names(join(root, "runs")):
        try:
            record: dict[str, Any] = read_json(join(root, "runs", name))
            found.append((int(record.get("generation", 0)), name, record))
        except (DataError, AttributeError, TypeError, ValueError):
            continue  # torn by a kill or a full disk
    # The number of the run, not its time: a clock that was wrong once would hide all later runs.
    return max(found, key=lambda one: one[:2])[2] if found else None


def run_status(root: str, record: Mapping[str, Any]) -> str:
    """What became of a run: its own last word, or `lost` where it is over and had none."""
    if record["status"] != "running":
        return str(record["status"])
    alive = is_alive(root)
    if alive is None:
        age = datetime.now(UTC) - datetime.fromisoformat(record["updated"])
        alive = abs(age.total_seconds()) < STALE_S
    return "running" if alive else "lost"


def make_plan(
    steps: Sequence[Step], *, previous: Mapping[str, Any] | None, preview: Preview | None = None
) -> list[PlannedStep]:
    """Plans every step. `previous` is the record of the last run: it says what changed since.

    Rows that no manifest counts are guessed by the preview: a step keeps the same share of all rows. Copies
    are rarer among few rows, so what a preview says of rows behind a dedup is more than will be. Without one
    a step is taken to be given what the last finished one kept, or all rows of the source.
    """
    manifests = [s.manifest() for s in steps]
    before = {s["step"]: s for s in (previous or {}).get("steps", [])}
    rows: float | None = None if preview is None else preview.source_rows
    if preview is None and not any(manifests) and isinstance(steps[0].stage, SourceStage):
        rows = steps[0].stage.row_count()
    planned = []
    for index, (step, manifest) in enumerate(zip(steps, manifests, strict=True)):
        given = None if rows is None else round(rows)
        if preview is not None and rows is not None:
            rows = preview.kept(index, rows)
        if manifest:
            rows = int(manifest["rows_kept"])
            planned.append(PlannedStep(step, "reuse", "finished in an earlier run", {}, int(rows)))
        else:
            guess = None if preview is None or rows is None else round(rows)
            planned.append(_to_do(index, step, given, preview, before=before, likely_rows=guess))
    return planned


def _to_do(
    index: int,
    step: Step,
    rows: int | None,
    preview: Preview | None,
    *,
    before: Mapping[str, Any],
    likely_rows: int | None,
) -> PlannedStep:
    """A step that is not done, with `rows` going in; null: nobody knows how many."""
    done = len(step.files.receipts_done())
    per_row = None if preview is None else preview.per_row(index)
    return PlannedStep(
        step,
        action="resume" if done else "run",
        why=f"{done} shards are done" if done else _why(step, before.get(step.name)),
        cost={} if rows is None else step.stage.cost(rows),
        likely={} if rows is None else step.stage.estimate(rows, site=step.site, per_row=per_row),
        likely_rows=likely_rows,
    )


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
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            c
            for n, (was, now) in enumerate(zip(old, new, strict=True))
            for c in _changes(was, now, f"{path}[{n}]")
        ]
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        found: list[str] = []
        for key in sorted({*old, *new}):
            found += _changes(old.get(key), new.get(key), f"{path}.{key}" if path else key)
        return found
    if old == new:
        return []
    was, now = str(old), str(new)
    # Long values that begin alike are told from where they differ.
    alike = next((n for n, (a, b) in enumerate(zip(was, now, strict=False)) if a != b), 0)
    start = max(0, alike - 10) if max(len(was), len(now)) > _SHOWN else 0
    return [f"{path}: {_short(was, start)} -> {_short(now, start)}"]


def _short(text: str, start: int) -> str:
    shown = ("..." if start else "") + text[start:]
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."
