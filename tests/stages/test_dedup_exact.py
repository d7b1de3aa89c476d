from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factory.core import PROBLEM_SCHEMA
from factory.stages.dedup.exact import DedupExact
from tests.stages.tables import problems, run_global, site


def cut_shards(table: pa.Table, at: list[int]) -> list[pa.Table]:
    edges = [0, *sorted(at), table.num_rows]
    return [table.slice(a, b - a) for a, b in pairwise(edges)]


def test_copies_that_differ_in_what_typing_changes_are_one(tmp_path: Path) -> None:
    texts = ["What is 2 + 3?", "what  is\n2 + 3", "What is 2 - 3?", "What is 2 + 4?", "What is 2+3 ...?!"]
    kept, rejected, decision = run_global(DedupExact(), [problems(texts)], at=site(tmp_path))
    assert [p[0]["content"] for p in kept[0]["prompt"].to_pylist()] == [texts[0], texts[2], texts[3]]
    assert set(rejected[0]["reason"].to_pylist()) == {"exact_duplicate"}
    first = problems(texts)["id"].to_pylist()[0]
    proofs = [json.loads(e) for e in rejected[0]["evidence"].to_pylist()]
    assert proofs == [{"kept": first, "origin": "s.jsonl:1"}] * 2
    assert json.loads(decision.schema.metadata[b"report"])["groups"] == 1


DIFFERENT = [
    ("Compute (2+3)*4.", "Compute 2+(3*4)."),
    ("Compute 2³.", "Compute 23."),
    ("Find n! now", "Find n now"),
    ("if (!x)", "if (x)"),
    ("How many integers are in (1,5)?", "How many integers are in [1,5]?"),
    ("Write it in C#", "Write it in C"),
    ("¿Qué es el papa?", "¿Qué es el papá?"),
    ("Run\nif x:\n    y = 1\n    z = 2", "Run\nif x:\n    y = 1\nz = 2"),
    ("Let A=5, a=3. Find A.", "Let A=5, a=3. Find a."),
    ("Write the US total", "Write the us total"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_brackets_marks_scripts_case_and_layout_tell_problems_apart(
    one: str, other: str, tmp_path: Path
) -> None:
    kept, _, _ = run_global(DedupExact(), [problems([one, other])], at=site(tmp_path))
    assert kept[0].num_rows == 2


def test_the_domain_and_the_other_turns_tell_rows_apart(tmp_path: Path) -> None:
    rows = problems(["Say it", "Say it", "Say it"], domain=["chat", "math", "chat"]).to_pylist()
    rows[2]["prompt"] = [{"role": "system", "content": "In German."}, *rows[2]["prompt"]]
    kept, _, _ = run_global(DedupExact(), [pa.Table.from_pylist(rows, PROBLEM_SCHEMA)], at=site(tmp_path))
    assert kept[0].num_rows == 3


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


def test_of_copies_with_several_answers_the_one_of_most_stays(tmp_path: Path) -> None:
    rows = problems(["q"] * 5, reference=["6", "5", None, "10/2", " 5 "])
    kept, rejected, decision = run_global(DedupExact(), [rows], at=site(tmp_path))
    assert kept[0]["reference"].to_pylist() == ["5"]
    assert kept[0]["review"].to_pylist() == [None]
    reasons = dict(zip(rejected[0]["reference"].to_pylist(), rejected[0]["reason"].to_pylist(), strict=True))
    assert reasons["6"] == "reference_conflict"
    assert reasons["10/2"] == reasons[" 5 "] == reasons[None] == "exact_duplicate"
    kept_ids = {json.loads(e)["kept"] for e in rejected[0]["evidence"].to_pylist()}
    assert kept_ids == set(kept[0]["id"].to_pylist()), "all copies lead to the row that stays"
    report = json.loads(decision.schema.metadata[b"report"])
    assert (report["conflicts_settled"], report["removed_answers_differ"]) == (1, 0)


def test_copies_with_answers_of_equal_weight_all_stay_and_are_marked(tmp_path: Path) -> None:
    rows = problems(["q", "q"], reference=["5", "6"])
    kept, _, decision = run_global(DedupExact(), [rows], at=site(tmp_path))
    notes = [json.loads(n) for n in kept[0]["review"].to_pylist()]
    assert [n[0]["verdict"] for n in notes] == ["conflict", "conflict"]
    assert json.loads(decision.schema.metadata[b"report"])["review"] == 2
    plain, _, _ = run_global(DedupExact(doubtful="keep"), [rows], at=site(tmp_path))
    assert "review" not in plain[0].column_names
    assert plain[0].num_rows == 2
    none, _, _ = run_global(DedupExact(doubtful="reject"), [rows], at=site(tmp_path))
    assert none[0].num_rows == 0


def test_no_rows_is_no_error(tmp_path: Path) -> None:
    kept, rejected, _ = run_global(DedupExact(), [problems([]), problems([])], at=site(tmp_path))
    assert sum(t.num_rows for t in kept + rejected) == 0
