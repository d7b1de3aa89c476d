from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from factory.embeddings.vectors import Vectors
from factory.stages.decontamination.copy_recall import selftest
from factory.stages.decontamination.meaning_rule import CLOSE, MeaningRule, close_items, judge
from factory.stages.decontamination.ngrams import NgramIndex
from factory.stages.decontamination.planted_copies import KINDS
from factory.text.numbers import numbers

ITEM = (
    "Tom has 5 apples and buys 7 more at the market, then eats 2 of them on the way home. How many are left?"
)


def close(cosines, texts):
    """Rows at known cosines to a single item."""
    c = np.array(cosines)
    rows = np.stack([c, np.sqrt(1 - c * c)], axis=1)
    return close_items(
        Vectors.exact(rows), numbers(pa.array(texts)), Vectors.exact(np.array([[1.0, 0.0]])),
        numbers(pa.array([ITEM])), [("b", "0")], rule=MeaningRule(),
    )  # fmt: skip


def test_meaning_needs_alike_numbers():
    texts = ["5 then 7 then 2", "five, seven and two", "5 then 9 then 3", "5 7 2", "5 7 2"]
    table = judge(
        NgramIndex.build([("b", "0", ITEM)]).match(pa.array(texts)), close([0.9, 0.81, 0.95, 0.7, 0.6], texts)
    )
    verdicts = {v["row"]: v["verdict"] for v in table.to_pylist()}
    assert verdicts == {0: "contaminated", 1: "contaminated", 2: "review", 3: "review"}


def test_a_shared_ngram_below_the_limit_is_for_review():
    texts = pa.array([
        "Ann has 3 pears and buys 9 more at the market, then eats 2 of them and so on for ever and ever",
        ITEM.lower(),
        "nothing alike",
    ])  # fmt: skip
    hits = NgramIndex.build([("b", "0", ITEM)]).match(texts, min_coverage=0.0)
    table = judge(hits, CLOSE.empty_table(), min_coverage=0.5).to_pylist()
    assert [(v["row"], v["verdict"], v["kind"]) for v in table] == [
        (0, "review", "ngram"),
        (1, "contaminated", "ngram"),
    ]
    assert texts[1].as_py()[table[1]["span_start"] : table[1]["span_end"]] == ITEM.lower()[:-1]


def test_the_strongest_evidence_is_reported():
    table = judge(NgramIndex.build([("b", "0", ITEM)]).match(pa.array([ITEM])), close([0.99], [ITEM]))
    (line,) = table.to_pylist()
    assert (line["kind"], line["score"], line["verdict"]) == ("ngram", 1.0, "contaminated")


@pytest.mark.realdata
def test_the_selftest_measures_each_kind(math500, gsm8k_train):
    items = [("math500", str(i), text) for i, text in enumerate(math500)]
    index = NgramIndex.build(items)
    clean = gsm8k_train[:1000]
    table = selftest(items, clean=clean, flag=index.match, rephrased=[(0, clean[0])], per_kind=150)
    lines = {line["kind"]: line for line in table.to_pylist()}
    assert set(lines) == {*KINDS, "rephrased", "clean"}
    for kind in ("verbatim", "wrapped", "punctuation"):
        assert lines[kind]["recall"] >= 0.99, f"{kind} copies are found: {lines[kind]}"
    for kind in ("typo", "inserted"):
        assert lines[kind]["recall"] >= 0.9, f"{kind} copies are found: {lines[kind]}"
    assert lines["rephrased"]["recall"] == 0, "a text that is no copy is not found"
    assert lines["clean"]["recall"] <= 0.01, "clean rows pass"
    blind = selftest(items, clean=clean, flag=lambda texts: index.match(texts).slice(0, 0), per_kind=20)
    assert {line["found"] for line in blind.to_pylist()} == {0}, "a blind rule finds nothing"
