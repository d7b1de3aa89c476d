"""One unit of work: a shard through a step, with the law of conservation checked and a receipt at the end."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, overload

import pyarrow as pa

from factory.core import (
    Apply,
    FactoryError,
    GlobalStage,
    RowsLost,
    SourceStage,
    Split,
    Spread,
    Stage,
    StageError,
    Survey,
)
from factory.core import errors as error_classes
from factory.engine.commit import as_written, commit
from factory.engine.proofs import digest_of, input_digest, read_decision, survey_digests
from factory.engine.steps import Step
from factory.storage.files import write_signed
from factory.storage.tables import read_table_as_written, write_table

__all__ = ["Done", "Failed", "Phase", "Unit", "failed", "holds", "needs_own_worker", "open_for", "run_unit"]

Phase = Literal["read", "apply", "survey", "decide", "settle"]


@dataclass(frozen=True, slots=True)
class Unit:
    """What is submitted, retried and receipted: one phase of a step over one shard (or split)."""

    step: int
    phase: Phase
    shard: int = 0
    split: Split | None = None
    attempt: int = 1
    shards: int = 0
    """Shards of the run, for `decide`."""


@dataclass(frozen=True, slots=True)
class Done:
    """A unit that succeeded, with the receipts it wrote."""

    receipts: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """A unit that raised. Travels between processes as plain text, so that nothing fails to unpickle."""

    kind: str
    message: str
    trace: str

    def error(self) -> FactoryError:
        """The same error in this process; a StageError for what is none of the factory's own."""
        cls = getattr(error_classes, self.kind, StageError)
        return cls(self.message)


def holds(step: Step, phase: Phase) -> bool:
    """Whether the stage keeps something costly open in this phase, so that it wants workers of its own."""
    cls = type(step.stage)
    if phase == "apply":
        return cls.open is not Stage.open
    if phase == "survey" and issubclass(cls, GlobalStage):
        return cls.open_survey is not GlobalStage.open_survey
    return False


def needs_own_worker(step: Step, phase: Phase) -> bool:
    """Whether what the stage holds is too costly to be held once per CPU."""
    return holds(step, phase) and not step.stage.light


def open_for(step: Step, phase: Phase) -> AbstractContextManager[Apply | Survey]:
    """What the stage holds open while units of this phase pass."""
    if phase == "survey":
        return _global(step).open_survey(step.site)
    return step.stage.open(step.site)


def failed(step: Step, unit: Unit, error: BaseException) -> Failed:
    """The error of a unit as text, with step and shard named."""
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, FactoryError):
        text = str(error)
        if not text.startswith("step "):
            text = f"{step.label}, shard {unit.shard}: {text}"
        return Failed(type(error).__name__, text, trace)
    kind = type(error).__name__
    return Failed(kind, f"{step.label}, shard {unit.shard}: {kind}: {error}", trace)


def run_unit(
    step: Step, unit: Unit, *, opened: Apply | Survey | None = None, spread: Spread | None = None
) -> Done | Failed:
    """Runs one unit; never raises for what a stage does.

    `opened` is the callable that the stage's `open` (or `open_survey`) gave, where the stage holds something;
    `spread` is wanted by `decide` alone.
    """
    try:
        return Done(tuple(_PHASES[unit.phase](step, unit, opened, spread)))
    except Exception as error:
        return failed(step, unit, error)


def _read(step: Step, unit: Unit, opened: Any, spread: Any) -> list[dict[str, Any]]:
    if not isinstance(step.stage, SourceStage) or unit.split is None:
        raise StageError(f"{step.label}: not a source")
    receipts = []
    started = time.monotonic()
    shard = unit.split.first_shard
    for flow in step.stage.read(unit.split):
        rows = flow.kept.num_rows + flow.rejected.num_rows if flow.expected is None else flow.expected
        receipts.append(commit(step, shard, flow, rows_in=rows, started=started, attempt=unit.attempt))
        shard, started = shard + 1, time.monotonic()
    if len(receipts) != unit.split.shards:
        raise RowsLost(
            f"{step.label}: {unit.split.shards} shards were promised from shard {unit.split.first_shard} on, "
            f"{len(receipts)} came; an input changed while it was read; run again"
        )
    return receipts


def _apply(step: Step, unit: Unit, opened: Any, spread: Any) -> list[dict[str, Any]]:
    started = time.monotonic()
    batch, used = _input(step, unit.shard)
    flow = (opened or step.stage.apply)(batch)
    return [commit(step, unit.shard, flow, batch=batch, used=used, started=started, attempt=unit.attempt)]


def _survey(step: Step, unit: Unit, opened: Any, spread: Any) -> list[dict[str, Any]]:
    stage = _global(step)
    batch, used = _input(step, unit.shard)
    written = write_table(step.files.survey_url(unit.shard), (opened or stage.survey)(batch))
    receipt = {"shard": unit.shard, "step": step.fingerprint, **used, **as_written(written)}
    write_signed(step.files.survey_receipt_url(unit.shard), receipt)
    return [receipt]


def _decide(step: Step, unit: Unit, opened: Any, spread: Any) -> list[dict[str, Any]]:
    digests = survey_digests(step, unit.shards)
    surveys = _Surveys([(step.files.survey_url(shard), digest) for shard, digest in enumerate(digests)])
    decision = _global(step).decide(surveys, site=step.site, spread=spread or _in_process)
    written = as_written(write_table(step.files.decision_url, decision))
    receipt = {"shard": 0, "step": step.fingerprint, "surveys": digest_of(digests), **written}
    write_signed(step.files.decision_receipt_url, receipt)
    return [receipt]


def _settle(step: Step, unit: Unit, opened: Any, spread: Any) -> list[dict[str, Any]]:
    started = time.monotonic()
    batch, used = _input(step, unit.shard)
    decision, digest = read_decision(step, unit.shard)
    flow = _global(step).settle(batch, decision)
    used |= {"decision": digest}
    return [commit(step, unit.shard, flow, batch=batch, used=used, started=started, attempt=unit.attempt)]


class _Surveys(Sequence[pa.Table]):
    """The surveys of all shards, each read when it is asked for, so that they need not fit into memory."""

    def __init__(self, files: Sequence[tuple[str, str]]) -> None:
        """URL and SHA-256 of each, by the number of its shard."""
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, index: int) -> pa.Table: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[pa.Table]: ...
    def __getitem__(self, index: int | slice) -> pa.Table | Sequence[pa.Table]:
        if isinstance(index, slice):
            return _Surveys(self._files[index])
        return read_table_as_written(*self._files[index])


_PHASES: dict[Phase, Callable[..., list[dict[str, Any]]]] = {
    "read": _read,
    "apply": _apply,
    "survey": _survey,
    "decide": _decide,
    "settle": _settle,
}


def _in_process(function: Callable[..., Any], arguments: Any) -> Any:
    return (function(*a) for a in arguments)


def _global(step: Step) -> GlobalStage:
    if not isinstance(step.stage, GlobalStage):
        raise StageError(f"{step.label}: not a global stage")
    return step.stage


def _input(step: Step, shard: int) -> tuple[pa.Table, dict[str, str]]:
    """The rows of a shard, and what its receipt says of where they came from."""
    digest = input_digest(step, shard)
    return read_table_as_written(step.input_files.rows_url("kept", shard), digest), {"input": digest}
