from __future__ import annotations

from typing import get_args

import pytest

from factory.stages.prompts.prompt_filters import Kind, PromptFilters
from tests.stages.tables import problems

CASES = {
    "unicode": ["★☆★☆ ۩۩۩ ♥♥♥ look", "�\U0001f600\U0001f600\U0001f600 ok"],
    "incomplete": [
        "Compute the value of",
        "Given x = 3, y = 4,",
        "Solve f(",
        "Tom has 3 apples and",
        "Ann drove 60 km. If",
        "How many of the",
        "已知 x = 3，",
    ],
    "url": [
        "See https://a.org/b for the data.",
        "go to www.example.com and sum up",
        "Watch the video at https://v.org/x in which a ball is thrown from a roof of a house 12 m high, with "
        "a speed of 3 m/s, and say how long it flies until it meets the ground.",
        "![the triangle](https://img.org/t.png) Find the area of the triangle in the picture above.",
    ],
    "table": [
        "Name | Age\n--- | ---\nAnn | 3\nBob | 4\nWho is older?",
        "x | y | z\n1 | 2 | 3\n4 | 5 | 6\nWhat is the sum of y?",
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
    "public static int twice(int x) {",
    "func isPrime(n int) bool {",
    "fun largest(xs: List<Int>): Int {\n",
    "sub largest {",
    "The manager's argument is flawed because",
    "Which is true?\n(A) X is east;\n(B) Y is west;",
    "|cos 2x| + |sin 2x| = 1\n|x| < 3 and |y| < 2\n|x - y| = |x| + |y|\nFind x.",
    "\\begin{tabular}{|c|c|} 1 & 2 \\end{tabular} What is their sum?",
    'def fetch(url):\n    """Read the page.\n\n    >>> fetch("https://a.org/b")\n    """',
    "Catherine has an array of integers and wants the bitwise xor of all of its elements, modulo 7, where "
    "xor is as defined by Wikipedia (https://en.wikipedia.org/wiki/Exclusive_or). Print it for each test.",
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
