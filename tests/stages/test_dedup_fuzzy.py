from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from random import Random
from unittest.mock import patch

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.stages.dedup import fuzzy_pairs as fuzzy_pairs_module
from factory.stages.dedup.fuzzy import DedupFuzzy
from factory.stages.dedup.fuzzy_pairs import SketchRows, spread_fuzzy_pairs
from factory.stages.dedup.lazy_calls import fixed_binary
from factory.stages.dedup.minhash import MinHashSearch, fuzzy_pairs, sketch
from factory.stages.dedup.pairs import Edges
from tests.stages.tables import problems, run_global, site, spread_as_pickles

WORDS = ("red", "green", "blue", "sheep", "lamb", "storm")
BASE = (
    "A farmer has 24 sheep and sells a third of them at the market in spring. He then buys 7 new lambs from "
    "his neighbour and loses 2 of them in a storm. How many animals does the farmer have in the end?"
)
TYPO = BASE.replace("market", "markt").replace("neighbour", "nieghbour")
WRAPPED = f"Solve the problem below. {BASE} Write the final number on the last line."
NUMBERS = BASE.replace("24", "36")
OTHER = "Find the derivative of the function f(x) = x^3 - 4x with respect to x at the point x = 2."


def contents(tables: list[pa.Table]) -> list[str]:
    return [p[0]["content"] for t in tables for p in t["prompt"].to_pylist()]


def test_typos_and_wraps_go_and_other_numbers_stay(tmp_path: Path) -> None:
    kept, rejected, decision = run_global(
        DedupFuzzy(), [problems([BASE, TYPO, NUMBERS, WRAPPED, OTHER])], at=site(tmp_path)
    )
    assert contents(kept) == [BASE, NUMBERS, OTHER]
    assert rejected[0]["reason"].to_pylist() == ["near_duplicate"] * 2
    proof = json.loads(rejected[0]["evidence"].to_pylist()[0])
    assert proof["kept"] == kept[0]["id"].to_pylist()[0]
    assert 0.5 <= proof["jaccard"] < 1
    assert proof["difference"] == ["typo"]
    report = json.loads(decision.schema.metadata[b"report"])
    assert report["verdicts"] == {"same": 2}
    assert report["alarms"] == []


def test_a_domain_may_want_more_likeness(tmp_path: Path) -> None:
    rows = problems([BASE, TYPO], domain=["code", "code"])
    assert (
        len(contents(run_global(DedupFuzzy(domain_min_jaccard={"code": 0.95}), [rows], at=site(tmp_path))[0]))
        == 2
    )
    assert len(contents(run_global(DedupFuzzy(domain_min_jaccard={}), [rows], at=site(tmp_path))[0])) == 1


def test_shards_do_not_change_what_stays_and_a_reference_wins(tmp_path: Path) -> None:
    rows = problems(
        [BASE, OTHER, TYPO, WRAPPED, NUMBERS, OTHER + " Please."],
        reference=[None, None, "21", None, None, "8"],
    )
    whole, _, _ = run_global(DedupFuzzy(), [rows], at=site(tmp_path))
    assert contents(whole) == [TYPO, NUMBERS, OTHER + " Please."]
    for cuts in ([0, 1, 2, 6], [0, 0, 3, 3, 6], [0, 1, 2, 3, 4, 5, 6]):
        parts, _, _ = run_global(
            DedupFuzzy(), [rows.slice(a, b - a) for a, b in pairwise(cuts)], at=site(tmp_path)
        )
        assert pa.concat_tables(parts).equals(whole[0]), f"shards cut at {cuts} keep other rows"


def test_no_rows_and_wordless_rows_are_no_error(tmp_path: Path) -> None:
    assert contents(run_global(DedupFuzzy(), [problems([])], at=site(tmp_path))[0]) == []
    kept, _, _ = run_global(DedupFuzzy(), [problems(["", "?", "!", ""])], at=site(tmp_path))
    assert kept[0].num_rows == 4


def test_another_word_is_kept_apart_by_its_meaning_and_doubt_is_marked(tmp_path: Path) -> None:
    contrary = BASE.replace("loses", "gains")
    doubtful = BASE.replace("storm", "flood").replace("buys", "gets")
    kept, rejected, decision = run_global(
        DedupFuzzy(), [problems([BASE, contrary, doubtful])], at=site(tmp_path)
    )
    assert rejected[0].num_rows == 0
    first = kept[0]["id"].to_pylist()[0]
    notes = kept[0]["review"].to_pylist()
    assert notes[:2] == [None, None]
    [note] = json.loads(notes[2])
    assert (note["verdict"], note["kept"]) == ("review", first)
    report = json.loads(decision.schema.metadata[b"report"])
    assert report["kept_apart_by"]["contrary words"] >= 1
    sure = problems([BASE, contrary, doubtful], reference=["21", "21", "21"])
    kept, rejected, _ = run_global(DedupFuzzy(), [sure], at=site(tmp_path))
    assert contents(kept) == [BASE, contrary], "equal answers settle a doubt, and no contrary word"
    gone, _, _ = run_global(DedupFuzzy(doubtful="reject"), [problems([BASE, doubtful])], at=site(tmp_path))
    assert gone[0].num_rows == 1


def test_a_source_that_loses_far_more_than_others_and_a_giant_group_raise_alarms(tmp_path: Path) -> None:
    texts = [f"{BASE} {'Please. ' * (n % 5)} {'Thanks! ' * (n % 3)}" for n in range(60)]
    other = [f"Question {n} asks for the {WORDS[n % 6]} one of {n * n} and {n + 7}." for n in range(60)]
    rows = problems(texts + other, source=["a"] * 60 + ["b"] * 60)
    _, _, decision = run_global(DedupFuzzy(), [rows], at=site(tmp_path))
    alarms = json.loads(decision.schema.metadata[b"report"])["alarms"]
    assert any("one group of copies holds 60 rows" in a for a in alarms), alarms
    assert any(a.startswith("source 'a' loses 59 of 60") for a in alarms), alarms


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([1, 3, 1000]), st.integers(0, 40))
def test_spread_calls_find_the_pairs_of_one_process(seed: int, call_rows: int, new_from: int) -> None:
    rng = Random(seed)
    texts = [" ".join(rng.choice(WORDS) for _ in range(rng.randrange(12))) for _ in range(70)]
    texts += [" ".join(WORDS)] * 10
    search, rank = MinHashSearch(threshold=0.4, words=3), np.array(rng.sample(range(80), 80))
    rank[np.argsort(rank[:new_from])] = np.arange(new_from)
    whole = sketch(pa.array(texts), search=search)
    rows = SketchRows(search.bands)
    rows.add(
        pa.table(
            {
                "signature": fixed_binary(whole.signatures),
                "keys": fixed_binary(whole.keys.T),
                "numbers": whole.numbers,
            }
        )
    )

    def pairs(found: Iterable[Edges]) -> dict[tuple[int, int], float]:
        every = [(e.left.tolist(), e.right.tolist(), e.score.tolist()) for e in found]
        return {(a, b): score for e in every for a, b, score in zip(*e, strict=True)}

    with patch.object(fuzzy_pairs_module, "_CALL_ROWS", call_rows):
        spread = pairs(
            spread_fuzzy_pairs(rows, rank=rank, search=search, new_from=new_from, spread=spread_as_pickles)
        )
    assert spread == pairs(fuzzy_pairs(whole, rank=rank, search=search, new_from=new_from))
    assert spread
