"""What is done, what is under way and what can start: progress as the store proves it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from typing import Any

from factory.core import DamagedFile, DataError, SourceStage, Split
from factory.engine.states import StepState
from factory.engine.steps import Step
from factory.engine.worker import Phase, Unit

__all__ = ["Schedule"]

_MOST_DISTRUST = 3
"""Times that one unit may find its input damaged: a disk that breaks it again at once is given up."""


class Schedule:
    """Orders the units of a run. A shard's next step may start as soon as its receipt exists."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.notes: list[str] = []
        """What was found damaged and is made again; whoever shows them empties the list."""
        self._splits: Sequence[Split] | None = None
        self._distrusted: Counter[tuple[int, Phase, int]] = Counter()
        self.states = [StepState(step=s, manifest=s.manifest()) for s in steps]
        self.shards = self._count_shards()
        sealed = max((i for i, s in enumerate(self.states) if s.manifest), default=-1)
        for index, state in enumerate(self.states):
            damaged = state.load(self._given(index), self.shards)
            if index < sealed and not state.manifest:
                damaged |= set(range(self.shards)) - state.done
            self._note(state, damaged)
        self._forget_faulty()

    @property
    def first(self) -> int:
        """Index of the first step with work to do."""
        return next((i for i, s in enumerate(self.states) if not s.manifest), len(self.states))

    @property
    def finished(self) -> bool:
        """Whether every step is sealed."""
        return all(s.manifest for s in self.states)

    def _count_shards(self) -> int:
        for index, state in enumerate(self.states):
            if state.manifest:
                self._refuse_empty(index, state.manifest)
        sealed = next((s.manifest for s in self.states if s.manifest), None)
        return int(sealed["shards"]) if sealed else sum(s.shards for s in self._work())

    def _work(self) -> Sequence[Split]:
        """The source's work; the inputs are asked only where a shard of it is wanted."""
        if self._splits is None:
            step = self.states[0].step
            if not isinstance(step.stage, SourceStage):
                raise DataError(f"{step.label}: a pipeline starts with a source")
            self._splits = step.stage.splits()
        return self._splits

    def _given(self, index: int) -> Mapping[int, str] | None:
        return self.states[index - 1].kept() if index else None

    def _note(self, state: StepState, damaged: Collection[int]) -> None:
        if not damaged:
            return
        which = ", ".join(str(s) for s in sorted(damaged)[:5]) + (", .." if len(damaged) > 5 else "")
        self.notes.append(
            f"note: {state.step.label}: what it held of {len(damaged)} shards ({which}) is damaged or "
            "missing and is made again"
        )

    def distrust(self, unit: Unit | None = None) -> None:
        """Reads again what a unit stands on, or all there is, and has made again what is damaged.

        Raises:
            DamagedFile: the same unit met damage too often.
        """
        states = self.states
        if unit is not None:
            key = (unit.step, unit.phase, unit.shard)
            self._distrusted[key] += 1
            if self._distrusted[key] > _MOST_DISTRUST:
                raise DamagedFile(
                    f"{states[unit.step].step.label}, shard {unit.shard}: its input was damaged again "
                    f"each of {_MOST_DISTRUST} times that it was made; check the disk of the workspace"
                )
            states[unit.step].flying.discard((unit.phase, unit.shard))
            states = states[max(0, unit.step - 1) : unit.step + 1]
        for state in states:
            one = unit is not None and unit.phase != "decide"
            known = [unit.shard] if unit is not None and one else list(state.done)
            self._note(state, state.distrust(known, self._given(state.step.index), self.shards))

    def _forget_faulty(self) -> None:
        """Has a step that an earlier run refused as a whole, and all that stands on it, done again."""
        for index in range(self.first, len(self.states)):
            state = self.states[index]
            if len(state.done) < self.shards:
                return
            try:
                fault = None if state.manifest else state.step.fault(state.proofs.values())
            except DamagedFile:
                return  # mended when the step is sealed
            if fault:
                for later in self.states[index:]:
                    later.step.forget()
                    self.states[later.step.index] = StepState(step=later.step)
                return

    def ready(self, room: Callable[[Step, Phase], int]) -> Iterator[Unit]:
        """Units that may start now, later steps first so that shards drain; marks them as under way."""
        for index in range(len(self.states) - 1, -1, -1):
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
            for split in self._work():
                shards = range(split.first_shard, split.first_shard + split.shards)
                if not state.done >= set(shards) and ("read", split.first_shard) not in state.flying:
                    yield Unit(index, "read", split.first_shard, split)
            return
        given = self.states[index - 1].done
        if not state.is_global:
            yield from self._fresh(state, "apply", given - state.done)
        elif state.decision is not None:
            yield from self._fresh(state, "settle", given - state.done)
        elif len(state.surveys) == self.shards:
            yield from self._fresh(state, "decide", {0})
        else:
            yield from self._fresh(state, "survey", given - state.surveys.keys())

    def _fresh(self, state: StepState, phase: Phase, shards: Set[int]) -> Iterator[Unit]:
        for shard in sorted(shards):
            if (phase, shard) not in state.flying:
                yield Unit(state.step.index, phase, shard, shards=self.shards)

    def landed(self, unit: Unit, receipts: Sequence[dict[str, Any]]) -> None:
        """Records a unit that succeeded, and seals the step when it was the last."""
        state = self.states[unit.step]
        state.flying.discard((unit.phase, unit.shard))
        for receipt in receipts:
            self._take(state, unit.phase, receipt)
        self.seal_finished()

    def _take(self, state: StepState, phase: Phase, receipt: dict[str, Any]) -> None:
        index, shard = state.step.index, int(receipt["shard"])
        if phase == "decide":
            state.decide(receipt)
            return
        before = self.states[index - 1].proofs.get(shard) if index else None
        if index and (before is None or before["kept"]["sha256"] != receipt["input"]):
            return  # its input was made again in the meantime
        if phase == "survey":
            state.survey(receipt, self.shards)
            return
        state.proofs[shard] = state.receipts[shard] = receipt
        if index + 1 < len(self.states):
            self.states[index + 1].follow(shard, receipt["kept"]["sha256"], self.shards)

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
        for index, state in enumerate(self.states):
            if state.manifest:
                continue
            if not state.complete(self.shards):
                return
            try:
                state.manifest = state.step.seal(state.proofs.values())
            except DamagedFile:
                damaged = state.distrust(list(state.done), self._given(index), self.shards)
                if not damaged:
                    raise
                self._note(state, damaged)
                return
            self._refuse_empty(index, state.manifest)

    def _refuse_empty(self, index: int, manifest: dict[str, Any]) -> None:
        if manifest["rows_kept"] > 0:
            return
        state = self.states[index]
        reasons = ", ".join(f"{k} {v}" for k, v in manifest["reasons"].items()) or "no rows came in"
        raise DataError(
            f"{state.step.label}: kept 0 of {manifest['rows_expected']} rows ({reasons}); "
            + (
                f"{state.step.folder}/rejected has file, line and cause of each; mend the data or `columns`"
                if index == 0
                else f"read {state.step.folder}/rejected, loosen the step and run again"
            )
        )
