"""What a person sees of a run is true: the time left, the counts, what this run and earlier ones did."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from factory.engine.pace import Pace
from factory.engine.progress import line, share_done

WORK: dict[str, Callable[[float], float]] = {
    "at one rate": lambda t: t,
    "after a third of loading": lambda t: max(0.0, (t - 1 / 3) * 1.5),
    "in twelve steps": lambda t: int(t * 12) / 12,
    "slower and slower": lambda t: t**0.75,
    "faster and faster": lambda t: t**1.3,
}


@pytest.mark.parametrize("name", WORK)
@pytest.mark.parametrize("whole_s", [60.0, 4000.0])
def test_the_time_left_is_right_within_a_factor_of_two_from_a_quarter_of_the_work_on(
    name: str, whole_s: float
) -> None:
    pace, share_at = Pace(), WORK[name]
    for tick in range(int(whole_s) * 2):
        now = tick / 2
        share = share_at(now / whole_s)
        pace.note(share, now=now)
        if 0.25 <= share < 0.95:
            left = whole_s - now
            assert pace.eta_s is not None, f"nothing is said at {share:.2f}"
            slack = whole_s / 12 if "steps" in name else 0
            assert left / 2 - slack <= pace.eta_s <= 2 * left + slack, (
                f"{pace.eta_s:.0f} s, it was {left:.0f} s"
            )


def test_what_earlier_runs_finished_counts_as_done_and_not_as_speed() -> None:
    record = {
        "step": "sample",
        "state": "running",
        "shards": 10,
        "shards_done": 5,
        "shards_now": 1,
        "rows_now": 25,
        "rows_before": 250,
        "rows_kept": 90,
        "rows_rejected": 10,
        "spent": {"completions_drawn": 100, "completions_reused": 0},
        "inside": {"completions": 150, "completion_tokens": 3000},
        "at_most": {"completions": 1000, "completion_tokens": 9000},
    }
    assert share_done(record) == pytest.approx(0.55), "400 of earlier runs and 150 of this one"
    early = record | {"spent": {"completions_drawn": 50, "completions_reused": 0}}
    assert share_done(early) == pytest.approx(0.7), "half of at most were wanted of a row so far"
    said = line([record | {"eta_s": 250.0, "tokens_per_s": 1234.4, "dollars": 0.5}])
    assert "sample 5/10 shards, kept 90 %, 150/1,000 completions" in said
    assert said.endswith("3,000 completion tokens, 1,234 tok/s, $0.50, ETA 4 min")
