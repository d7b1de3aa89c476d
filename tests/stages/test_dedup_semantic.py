from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.curation.pairs import PairSearch, find_pairs
from factory.curation.vectors import Vectors
from factory.stages.dedup_semantic import DedupSemantic
from factory.stages.semantic_pairs import spread_pairs
from tests.stages.tables import problems, run_global, site

TEXTS = [
    "Tom has 5 apples and buys 7 more. How many apples does he have?",
    "Tom has 5 apples and he buys 7 more apples. How many apples does he have now?",
    "Tom has 5 apples and buys 9 more. How many apples does he have?",
    "Find the derivative of x^3 with respect to x.",
    "What is the capital of France?",
]


@pytest.mark.embedder
def test_a_near_copy_goes_and_a_problem_with_other_numbers_stays(tmp_path: Path) -> None:
    kept, rejected, decision = run_global(DedupSemantic(), [problems(TEXTS)], at=site(tmp_path))
    assert [p[0]["content"] for p in kept[0]["prompt"].to_pylist()] == [TEXTS[0], *TEXTS[2:]]
    proof = json.loads(rejected[0]["evidence"].to_pylist()[0])
    assert rejected[0]["reason"].to_pylist() == ["near_duplicate"]
    assert proof["kept"] == kept[0]["id"].to_pylist()[0]
    assert proof["cosine"] >= 0.9
    report = json.loads(decision.schema.metadata[b"report"])
    assert report["search"]["recall"] == 1
    assert report["alarms"] == []
    blind, _, _ = run_global(DedupSemantic(number_guard=False), [problems(TEXTS)], at=site(tmp_path))
    assert blind[0].num_rows == 3, "without the guard the number-changed problem should go as well"


@pytest.mark.embedder
def test_the_row_with_a_reference_stays_whatever_the_shards(tmp_path: Path) -> None:
    rows = problems(TEXTS, reference=[None, "12", None, None, None])
    whole, _, _ = run_global(DedupSemantic(), [rows], at=site(tmp_path))
    assert [p[0]["content"] for p in whole[0]["prompt"].to_pylist()] == TEXTS[1:]
    for cuts in ([0, 1, 2, 5], [0, 0, 3, 5], [0, 1, 2, 3, 4, 5]):
        shards = [rows.slice(a, b - a) for a, b in pairwise(cuts)]
        parts, _, _ = run_global(DedupSemantic(), shards, at=site(tmp_path))
        assert pa.concat_tables(parts).equals(whole[0]), f"shards cut at {cuts} keep other rows"


@pytest.mark.embedder
def test_long_prompts_with_other_questions_at_the_end_stay(tmp_path: Path) -> None:
    passage = "The old harbour was built from grey stone and later painted by many sailors. " * 18
    texts = [
        passage + "Who built the harbour?",
        passage + "Which animals live on the far island near the western lighthouse keeper today?",
    ]
    kept, _, _ = run_global(DedupSemantic(), [problems(texts)], at=site(tmp_path))
    assert kept[0].num_rows == 2
    kept, _, _ = run_global(DedupSemantic(tail_guard=False), [problems(texts)], at=site(tmp_path))
    assert kept[0].num_rows == 1, "this pair does not need the guard, so it proves nothing"


@pytest.mark.embedder
def test_many_copies_of_one_prompt_raise_an_alarm(tmp_path: Path) -> None:
    texts = [f"{TEXTS[0]} {'Please.' * (n % 5)} {'Thanks' * (n % 3)}" for n in range(60)]
    _, _, decision = run_global(
        DedupSemantic(min_cosine=0.7), [problems(texts + TEXTS[3:])], at=site(tmp_path)
    )
    assert (
        "one group of near-duplicates holds 60 rows"
        in json.loads(decision.schema.metadata[b"report"])["alarms"][0]
    )


@pytest.mark.embedder
def test_no_rows_is_no_error(tmp_path: Path) -> None:
    kept, _, _ = run_global(DedupSemantic(), [problems([])], at=site(tmp_path))
    assert kept[0].num_rows == 0


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_spread_calls_find_the_pairs_of_one_process(seed: int, cluster_rows: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(40, 16))
    vectors = Vectors.quantised(np.repeat(base, 8, axis=0) + rng.normal(scale=0.2, size=(320, 16)))
    search = PairSearch(threshold=0.9, flat_below=10, cluster_rows=cluster_rows, margin=0.3)

    def pairs(found: object) -> set[tuple[int, int]]:
        return {(a, b) for e in found for a, b in zip(e.left.tolist(), e.right.tolist(), strict=True)}

    spread = pairs(spread_pairs(vectors, search=search, spread=lambda f, calls: (f(*c) for c in calls)))
    assert spread == pairs(find_pairs(vectors, search=search))
    assert spread
