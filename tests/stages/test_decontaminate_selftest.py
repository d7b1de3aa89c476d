from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, get_args

import pytest

from factory.core import DataError
from factory.stages.decontamination.decontaminate import Decontaminate
from factory.stages.decontamination.disguises import PLACES
from factory.stages.decontamination.overlap_embedding import EmbeddingRule
from factory.stages.decontamination.planted_copies import KINDS, Disguise
from factory.stages.decontamination.selftest import read_rephrased, selftest_report
from tests.stages.tables import site

COPIES = ("verbatim", "wrapped", "typo", "edited", "inserted", "deleted", "punctuation")


def bench(folder: Path, rows: int = 30) -> dict[str, Any]:
    path = folder / "bench.jsonl"
    names = ["Ann", "Bob", "Carla", "Dimitri", "Esther", "Farid"]
    things = ["apples", "marbles", "pencils", "stamps", "ribbons"]
    text = (
        "{a} and {b} collect {c} in the garden behind the old school every morning before class starts. "
        "Then {a} finds {n} more of them under a bench while {b} gives away {m} to some younger children. "
        "What number of {c} do both of them have together after {k} days when nothing else happens?"
    )
    with path.open("w") as file:
        for k in range(rows):
            who = names[k % 6], names[(k + 1 + k // 6) % 6]
            question = text.format(a=who[0], b=who[1], c=things[k % 5], n=k + 20, m=k + 3, k=k + 50)
            file.write(json.dumps({"question": question, "key": f"k{k}"}) + "\n")
    return {"name": "bench", "files": str(path), "columns": {"text": "question", "id": "key"}}


def clean(rows: int) -> list[str]:
    return [
        f"Find the remainder of {n} squared plus {n + 7} on division by {n % 9 + 2}." for n in range(rows)
    ]


def by_kind(lines: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {line["kind"]: line for line in lines}


def test_copies_are_found_and_clean_problems_are_not(tmp_path: Path) -> None:
    stage = Decontaminate.model_validate({"benchmarks": [bench(tmp_path)]})
    lines = by_kind(selftest_report(stage, clean(200), site=site(tmp_path), per_kind=25))
    places = {f"at_{place}" for place in PLACES}
    assert {*KINDS, *get_args(Disguise), *places, "problems"} - set(lines) <= {"plain_latex"}
    for kind in COPIES:
        assert lines[kind]["planted"] >= 20, f"{kind}: the items are too short to be changed"
        assert (lines[kind]["recall"], lines[kind]["precision"]) == (1, 1), f"{kind} copies are missed"
    assert (lines["problems"]["planted"], lines["problems"]["found"]) == (200, 0)


def test_a_rule_that_sees_nothing_finds_nothing_and_one_that_sees_all_is_not_precise(tmp_path: Path) -> None:
    blind = Decontaminate.model_validate(
        {"benchmarks": [bench(tmp_path)], "rules": [{"n": 100, "short_items": "unseen"}]}
    )
    lines = by_kind(selftest_report(blind, clean(50), site=site(tmp_path), per_kind=10))
    assert lines["verbatim"]["recall"] == 0
    assert lines["verbatim"]["precision"] is None
    greedy = Decontaminate.model_validate(
        {"benchmarks": [bench(tmp_path)], "rules": [{"n": 1, "rule": "any"}]}
    )
    lines = by_kind(selftest_report(greedy, clean(50), site=site(tmp_path), per_kind=10))
    assert lines["problems"]["found"] == 50, "every problem shares the word `of`"
    assert lines["verbatim"]["precision"] == pytest.approx(10 / 60)


@pytest.mark.embedder
def test_a_step_without_an_embedder_looks_worse_on_changed_words_and_says_so(tmp_path: Path) -> None:
    stage = Decontaminate.model_validate({"benchmarks": [bench(tmp_path)]})
    plain = by_kind(selftest_report(stage, clean(20), site=site(tmp_path), per_kind=10))
    whole = stage.model_copy(update={"embedding": EmbeddingRule()})
    better = by_kind(selftest_report(whole, clean(20), site=site(tmp_path), per_kind=10))
    assert plain["filler_after_5th"]["recall"] < 0.5 < better["filler_after_5th"]["recall"]


def test_a_step_for_completions_is_tested_on_completions(tmp_path: Path) -> None:
    stage = Decontaminate.model_validate({"benchmarks": [bench(tmp_path)], "of": ["reasoning_content"]})
    lines = by_kind(selftest_report(stage, clean(20), site=site(tmp_path), per_kind=10))
    assert lines["verbatim"]["recall"] == 1
    assert lines["problems"]["found"] == 0
    assert not [kind for kind in lines if kind.startswith("at_")], "no place in a prompt is looked at"


def test_digits_stripped_shows_in_the_number_changed_line(tmp_path: Path) -> None:
    rules = [{"n": 32, "rule": "any", "digits_stripped": True}]
    stage = Decontaminate.model_validate({"benchmarks": [bench(tmp_path)], "rules": rules})
    lines = by_kind(selftest_report(stage, clean(10), site=site(tmp_path), per_kind=20))
    assert lines["number_changed"]["found"] == lines["number_changed"]["planted"] == 20


def test_rephrased_items_are_a_kind_of_their_own_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    stage = Decontaminate.model_validate({"benchmarks": [bench(tmp_path)]})
    file = tmp_path / "rephrased.jsonl.gz"
    told = {"benchmark": "bench", "item": "k3", "text": "In other words entirely, how many are there?"}
    file.write_bytes(gzip.compress(json.dumps(told).encode()))
    lines = by_kind(
        selftest_report(stage, clean(5), site=site(tmp_path), rephrased=read_rephrased(str(file)), per_kind=2)
    )
    assert (lines["rephrased"]["planted"], lines["rephrased"]["found"]) == (1, 0)
    with pytest.raises(DataError, match="'k99' of 'bench'"):
        selftest_report(stage, [], site=site(tmp_path), rephrased=[("bench", "k99", "x")])
    file.write_bytes(gzip.compress(b'{"benchmark": "bench"}'))
    with pytest.raises(DataError, match="wanted the columns"):
        read_rephrased(str(file))
