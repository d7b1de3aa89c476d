from __future__ import annotations

import json
from collections import Counter
from math import isclose

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.core import VERDICT as VERDICT_TYPE
from factory.core.intervals import wilson
from factory.stages.answers.difficulty import Difficulty
from factory.stages.answers.pass_rate import PassRate
from factory.stages.answers.select import Select
from tests.stages.tables import completions

VERDICT = [pa.field("verdict", pa.string())]
verdicts = st.lists(st.sampled_from(["pass", "fail", "error", "timeout", None]), max_size=20)


def judged(rows: list[tuple[str, str | None]], **more: list[object]) -> pa.Table:
    plain = [{"id": i, "verdict": v} | {k: m[n] for k, m in more.items()} for n, (i, v) in enumerate(rows)]
    return completions(plain, extra=VERDICT)


@settings(deadline=None)
@given(verdicts, verdicts)
def test_the_pass_rate_counts_passes_over_passes_and_fails(a: list[str | None], b: list[str | None]) -> None:
    table = judged([("a", v) for v in a] + [("b", v) for v in b])
    kept = Difficulty().apply(table).kept
    assert kept.schema == Difficulty().schema_out(table.schema)
    for row in kept.to_pylist():
        own = Counter(a if row["id"] == "a" else b)
        solved = own["pass"] + own["fail"]
        assert (row["n_samples"], row["n_judged"], row["n_passed"]) == (own.total(), solved, own["pass"])
        assert row["pass_rate"] == (own["pass"] / solved if solved else None)
        if solved:
            assert 0 <= row["pass_rate_low"] <= row["pass_rate"] <= row["pass_rate_high"] <= 1


def test_wilsons_interval_has_its_published_values() -> None:
    # Agresti and Coull (1998), and scipy's binomtest(...).proportion_ci(method="wilson").
    for passed, judged_, low, high in (
        (0, 10, 0.0, 0.27753),
        (5, 10, 0.23659, 0.76341),
        (8, 8, 0.67559, 1.0),
    ):
        found = wilson(passed, judged_)
        assert isclose(found[0], low, abs_tol=1e-4)
        assert isclose(found[1], high, abs_tol=1e-4)


def test_select_says_why_a_completion_is_left_out() -> None:
    table = judged([("a", "fail"), ("a", "pass"), ("a", "pass"), ("b", "timeout"), ("b", None)])
    flow = Select().apply(table)
    assert flow.kept["completion_id"].to_pylist() == ["c1"]
    assert flow.rejected["reason"].to_pylist() == ["failed", "not_selected", "unjudged", "unjudged"]
    assert Select(verdict="any", per_problem=None).apply(table).kept.num_rows == 5


def test_what_a_verdict_cuts_says_what_was_said_of_it() -> None:
    said = [
        {
            "verifier": "math",
            "version": "1",
            "verdict": "fail",
            "score": 0.0,
            "detail": "5 is not 6",
        }
    ]
    more = [
        pa.field("verdicts", pa.list_(VERDICT_TYPE)),
        pa.field("verdict", pa.string()),
        pa.field("pass_rate", pa.float64()),
    ]
    rows = [
        {"verdict": v, "verdicts": said if v == "fail" else [], "pass_rate": 0.25}
        for v in ("fail", None, "pass", "pass")
    ]
    table = completions(rows, extra=more)
    flow = Select().apply(table)
    evidence = [json.loads(one) for one in flow.rejected["evidence"].to_pylist()]
    told = {"verifier": "math", "verdict": "fail", "detail": "5 is not 6"}
    assert evidence[0] == {"verdict": "fail", "pass_rate": 0.25, "said": [told]}
    assert evidence[1] == {"verdict": None, "pass_rate": 0.25, "said": []}
    assert evidence[2]["kept"] == ["c2"], "a row that was not selected does not say which was"
    hard = PassRate(min=0.5).apply(table).rejected
    assert set(hard["reason"].to_pylist()) == {"too_hard"}
    assert json.loads(hard["evidence"][0].as_py()) == evidence[0]


@pytest.mark.parametrize(("choose", "wanted"), [("first", "c0"), ("shortest", "c1"), ("longest", "c2")])
def test_select_chooses_by_order_or_length(choose: str, wanted: str) -> None:
    table = judged([("a", "pass")] * 3, completion_tokens=[50, 10, 90])
    flow = Select.model_validate({"choose": choose}).apply(table)
    assert flow.kept["completion_id"].to_pylist() == [wanted]


@settings(deadline=None)
@given(st.permutations(range(8)), st.integers(0, 3))
def test_the_random_choice_follows_ids_and_not_positions(order: list[int], seed: int) -> None:
    rows = [("a" if n < 5 else "b", "pass") for n in range(8)]
    stage = Select(choose="random", seed=seed, per_problem=2)
    straight = stage.apply(judged(rows)).kept["completion_id"].to_pylist()
    mixed = stage.apply(judged(rows).take(order)).kept["completion_id"].to_pylist()
    assert sorted(mixed) == sorted(straight)
    assert len(straight) == 4


def test_the_random_choice_spreads_over_completions() -> None:
    table = judged([(f"p{n // 4}", "pass") for n in range(400)])
    kept = Select(choose="random", seed=1).apply(table).kept
    counts = Counter(int(c[1:]) % 4 for c in kept["completion_id"].to_pylist())
    assert len(counts) == 4
    assert min(counts.values()) > 10, f"some completions are hardly ever chosen: {counts}"
