"""Downsample and mixture: what stays follows from seed and id."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factory.stages.prompts.downsample import Downsample
from factory.stages.prompts.mixture import Mixture
from tests.stages.tables import problems, run_global, site


def rows(counts: dict[str, int], *, copies: int = 1) -> pa.Table:
    labels = [
        (f"{name} {n}", name) for name, count in counts.items() for n in range(count) for _ in range(copies)
    ]
    return problems([t for t, _ in labels], domain=[d for _, d in labels])


def test_downsample_keeps_about_its_share_and_a_smaller_share_keeps_a_subset() -> None:
    table = rows({"math": 2000, "chat": 50})
    kept = {}
    for share in (0.2, 0.5):
        stage = Downsample(by="domain", shares={"math": share}, seed=1)
        flow = stage.apply(table)
        kept[share] = set(flow.kept["id"].to_pylist())
        counts = Counter(flow.kept["domain"].to_pylist())
        assert counts["chat"] == 50
        assert abs(counts["math"] - 2000 * share) < 100, counts
    assert kept[0.2] < kept[0.5]
    assert (
        set(Downsample(by="domain", shares={"math": 0.5}, seed=2).apply(table).kept["id"].to_pylist())
        != kept[0.5]
    )


def test_shares_of_zero_and_one_are_exact() -> None:
    table = rows({"math": 300, "chat": 300})
    flow = Downsample(by="domain", shares={"math": 0.0, "chat": 1.0}).apply(table)
    assert Counter(flow.kept["domain"].to_pylist()) == {"chat": 300}


def test_the_category_may_be_a_key_of_meta() -> None:
    table = problems(["a", "b", "c"], meta=['{"level": 5}', '{"level": "1"}', None])
    stage = Downsample(by="meta.level", shares={"5": 0.0}, other_share=1.0)
    assert stage.needs() == {"id", "meta"}
    assert stage.apply(table).rejected["meta"].to_pylist() == ['{"level": 5}']


@pytest.mark.parametrize(
    ("weights", "limit", "wanted"),
    [
        ({"math": 1, "code": 1}, None, {"math": 30, "code": 30}),
        ({"math": 2, "code": 1}, None, {"math": 60, "code": 30}),
        ({"math": 1, "code": 3, "chat": 1}, None, {"math": 10, "code": 30, "chat": 10}),
        ({"math": 0.7, "code": 0.3}, 50, {"math": 35, "code": 15}),
        ({"math": 1, "none": 1}, None, {}),
    ],
)
def test_mixture_reaches_its_weights_with_as_many_problems_as_there_can_be(
    tmp_path: Path, weights: dict[str, float], limit: int | None, wanted: dict[str, int]
) -> None:
    table = rows({"math": 100, "code": 30, "chat": 20}, copies=2)
    stage = Mixture(by="domain", weights=weights, problems=limit, seed=3)
    kept, rejected, _ = run_global(stage, [table], at=site(tmp_path))
    assert Counter(kept[0]["domain"].to_pylist()) == {name: 2 * n for name, n in wanted.items()}
    assert kept[0].num_rows + rejected[0].num_rows == table.num_rows


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(40)), st.lists(st.integers(0, 40), max_size=3))
def test_mixture_does_not_depend_on_order_or_shards(
    tmp_path: Path, order: list[int], cuts: list[int]
) -> None:
    table = rows({"math": 25, "code": 15})
    stage = Mixture(by="domain", weights={"math": 1, "code": 1}, seed=0)
    whole, _, _ = run_global(stage, [table], at=site(tmp_path))
    mixed = table.take(order)
    shards = [mixed.slice(a, b - a) for a, b in pairwise([0, *sorted(cuts), 40])]
    parts, _, _ = run_global(stage, shards, at=site(tmp_path))
    assert sorted(pa.concat_tables(parts)["id"].to_pylist()) == sorted(whole[0]["id"].to_pylist())
