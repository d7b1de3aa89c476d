"""Rewrites of real and made texts, of all kinds, and what the judgement makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from factory.sameness.changing_rewrites import CHANGING
from factory.sameness.exact_form import exact_form
from factory.sameness.harmless_rewrites import HARMLESS
from factory.sameness.judgement import Problem, judge
from factory.sameness.planted_audit import audit
from factory.sameness.reading import MOST_CHARS, Reading

TEXTS = [
    "Tom had 24 apples and each of his 3 friends took 5 of them on Monday. Ann has at least 12 pears, "
    "which is more than Tom has now. After 2 hours they sold the apples for $3 each. How many are left?",
    r"Let $f(x) = \frac{2x+1}{x-3}$ for $x > 3$ and let $g(x) = x^2 - 4x + 7$. "
    r"Find the largest value of $\sqrt{x+9} + 5!$ such that $f(x) \leq 10$ and $\sin 30^\circ = g_1$.",
    "Run it:\ndef total(rows):\n    found = 0\n    for row in rows:\n        found += row\n    return found",
]


def test_every_kind_of_rewrite_changes_its_text_and_nothing_merges_that_should_not() -> None:
    found = audit(TEXTS)
    assert sum(pairs for _, pairs in found.same.values()) >= 25
    assert sum(pairs for _, pairs in found.other.values()) >= 30
    assert found.found >= 0.9, {k: v for k, v in found.same.items() if v[0] < v[1]}
    assert found.merged == 0, {k: v for k, v in found.other.items() if v[0]}


def test_no_text_at_all_is_no_error() -> None:
    assert (audit([]).found, audit(["", "?"]).merged) == (1.0, 0.0)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("file", "field"),
    [
        ("gsm8k/test.jsonl", "question"),
        ("amc/amc.json", "problem"),
        ("mbpp/mbpp.jsonl", "code"),
        ("languages/sentences.jsonl", "text"),
    ],
)
def test_rewrites_of_real_texts_are_told_apart(test_data: Path, file: str, field: str) -> None:
    raw = (test_data / "data" / file).read_text()
    rows = json.loads(raw) if file.endswith("json") else [json.loads(line) for line in raw.splitlines()]
    found = audit([row[field] for row in Random(1).sample(rows, min(80, len(rows)))])
    assert found.merged <= 0.002, {k: v for k, v in found.other.items() if v[0]}
    assert found.found >= 0.85, {k: v for k, v in found.same.items() if v[0] < v[1]}


@pytest.mark.parametrize("kind", sorted({*HARMLESS, *CHANGING}))
def test_a_rewrite_has_text_and_never_the_same(kind: str) -> None:
    rewrite = {**HARMLESS, **CHANGING}[kind]
    for text in [*TEXTS, "", "x"]:
        made = rewrite(text, Random(3))
        assert made is None or (made and made != text)


def test_odd_texts_are_read_without_an_error() -> None:
    odd = [
        "\\frac",
        "\\frac{",
        "\\sqrt[",
        "x^",
        "x_{",
        "$$$",
        "\\begin{array}",
        "{{{{",
        "}}}}",
        "\\",
        "^_^",
        "𝟙²½",
    ]
    for text in odd:
        for other in odd:
            assert isinstance(Reading(f"{text} {other}").tokens, tuple)


@pytest.mark.parametrize(
    "unit",
    [
        "a(",
        "$x",
        "{",
        "}",
        "\\frac{",
        "**a",
        "1,",
        "^",
        "x_{",
        "one ",
        "a. ",
        "(;",
        "for x:\n",
        "' ",
        "\\sqrt[",
    ],
)
def test_a_text_made_to_be_slow_is_compared_in_bounded_work(unit: str) -> None:
    text = unit * (MOST_CHARS // 6 // len(unit))
    found = judge(Problem(text + "end"), Problem("begin " + text))
    assert found.verdict in ("same", "different", "review")
    assert exact_form(text)
