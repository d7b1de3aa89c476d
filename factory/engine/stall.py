"""Notices that nothing moves: no shard, survey or decision lands and nothing grows inside a shard."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from factory.engine.schedule import Schedule

__all__ = ["Stall"]

STALLED_AFTER_S = 300.0


class Stall:
    """Watches one run. `note` is called often; it speaks once in each `after_s` seconds without progress."""

    def __init__(self, *, after_s: float = STALLED_AFTER_S) -> None:
        self._after_s = after_s
        self._seen: object = None
        self._moved = self._said = float("-inf")
        self._since: dict[tuple[int, str, int], float] = {}

    def note(
        self, schedule: Schedule, records: Sequence[Mapping[str, Any]], *, now: float | None = None
    ) -> str | None:
        """A line about the unit that is longest under way, or null while something moves."""
        now = time.monotonic() if now is None else now
        flying = {(s.step.index, phase, shard) for s in schedule.states for phase, shard in s.flying}
        self._since = {key: self._since.get(key, now) for key in flying}
        seen = [
            (len(s.proofs), len(s.surveys), s.decision is not None, dict(r.get("inside", {})))
            for s, r in zip(schedule.states, records, strict=True)
        ]
        if seen != self._seen:
            self._seen, self._moved, self._said = seen, now, now
        if now - self._said < self._after_s or not flying:
            return None
        self._said = now
        index, phase, shard = min(self._since, key=lambda key: (self._since[key], key))
        return (
            f"no progress for {(now - self._moved) / 60:.0f} minutes: {schedule.states[index].step.label}, "
            f"shard {shard} ({phase}) is under way for {(now - self._since[index, phase, shard]) / 60:.0f} "
            f"minutes, with {len(flying) - 1} others"
        )
