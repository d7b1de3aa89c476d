"""What is done, what is under way and what can start: progress as the store proves it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.core import DataError, GlobalStage, SourceStage, Split
from factory.engine.steps import Step
from factory.engine.worker import Phase, Unit
from factory.storage.files import exists, read_json

__all__ = ["Schedule", "StepState"]


@dataclass
class StepState:
    """One step's progress. Sets hold shard numbers."""

    step: Step
    done: set[int]
    surveyed: set[int] = field(default_factory=set)
    decided: bool = False
    flying: set[tuple[Phase, int]] = field(default_factory=set)
    receipts: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Receipts written in this run; those of earlier runs stay on disk until the step is sealed."""
    manifest: dict[str, Any] | None = None


class Schedule:
    """Orders the units of a run. A shard's next step may start as soon as its receipt exists."""

    def __init__(self, steps: Sequence[Step]) -> None:
        finished = [s.manifest() for s in steps]
        self.first = max((i + 1 for i, m in enumerate(finished) if m), default=0)
        """Index of the first step with work to do; all before it are reused whole."""
        self.states = [
            StepState(step=s, done=set(), manifest=m) for s, m in zip(steps, finished, strict=True)
        ]
        self._splits: Sequence[Split] = ()
        self.shards = 0
        if self.first == len(steps):
            return
        self.shards = self._count_shards(steps, finished)
        self._forget_faulty()
        for state in self.states[self.first :]:
            step = state.step
            state.done = set(step.files.receipts_done())
            if isinstance(step.stage, GlobalStage):
                state.surveyed = set(step.files.surveys_done())
                state.decided = exists(step.files.decision_url)

    def _forget_faulty(self) -> None:
        """Has a step that an earlier run refused as a whole, and all that stands on it, done again."""
        for index in range(self.first, len(self.states)):
            step = self.states[index].step
            if len(step.files.receipts_done()) < self.shards:
                return
            if step.fault(read_json(step.files.receipt_url(shard)) for shard in range(self.shards)):
                for state in self.states[index:]:
                    state.step.forget()
                return

    def _count_shards(self, steps: Sequence[Step], finished: Sequence[dict[str, Any] | None]) -> int:
        if self.first > 0:
            before = finished[self.first - 1] or {}
            self._refuse_empty(self.first - 1, before)
            self.states[self.first - 1].done = set(range(before["shards"]))
            return int(before["shards"])
        source = steps[0].stage
        if not isinstance(source, SourceStage):
            raise DataError(f"{steps[0].label}: a pipeline starts with a source")
        self._splits = source.splits()
        return sum(s.shards for s in self._splits)

    @property
    def finished(self) -> bool:
        """Whether every step is sealed."""
        return all(s.manifest for s in self.states[self.first :])

    def ready(self, room: Callable[[Step, Phase], int]) -> Iterator[Unit]:
        """Units that may start now, later steps first so that shards drain; marks them as under way."""
        for index in range(len(self.states) - 1, self.first - 1, -1):
            state = self.states[index]
            if state.manifest:
                continue
            for unit in self._candidates(index, state):
                if room(state.step, unit.phase) <= 0:
                    break
                state.flying.add((unit.phase, unit.shard))
                yield unit

    def _candidates(self, index: int, state: StepState) -> Iterator[Unit]:
        if index == 0:
            for split in self._splits:
                shards = range(split.first_shard, split.first_shard + split.shards)
                if not state.done.issuperset(shards) and ("read", split.first_shard) not in state.flying:
                    yield Unit(index, "read", split.first_shard, split)
            return
        given = self.states[index - 1].done
        if not isinstance(state.step.stage, GlobalStage):
            yield from self._fresh(state, "apply", given - state.done)
        elif state.decided:
            yield from self._fresh(state, "settle", given - state.done)
        elif len(state.surveyed) == self.shards:
            yield from self._fresh(state, "decide", {0})
        else:
            yield from self._fresh(state, "survey", given - state.surveyed)

    def _fresh(self, state: StepState, phase: Phase, shards: set[int]) -> Iterator[Unit]:
        for shard in sorted(shards):
            if (phase, shard) not in state.flying:
                yield Unit(state.step.index, phase, shard)

    def landed(self, unit: Unit, receipts: Sequence[dict[str, Any]]) -> None:
        """Records a unit that succeeded, and seals the step when it was the last."""
        state = self.states[unit.step]
        state.flying.discard((unit.phase, unit.shard))
        if unit.phase == "survey":
            state.surveyed.add(unit.shard)
        if unit.phase == "decide":
            state.decided = True
        for receipt in receipts:
            state.done.add(receipt["shard"])
            state.receipts[receipt["shard"]] = receipt
        self.seal_finished()

    def spent(self, run_id: str) -> dict[str, int]:
        """What the shards cost that a run finished, over all its steps."""
        total: Counter[str] = Counter()
        for state in self.states:
            for receipt in state.receipts.values():
                if receipt.get("run") == run_id:
                    total.update(receipt["spent"])
        return dict(total)

    def seal_finished(self) -> None:
        """Writes the manifest of every step whose receipts are complete and whose upstream is sealed."""
        for index in range(self.first, len(self.states)):
            state = self.states[index]
            if state.manifest:
                continue
            if len(state.done) < self.shards:
                return
            missing = sorted(set(range(self.shards)) - set(state.receipts))
            for shard in missing:
                state.receipts[shard] = read_json(state.step.files.receipt_url(shard))
            state.manifest = state.step.seal(state.receipts.values())
            self._refuse_empty(index, state.manifest)

    def _refuse_empty(self, index: int, manifest: dict[str, Any]) -> None:
        if manifest["rows_kept"] > 0:
            return
        state = self.states[index]
        reasons = ", ".join(f"{k} {v}" for k, v in manifest["reasons"].items()) or "no rows came in"
        raise DataError(
            f"{state.step.label}: kept 0 of {manifest['rows_expected']} rows ({reasons}); "
            f"read {state.step.folder}/rejected, loosen the step and run again"
        )
