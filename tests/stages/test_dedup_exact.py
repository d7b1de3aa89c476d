from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factory.stages.dedup.exact import DedupExact
from tests.stages.tables import problems, run_global, site


def cut_shards(table: pa.Table, at: list[int]) -> list[pa.Table]:
    edges = [0, *sorted(at), table.num_rows]
    return [table.slice(a, b - a) for a, b in pairwise(edges)]


def test_copies_that_differ_in_case_spacing_or_punctuation_are_one(tmp_path: Path) -> None:
    texts = ["What is 2 + 3?", "what  is\n2 + 3", "What is 2 - 3?", "What is 2 + 4?", "WHAT IS 2+3 ...?!"]
    kept, rejected, decision = run_global(DedupExact(), [problems(texts)], at=site(tmp_path))
    assert [p[0]["content"] for p in kept[0]["prompt"].to_pylist()] == [texts[0], texts[2], texts[3]]
    assert set(rejected[0]["reason"].to_pylist()) == {"exact_duplicate"}
    first = problems(texts)["id"].to_pylist()[0]
    proofs = [json.loads(e) for e in rejected[0]["evidence"].to_pylist()]
    assert proofs == [{"kept": first, "origin": "s.jsonl:1"}] * 2
    assert json.loads(decision.schema.metadata[b"report"])["groups"] == 1


def test_an_exclamation_mark_counts_only_as_an_operator(tmp_path: Path) -> None:
    same = ["Find it now!", "Find it now."]
    other = [
        "Find 5! now",
        "Find 5 now",
        "Find (n)! now",
        "Find (n) now",
        "x != 3",
        "x = 3",
        "if (!x)",
        "if (x)",
        "n!",
        "n",
    ]
    kept, _, _ = run_global(DedupExact(), [problems(same + other)], at=site(tmp_path))
    assert [p[0]["content"] for p in kept[0]["prompt"].to_pylist()] == [same[0], *other]


@pytest.mark.parametrize(
    ("columns", "winner"),
    [
        ({}, 0),
        ({"reference": [None, "5", None]}, 1),
        ({"reference": ["5", "5", None], "tests": [None, None, "[]"]}, 2),
        ({"source": ["a", "b", "c"]}, 2),
        ({"source": ["a", "b", "c"], "reference": [None, "5", None]}, 1),
    ],
)
def test_tests_then_reference_then_source_then_order_decide_what_stays(
    tmp_path: Path, columns: dict[str, list[str | None]], winner: int
) -> None:
    rows = problems(["same"] * 3, **columns)
    kept, _, _ = run_global(DedupExact(sources=("c", "b")), [rows], at=site(tmp_path))
    if "source" not in columns:
        assert kept[0]["origin"].to_pylist() == [f"s.jsonl:{winner + 1}"]
    else:
        assert kept[0]["source"].to_pylist() == [columns["source"][winner]]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    picks=st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=4),
)
def test_the_cut_is_the_same_for_any_shards_and_leaves_unique_ids(
    tmp_path: Path, picks: list[tuple[int, bool]], cuts: list[int]
) -> None:
    rows = problems([f"text {n}" for n, _ in picks], reference=["r" if has else None for _, has in picks])
    whole, _, _ = run_global(DedupExact(), [rows], at=site(tmp_path))
    parts, rejected, _ = run_global(
        DedupExact(), cut_shards(rows, [min(c, len(picks)) for c in cuts]), at=site(tmp_path)
    )
    together = pa.concat_tables(parts)
    assert together.equals(whole[0]), "the kept rows depend on how the rows are cut into shards"
    assert together.num_rows == len({n for n, _ in picks}) == len(set(together["id"].to_pylist()))
    assert together.num_rows + sum(r.num_rows for r in rejected) == rows.num_rows
    again, _, _ = run_global(DedupExact(), [together], at=site(tmp_path))
    assert again[0].equals(together), "a second run cuts more"


def test_copies_with_another_reference_are_reported(tmp_path: Path) -> None:
    rows = problems(["q", "q", "q"], reference=["5", "6", " 5 "])
    _, rejected, decision = run_global(DedupExact(), [rows], at=site(tmp_path))
    assert [("reference_differs" in e) for e in rejected[0]["evidence"].to_pylist()] == [True, False]
    assert json.loads(decision.schema.metadata[b"report"])["reference_differs"] == 1


def test_no_rows_is_no_error(tmp_path: Path) -> None:
    kept, rejected, _ = run_global(DedupExact(), [problems([]), problems([])], at=site(tmp_path))
    assert sum(t.num_rows for t in kept + rejected) == 0
