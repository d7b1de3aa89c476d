"""A run in which nothing moves says so, and where."""

from __future__ import annotations

from pathlib import Path

from factory.engine.progress import snapshot
from factory.engine.schedule import Schedule
from factory.engine.stall import Stall
from tests.engine.noop import Numbers, Pass
from tests.engine.test_run import steps_of


def test_a_unit_that_hangs_is_named_and_one_that_grows_is_not(tmp_path: Path) -> None:
    schedule, stall = Schedule(steps_of(tmp_path, [Numbers(), Pass()])), Stall(after_s=300)
    assert [unit.shard for unit in schedule.ready(lambda step, phase: 1)][:2] == [0, 2]

    def said(minutes: float, tokens: int = 0) -> str | None:
        records = [record | {"inside": {"tokens": tokens}} for record in snapshot(schedule)]
        return stall.note(schedule, records, now=minutes * 60)

    assert said(0) is None
    assert said(4, tokens=1) is None
    assert said(8, tokens=2) is None, "what grows inside a shard is progress"
    line = said(13, tokens=2)
    assert line is not None
    assert "no progress for 5 minutes: step 1 'numbers', shard 0 (read) is under way for 13 minutes" in line
    assert said(14, tokens=2) is None, "said again at once"
    assert "no progress for 10 minutes" in (said(18, tokens=2) or "")
