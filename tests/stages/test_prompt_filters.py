from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from factory.stages.prompts.prompt_filters import Kind, PromptFilters
from tests.stages.tables import problems

CASES = {
    "unicode": ["★☆★☆ ۩۩۩ ♥♥♥ look", "�\U0001f600\U0001f600\U0001f600 ok"],
    "incomplete": ["Compute the value of", "Given x = 3, y = 4,", "Solve f("],
    "url": ["See https://a.org/b for the data.", "go to www.example.com and sum up"],
    "table": [
        "x | y | z\n1 | 2 | 3\n4 | 5 | 6\nWhat is the sum of y?",
        "\\begin{tabular}{|c|c|} 1 & 2 \\end{tabular}",
        "<table><tr><td>1</td></tr></table>",
    ],
    "multiple_choice": [
        "What is 2+2?\n(A) 3 (B) 4 (C) 5 (D) 6",
        "Which one?\nA. red\nB. blue\nC. green",
        "Which of the following is prime? (a) 4 (b) 5 (c) 6",
        r"Find x. $\text{(A) } 1\quad\text{(B) } 2\quad\text{(C) } 3$",
    ],
    "multi_part": [
        "(a) Find x. (b) Find y.",
        "1. What is 2+2?\n2. What is 3+3?",
        "Part A: find the area.\nPart B: find the volume.",
        "(i) Sketch the curve. (ii) Find its length.",
    ],
    "proof": ["Prove that 2 is prime.", "Let x > 0. Show that x + 1/x >= 2.", "求证：AB = CD。"],
}
NONE = [
    "What is 2 + 3?",
    "In how many ways can Alice (A) and Bob (B) sit?",
    "The function f(a) is 3. What is f(b) when b = 2a?",
    "Let |x| < 1 and |y| < 2 and |z| < 3. Find the largest |x + y + z|.",
    "The results show that 3 of 4 people agree. How many of 100 agree?",
    "Evaluate $\\sum_{i=1}^{n} i^2$ for n = 10",
    "¿Cuánto es 2 + 3? — «cinco», 25 °C, 3 € ≤ 4 €",
    "Ποιο είναι το άθροισμα; √2 ≈ 1.41 ∀x∈ℝ",
]


def test_every_kind_has_cases() -> None:
    assert set(CASES) == set(get_args(Kind))


@pytest.mark.parametrize("kind", CASES)
def test_prompts_of_a_kind_are_rejected_for_it(kind: Kind) -> None:
    found = PromptFilters(reject_kinds=(kind,)).reject(problems(CASES[kind])).to_pylist()
    assert found == [kind] * len(CASES[kind])


@pytest.mark.parametrize("kind", CASES)
def test_ordinary_prompts_are_of_no_kind(kind: Kind) -> None:
    found = PromptFilters(reject_kinds=(kind,)).reject(problems(NONE)).to_pylist()
    assert dict(zip(NONE, found, strict=True)) == dict.fromkeys(NONE)


def test_options_are_no_parts() -> None:
    found = PromptFilters(reject_kinds=("multi_part",)).reject(problems(CASES["multiple_choice"])).to_pylist()
    assert found == [None] * len(found)


@pytest.mark.realdata
def test_gsm8k_and_math_hold_few_of_each_kind(test_data: Path) -> None:
    path = test_data / "data" / "gsm8k" / "train.jsonl"
    table = problems([json.loads(line)["question"] for line in path.read_text().splitlines()[:2000]])
    for kind in get_args(Kind):
        cut = PromptFilters(reject_kinds=(kind,)).reject(table)
        share = (len(cut) - cut.null_count) / len(cut)
        assert share < 0.005, f"{share:.1%} of GSM8K would be rejected as {kind}"
