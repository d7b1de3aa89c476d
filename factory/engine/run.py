"""The run: units out, outcomes in, until every step is sealed. Running the same again resumes."""

from __future__ import annotations

import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from factory.core import BudgetSpent, DamagedFile, StageError, WorkspaceError
from factory.engine.executor import Executor, LocalExecutor, Lost, Outcome
from factory.engine.progress import Board, snapshot
from factory.engine.schedule import Schedule
from factory.engine.steps import Step
from factory.engine.worker import Failed, Unit
from factory.storage.files import join, write_json
from factory.storage.lease import lease

__all__ = ["Ran", "RunRecord", "run"]

RECORD_EVERY_S = 5.0
PROCESSES_FROM_SHARDS = 8
"""With fewer, the seconds that worker processes need to start are not won back."""
_MOST_PAUSE_S = 60.0
"""Attempts are 1, 2, 4, .. seconds apart, so that a node that dies does not take them all."""
_MOST_ROUNDS = 3
"""Times that the run goes back to its steps because what they left was found damaged at the end."""
RETRIED = frozenset({"Busy", "SandboxError"})
"""Failures that are the machine's fault: the unit is tried again."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run gave."""

    manifests: list[dict[str, Any]]
    """The manifest of every step, those that were reused among them."""
    spent: Mapping[str, int]
    """What the shards cost that this run finished: completions drawn and reused, tokens."""


@dataclass
class RunRecord:
    """What `runs/<time>.json` holds; rewritten while the run goes on."""

    root: str
    run_id: str
    steps: Sequence[Step]

    def note(self, status: str, schedule: Schedule | None, *, error: str | None = None) -> None:
        """Writes the record where it can be: on a full disk what ends the run is told, not this."""
        with suppress(WorkspaceError):
            self.write(status, schedule, error=error)

    def write(self, status: str, schedule: Schedule | None, *, error: str | None = None) -> None:
        """Writes the record; status is running, ok, incomplete, failed or interrupted."""
        progress = snapshot(schedule) if schedule else [{} for _ in self.steps]
        record = {
            "run": self.run_id,
            "generation": self.steps[0].site.generation,
            "status": status,
            "error": error,
            "host": platform.node(),
            "pid": os.getpid(),
            "updated": datetime.now(UTC).isoformat(timespec="seconds"),
            "steps": [
                s.describe() | {"folder": s.folder.rsplit("/", 1)[-1], "progress": p}
                for s, p in zip(self.steps, progress, strict=True)
            ],
        }
        write_json(join(self.root, "runs", f"{self.run_id}.json"), record)


def run(
    steps: Sequence[Step],
    *,
    root: str,
    run_id: str,
    local: bool = False,
    address: str | None = None,
    quiet: bool = False,
    then: Callable[[list[dict[str, Any]]], None] | None = None,
) -> Ran:
    """Runs what is not done and gives every step's manifest, in order, and what this run itself spent.

    A second run on the same folder is refused while the first is alive; `then` is called with the manifests
    while the folder is still held. Ctrl-C and errors give up what is under way, paid requests too, and leave
    all that is finished in place; at a spent budget what is under way is waited for.
    """
    with lease(root) as held:
        steps = [step.held(held) for step in steps]
        schedule = Schedule(steps)
        record = RunRecord(root, run_id, steps)
        for attempt in range(1, _MOST_ROUNDS + 1):
            if not schedule.finished:
                _work(schedule, record, local=local, address=address, quiet=quiet)
            manifests = [s.manifest or {} for s in schedule.states]
            try:
                if then:
                    then(manifests)
                break
            except DamagedFile:
                schedule.distrust()
                if schedule.finished or attempt == _MOST_ROUNDS:
                    raise
        record.write("ok", schedule)
    return Ran(manifests, schedule.spent(run_id))


def _work(schedule: Schedule, record: RunRecord, *, local: bool, address: str | None, quiet: bool) -> None:
    for state in schedule.states:
        if not state.manifest:
            state.step.announce()
    record.write("running", schedule)
    executor = _executor(schedule, local=local, address=address)
    early = True
    try:
        with Board(record.steps[0].folder.rsplit("/", 3)[-3], quiet=quiet) as board:
            _loop(schedule, executor, board, record)
        early = False
    except KeyboardInterrupt:
        # Whoever cannot wait for the units under way ends the process by asking once more.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        record.note("interrupted", schedule)
        raise
    except BudgetSpent as error:
        early = False  # what is under way is paid for
        record.note("incomplete", schedule, error=f"budget: {error}")
        raise
    except Exception as error:
        record.note("failed", schedule, error=str(error))
        raise
    finally:
        executor.close(early=early)


def _executor(schedule: Schedule, *, local: bool, address: str | None) -> Executor:
    if local:
        processes = (os.cpu_count() or 1) if schedule.shards >= PROCESSES_FROM_SHARDS else 0
        return LocalExecutor(processes=processes)
    from factory.engine.ray_executor import RayExecutor

    return RayExecutor([s.step for s in schedule.states if not s.manifest], address=address)


def _loop(schedule: Schedule, executor: Executor, board: Board, record: RunRecord) -> None:
    schedule.seal_finished()
    written = time.monotonic()
    closed = {s.step.index for s in schedule.states if s.manifest}
    later: list[tuple[float, Unit]] = []
    while not schedule.finished:
        for due in [one for one in later if one[0] <= time.monotonic()]:
            later.remove(due)
            executor.submit(schedule.states[due[1].step].step, due[1])
        for unit in schedule.ready(executor.room):
            executor.submit(schedule.states[unit.step].step, unit)
        for unit, outcome in executor.wait(0.5):
            if again := _settle(schedule, unit, outcome):
                later.append((time.monotonic() + min(2.0**unit.attempt, _MOST_PAUSE_S) / 2, again))
        for state in schedule.states:
            if state.manifest and state.step.index not in closed:
                closed.add(state.step.index)
                executor.close_step(state.step)
        _tell(schedule)
        board.show(schedule)
        if time.monotonic() - written > RECORD_EVERY_S:
            record.note("running", schedule)
            written = time.monotonic()


def _tell(schedule: Schedule) -> None:
    """What was found damaged goes to the screen of quiet runs too: rows are made, and perhaps paid, again."""
    while schedule.notes:
        print(schedule.notes.pop(0), file=sys.stderr, flush=True)


def _settle(schedule: Schedule, unit: Unit, outcome: Outcome) -> Unit | None:
    """Takes what came of a unit; gives the next attempt where the machine was at fault."""
    step = schedule.states[unit.step].step
    if isinstance(outcome, Lost) or (isinstance(outcome, Failed) and outcome.kind in RETRIED):
        why = outcome.why if isinstance(outcome, Lost) else outcome.message
        if unit.attempt > step.site.resources.retries:
            raise StageError(
                f"{step.label}, shard {unit.shard}: given up after {unit.attempt} attempts: {why}"
            )
        return replace(unit, attempt=unit.attempt + 1)
    if isinstance(outcome, Failed) and outcome.kind == DamagedFile.__name__:
        schedule.distrust(unit)
        return None
    if isinstance(outcome, Failed):
        error = outcome.error()
        error.add_note(outcome.trace)
        raise error
    schedule.landed(unit, outcome.receipts)
    return None
