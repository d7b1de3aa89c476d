from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.stages.decontamination.gram_rule import GramRule
from factory.stages.decontamination.ngrams import NgramIndex

LONG = "What is the smallest positive integer that is divisible by both seven and thirteen?"
ITEMS = [
    ("b", "long", LONG),
    ("b", "short", "Compute $\\sin 45^\\circ$."),
    ("b", "tiny", "$2+2$"),
    ("b", "empty", "!!!"),
]
OPEN_R1 = GramRule(tokens="whitespace", short_items="unseen")


def kinds(text, *, rule=None, min_coverage=0.3):
    index = NgramIndex.build(ITEMS, rule=rule or GramRule())
    hits = index.match(pa.array([text]), min_coverage=min_coverage)
    return {(h["item_id"], h["kind"]) for h in hits.to_pylist()}


def test_reports_coverage_and_the_matched_span_in_characters():
    asked = "What is the “smallest positive integer” that is divisible by both seven and"
    text = f"é🙂 Solve: {asked} twelve? Thanks."
    (hit,) = NgramIndex.build(ITEMS).match(pa.array(["other", text])).to_pylist()
    assert (hit["row"], hit["item_id"], hit["kind"]) == (1, "long", "ngram")
    span = text[hit["span_start"] : hit["span_end"]]
    assert span == asked
    assert hit["coverage"] == pytest.approx(6 / 7), "six of the seven 8-grams occur"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Please compute sin 45 circ now", {("short", "whole")}),
        ("Please compute sin 44 circ now", set()),
        ("2+2", {("tiny", "whole")}),
        ("What is 2+2 in base 3?", set()),
        ("smallest positive integer that is divisible", {("long", "short_row")}),
        ("positive integer that is", set()),
        ("", set()),
        ("!!!", set()),
    ],
)
def test_short_texts_are_matched_whole(text, expected):
    assert kinds(text) == expected, f"{text!r}"


def test_the_any_rule_is_coverage_zero():
    text = (
        "Find the smallest positive integer that is divisible by nothing, and then explain at length why not"
    )
    assert kinds(text, rule=OPEN_R1) == set(), "one of 7 n-grams is below 0.3"
    assert kinds(text, rule=OPEN_R1, min_coverage=0.0) == {("long", "ngram")}


def test_digit_stripped_rule_meets_other_numbers():
    rule = GramRule(n=32, tokens="whitespace", short_items="unseen", digits_stripped=True)
    items = [("b", "x", "Add 12 apples to 30 pears."), ("b", "y", "Add 3.")]
    index = NgramIndex.build(items, rule=rule)
    hits = index.match(pa.array(["add 7 apples to 8 pears", "Add 4"])).to_pylist()
    assert [(h["row"], h["item_id"], h["kind"]) for h in hits] == [(0, "x", "digit_stripped")]
    assert index.uncheckable().to_pylist() == [{"benchmark": "b", "item_id": "y", "tokens": 2}]


@pytest.mark.parametrize(
    ("rule", "lost"),
    [
        (GramRule(), ["empty"]),
        (OPEN_R1, ["short", "tiny", "empty"]),
        (GramRule(n=32, tokens="whitespace", short_items="unseen"), ["long", "short", "tiny", "empty"]),
    ],
)
def test_counts_items_that_no_rule_can_see(rule, lost):
    assert NgramIndex.build(ITEMS, rule=rule).uncheckable()["item_id"].to_pylist() == lost


def test_counts_rows_that_no_rule_can_see():
    texts = pa.array(["one two three", "", None, LONG])
    assert NgramIndex.build(ITEMS).unseen(texts).sum() == 2
    assert NgramIndex.build(ITEMS, rule=OPEN_R1).unseen(texts).sum() == 3


words = st.lists(st.sampled_from(["a", "b", "c", "d", "ä", "数", "x1"]), max_size=14).map(" ".join)


@settings(deadline=None)
@given(st.lists(words, min_size=1, max_size=5), st.lists(words, max_size=6), st.integers(1, 4))
def test_agrees_with_plain_sets_of_ngrams(items, texts, n):
    def grams(text):
        cut = text.lower().split()
        return [tuple(cut[i : i + n]) for i in range(len(cut) - n + 1)]

    rule = GramRule(n=n, tokens="whitespace", short_items="unseen")
    index = NgramIndex.build([("b", str(i), t) for i, t in enumerate(items)], rule=rule)
    hits = index.match(pa.array(texts, pa.string()), min_coverage=0.0).to_pylist()
    expected = {}
    for r, text in enumerate(texts):
        have = set(grams(text))
        for i, item in enumerate(items):
            shared = sum(g in have for g in grams(item))
            if shared:
                expected[r, str(i)] = shared / len(grams(item))
    assert {(h["row"], h["item_id"]): h["coverage"] for h in hits} == pytest.approx(expected)


def test_an_index_survives_saving_and_does_not_depend_on_item_order():
    texts = pa.array([LONG, "compute sin 45 circ", "2+2"])
    index = NgramIndex.build(ITEMS, rule=GramRule(digits_stripped=True))
    again = NgramIndex.load(index.save())
    assert again.match(texts).equals(index.match(texts))
    assert (again.rule, again.digest) == (index.rule, index.digest)
    assert NgramIndex.build(ITEMS[::-1], rule=index.rule).digest == index.digest
    assert NgramIndex.build(ITEMS, rule=GramRule(n=9)).digest != NgramIndex.build(ITEMS).digest


@pytest.mark.realdata
def test_finds_the_copies_of_math500_in_math_train(math500, math_train):
    index = NgramIndex.build(("math500", str(i), text) for i, text in enumerate(math500))
    hits = index.match(pa.array(math_train), min_coverage=0.8)
    pairs = {(h["row"], int(h["item_id"])) for h in hits.to_pylist()}
    for row, item in pairs:
        shared = set(math_train[row].lower().split()) & set(math500[item].lower().split())
        assert len(shared) >= 0.4 * len(set(math500[item].lower().split())), "a hit shares its words"
    assert len({row for row, _ in pairs}) >= 15, "MATH train holds near copies of MATH-500"
    assert index.uncheckable().num_rows == 0, "every item of MATH-500 can be seen"
