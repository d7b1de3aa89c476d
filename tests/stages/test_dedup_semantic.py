from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.embeddings.vectors import Vectors
from factory.stages.dedup.lazy_calls import fixed_binary
from factory.stages.dedup.pair_search import PairSearch
from factory.stages.dedup.semantic import DedupSemantic
from factory.stages.dedup.semantic_audit import PairAudit
from factory.stages.dedup.semantic_pairs import spread_pairs
from factory.stages.dedup.semantic_search import SemanticRows, searched
from tests.stages.tables import problems, run_global, site, spread_as_pickles

TEXTS = [
    "Tom has 5 apples and buys 7 more. How many apples does he have?",
    "Tom has 5 apples and he buys 7 more apples. How many apples does he have now?",
    "Tom has 5 apples and buys 9 more. How many apples does he have?",
    "Find the derivative of x^3 with respect to x.",
    "What is the capital of France?",
]


@pytest.mark.embedder
def test_a_paraphrase_goes_where_the_answers_agree_and_is_marked_where_there_are_none(tmp_path: Path) -> None:
    rows = problems(TEXTS, reference=["12", "12", "14", None, None])
    kept, rejected, decision = run_global(DedupSemantic(), [rows], at=site(tmp_path))
    assert [p[0]["content"] for p in kept[0]["prompt"].to_pylist()] == [TEXTS[0], *TEXTS[2:]]
    proof = json.loads(rejected[0]["evidence"].to_pylist()[0])
    assert rejected[0]["reason"].to_pylist() == ["near_duplicate"]
    assert proof["kept"] == kept[0]["id"].to_pylist()[0]
    assert proof["cosine"] >= 0.8
    assert (proof["difference"], proof["answers"]) == (["words"], "agree")
    report = json.loads(decision.schema.metadata[b"report"])
    assert report["search"]["recall"] == 1
    assert (report["removed_answers_known"], report["removed_answers_differ"]) == (1, 0)
    assert report["alarms"] == []
    kept, _, _ = run_global(DedupSemantic(), [problems(TEXTS)], at=site(tmp_path))
    assert kept[0].num_rows == len(TEXTS)
    notes = kept[0]["review"].to_pylist()
    assert json.loads(notes[1])[0]["verdict"] == "review"
    assert [n for place, n in enumerate(notes) if place != 1] == [None] * 4


@pytest.mark.embedder
def test_the_row_with_a_reference_stays_whatever_the_shards(tmp_path: Path) -> None:
    texts = [TEXTS[0], TEXTS[0].upper(), *TEXTS[2:]]
    rows = problems(texts, reference=[None, "12", None, None, None])
    whole, _, _ = run_global(DedupSemantic(), [rows], at=site(tmp_path))
    assert [p[0]["content"] for p in whole[0]["prompt"].to_pylist()] == texts[1:]
    for cuts in ([0, 1, 2, 5], [0, 0, 3, 5], [0, 1, 2, 3, 4, 5]):
        shards = [rows.slice(a, b - a) for a, b in pairwise(cuts)]
        parts, _, _ = run_global(DedupSemantic(), shards, at=site(tmp_path))
        assert pa.concat_tables(parts).equals(whole[0]), f"shards cut at {cuts} keep other rows"


@pytest.mark.embedder
def test_what_the_model_cannot_read_is_compared_with_nothing_and_counted(tmp_path: Path) -> None:
    unread = ["ఒక రైతు వద్ద ఇరవై గొర్రెలు ఉన్నాయి", "వర్షం పడుతోంది కానీ వేడిగా ఉంది", "მას აქვს ხუთი ვაშლი და ორი მსხალი"]
    copies = [unread[0], unread[0] + " "]
    kept, rejected, decision = run_global(
        DedupSemantic(), [problems([*unread, *copies, *TEXTS[3:]])], at=site(tmp_path)
    )
    assert rejected[0].num_rows == 0
    assert kept[0]["review"].null_count == kept[0].num_rows
    report = json.loads(decision.schema.metadata[b"report"])
    assert report["unreadable_by_script"] == {"Telugu": 4, "Georgian": 1}
    assert any("cannot read 4 of 4 rows in Telugu script" in a for a in report["alarms"])


@pytest.mark.embedder
def test_long_prompts_with_other_questions_at_the_end_stay(tmp_path: Path) -> None:
    passage = "The old harbour was built from grey stone and later painted by many sailors. " * 18
    texts = [
        passage + "Who built the harbour?",
        passage + "Which animals live on the far island near the western lighthouse keeper today?",
    ]
    kept, _, decision = run_global(DedupSemantic(), [problems(texts)], at=site(tmp_path))
    assert kept[0].num_rows == 2
    assert json.loads(decision.schema.metadata[b"report"])["truncated"] == 0


@pytest.mark.embedder
def test_no_rows_is_no_error(tmp_path: Path) -> None:
    kept, _, _ = run_global(DedupSemantic(), [problems([])], at=site(tmp_path))
    assert kept[0].num_rows == 0


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_clusters_with_a_wide_margin_find_the_pairs_of_a_flat_search(seed: int, cluster_rows: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(40, 16))
    vectors = Vectors.quantised(np.repeat(base, 8, axis=0) + rng.normal(scale=0.2, size=(320, 16)))
    wide = PairSearch(threshold=0.9, flat_below=10, cluster_rows=cluster_rows, margin=0.3, max_clusters=32)

    def pairs(search: PairSearch) -> set[tuple[int, int]]:
        found = spread_pairs(vectors, search=search, spread=spread_as_pickles)
        return {(a, b) for e in found for a, b in zip(e.left.tolist(), e.right.tolist(), strict=True)}

    flat = pairs(PairSearch(threshold=0.9, flat_below=1000, margin=0.3))
    soft = pairs(wide)
    assert soft <= flat
    assert len(soft) >= 0.95 * len(flat) > 0


