from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from factory.core.choice import draw
from factory.core.intervals import wilson


def test_draws_spread_evenly_over_ids() -> None:
    tenths = Counter(draw(7, f"row-{n}") * 10 >> 64 for n in range(10_000))
    assert all(800 < tenths[place] < 1200 for place in range(10)), tenths


@given(st.integers(), st.text())
@settings(deadline=None)
def test_a_draw_follows_from_seed_and_id(seed: int, row_id: str) -> None:
    assert 0 <= draw(seed, row_id) < 2**64
    assert draw(seed, row_id) == draw(seed, row_id)
    assert draw(seed, row_id) != draw(seed + 1, row_id), "another seed chooses alike"


@given(st.integers(1, 500), st.data())
@settings(deadline=None)
def test_an_interval_holds_its_share_and_mirrors(trials: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, trials))
    low, high = wilson(hits, trials)
    assert 0 <= low <= hits / trials <= high <= 1
    other_low, other_high = wilson(trials - hits, trials)
    assert abs(low - (1 - other_high)) < 1e-9
    assert abs(high - (1 - other_low)) < 1e-9


def test_nothing_is_known_without_trials() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
