from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.stages.answers.corpus_counts import parts_for, repeated_grams
from factory.stages.answers.corpus_repetition import CorpusRepetition
from tests.stages.tables import completions, run_global, site

SAID = "Let me think about this step by step and check every number twice before I write down the answer"


def words(seed: int, count: int = 40) -> str:
    rng = np.random.default_rng(seed)
    return " ".join(f"word{n}" for n in rng.integers(0, 10**9, count))


def corpus(holding: int, *, other: int = 5, problem: str | None = None) -> pa.Table:
    rows = [
        {
            "id": problem or f"p{n}",
            "content": f"{words(n)} {SAID.upper() if n % 2 else SAID}, {words(n + 1000)}",
        }
        for n in range(holding)
    ]
    return completions(rows + [{"id": f"q{n}", "content": words(n + 5000)} for n in range(other)])


def test_twenty_problems_may_share_a_stretch_and_twenty_one_may_not(tmp_path: Path) -> None:
    stage = CorpusRepetition(ngram=19)
    assert run_global(stage, [corpus(20)], at=site(tmp_path))[1][0].num_rows == 0
    kept, rejected, decision = run_global(stage, [corpus(21)], at=site(tmp_path))
    assert kept[0]["id"].to_pylist() == [f"q{n}" for n in range(5)]
    assert set(rejected[0]["reason"].to_pylist()) == {"corpus_repetition"}
    for proof, content in zip(
        rejected[0]["evidence"].to_pylist(), rejected[0]["content"].to_pylist(), strict=True
    ):
        found = json.loads(proof)
        assert (found["problems"], found["column"], found["text"].lower()) == (21, "content", SAID.lower())
        assert content[slice(*found["span"])] == found["text"]
    assert json.loads(decision.schema.metadata[b"report"]) == {"stretches": 1, "most": 21}


def test_a_stretch_repeated_inside_one_row_counts_once(tmp_path: Path) -> None:
    rows = completions([{"content": f"{SAID} " * 30}, {"content": words(1)}])
    kept, _, _ = run_global(CorpusRepetition(), [rows], at=site(tmp_path))
    assert kept[0].num_rows == 2


def test_completions_of_one_problem_count_once_unless_rows_are_counted(tmp_path: Path) -> None:
    many = corpus(30, problem="same")
    by_row = CorpusRepetition(ngram=19, count="rows")
    assert run_global(by_row, [many], at=site(tmp_path))[1][0].num_rows == 30
    by_problem = CorpusRepetition(ngram=19)
    assert run_global(by_problem, [many], at=site(tmp_path))[1][0].num_rows == 0
    _, rejected, _ = run_global(by_problem, [many, corpus(20)], at=site(tmp_path))
    assert [r.num_rows for r in rejected] == [30, 20], "20 problems and the one with 30 completions are 21"
    assert json.loads(rejected[0]["evidence"].to_pylist()[0])["problems"] == 21


def test_shards_do_not_change_what_goes(tmp_path: Path) -> None:
    rows = corpus(25)
    whole = run_global(CorpusRepetition(ngram=10), [rows], at=site(tmp_path))
    for cuts in ([0, 1, 30], [0, 7, 7, 14, 21, 30]):
        shards = [rows.slice(a, b - a) for a, b in pairwise(cuts)]
        kept, rejected, decision = run_global(CorpusRepetition(ngram=10), shards, at=site(tmp_path))
        assert pa.concat_tables(kept).equals(whole[0][0])
        assert pa.concat_tables(rejected).equals(whole[1][0]), f"evidence depends on the shards {cuts}"
        assert decision.schema.metadata == whole[2].schema.metadata


@settings(max_examples=40, deadline=None)
@given(
    grams=st.lists(st.integers(0, 40), max_size=200),
    cuts=st.lists(st.integers(0, 200), max_size=4),
    limit=st.sampled_from([1, 2, 5, 300]),
    slots=st.sampled_from([1, 4, 1024]),
    parts=st.integers(1, 5),
)
def test_counts_are_exact_for_any_shards_parts_and_counters(
    grams: list[int], cuts: list[int], limit: int, slots: int, parts: int
) -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 41, dtype=np.uint64)[np.array(grams, np.int64)]
    table = pa.table({"gram": pa.array(hashes, pa.uint64()), "counts": np.ones(len(grams), bool)})
    edges = [0, *sorted(min(c, len(grams)) for c in cuts), len(grams)]
    surveys = [table.slice(a, b - a) for a, b in pairwise(edges)]
    found: dict[int, int] = {}
    for part in range(parts):
        gram, count = repeated_grams(surveys, limit, part, parts, slots)
        found |= dict(zip(gram.tolist(), count.tolist(), strict=True))
    values, counts = np.unique(hashes, return_counts=True)
    truth = {int(v): int(c) for v, c in zip(values, counts, strict=True) if c > limit}
    assert found == truth


@pytest.mark.parametrize(("lines", "parts"), [(0, 1), (40, 1), (41, 2), (400, 10)])
def test_more_lines_than_the_counters_bear_are_counted_in_parts(lines: int, parts: int) -> None:
    assert parts_for(lines, slots=10) == parts