def semantic_rows(vectors: Vectors, shards: int) -> SemanticRows:
    """Rows with these vectors and one text, so that every pair is a copy."""
    rows, n = SemanticRows(), len(vectors)
    names = pa.array([f"r{i}" for i in range(n)])
    table = pa.table(
        {
            "id": names,
            "origin": names,
            "source": np.zeros(n, np.int32),
            "no_tests": np.ones(n, bool),
            "no_reference": np.ones(n, bool),
            "codes": fixed_binary(vectors.values),
            "scale": vectors.scales,
            "unread": np.zeros(n, np.float32),
            "cut": np.zeros(n, bool),
            "text": ["one text"] * n,
            "domain": ["math"] * n,
            "from": ["s"] * n,
            "script": ["Latin"] * n,
            "reference": pa.nulls(n, pa.string()),
            "tests": pa.nulls(n, pa.string()),
            "setting": np.zeros(n, np.uint64),
        }
    )
    for part in np.array_split(np.arange(n), shards):
        rows.add(table.take(pa.array(part)))
    return rows


def test_a_search_that_misses_pairs_is_done_again_wider_whatever_the_shards() -> None:
    rng = np.random.default_rng(3)
    base = rng.normal(size=(2100, 24))
    vectors = Vectors.quantised(np.repeat(base, 3, axis=0) + rng.normal(scale=0.35, size=(6300, 24)))
    outcomes = []
    for shards in (1, 2, 7):
        kept, report = searched(
            semantic_rows(vectors, shards),
            threshold=0.85,
            margin=0.0,
            flat_below=1000,
            max_unread=0.2,
            doubtful="keep",
            spread=spread_as_pickles,
        )
        outcomes.append(({row: link.like for row, link in kept.removed.items()}, report))
    assert outcomes[0] == outcomes[1] == outcomes[2], "rows go by shard"
    report = outcomes[0][1]
    assert report["searches"] > 1, "clusters without a margin found everything, so this proves nothing"
    assert report["search"]["recall"] >= 0.999
    assert report["search"]["margin"] > 0
    assert report["alarms"] == []
    flat, one = searched(
        semantic_rows(vectors, 1),
        threshold=0.85,
        margin=0.0,
        flat_below=10_000,
        max_unread=0.2,
        doubtful="keep",
        spread=spread_as_pickles,
    )
    assert one["searches"] == 1
    assert len(flat.removed.keys() ^ outcomes[0][0].keys()) <= 0.002 * len(flat.removed)


def test_the_widest_search_counts_and_each_is_held_against_the_same_pairs() -> None:
    rng = np.random.default_rng(3)
    base = rng.normal(size=(60, 24))
    vectors = Vectors.quantised(np.repeat(base, 6, axis=0) + rng.normal(scale=0.3, size=(360, 24)))
    audit = PairAudit(vectors, threshold=0.85, sample=120)
    recalls = []
    for margin, most in ((0.0, 1), (0.9, 32)):
        search = PairSearch(threshold=0.85, margin=margin, max_clusters=most, flat_below=2, cluster_rows=8)
        audit.begin()
        for edges in spread_pairs(vectors, search=search, spread=spread_as_pickles):
            audit.observe(edges)
        recalls.append(audit.recall())
    assert recalls[0].recall < 0.999 <= recalls[1].recall
    assert recalls[0].pairs == recalls[1].pairs > 50
    assert recalls[0].low < recalls[0].recall < recalls[0].high


@pytest.mark.embedder
@pytest.mark.realdata
@pytest.mark.timeout(400)
def test_real_prompts_give_the_same_rows_and_evidence_in_1_2_and_7_shards(
    test_data: Path, tmp_path: Path
) -> None:
    lines = (test_data / "data/gsm8k/test.jsonl").read_text().splitlines()[:40]
    twins = (test_data / "data/decontam_rephrased/rephrase_gsm8k.jsonl").read_text().splitlines()[:40]
    texts = [json.loads(line)["question"] for line in lines]
    texts += [
        re.sub(r"^Question:\s*|\s*Answer:.*$", "", json.loads(t)["text"], flags=re.DOTALL) for t in twins
    ]
    math = json.loads((test_data / "data/math/deepscaler_math_train.json").read_text())
    texts += [row["problem"] for row in math[:50]]
    golds = [json.loads(line)["answer"].split("####")[1].strip() for line in lines]
    rows = problems(texts, reference=[*golds, *golds, *(str(row["answer"]) for row in math[:50])])
    stage = DedupSemantic()
    outcomes = []
    for shards in (1, 2, 7):
        parts = [rows.take(pa.array(p)) for p in np.array_split(np.arange(len(texts)), shards)]
        kept, rejected, decision = run_global(stage, parts, at=site(tmp_path / str(shards)))
        outcomes.append((pa.concat_tables(kept), pa.concat_tables(rejected), decision.schema.metadata))
    for kept, rejected, report in outcomes[1:]:
        assert kept.equals(outcomes[0][0])
        assert rejected.equals(outcomes[0][1]), "evidence depends on the shards"
        assert report == outcomes[0][2]
    assert outcomes[0][1].num_rows >= 30, "so few twins went that the test proves little"
