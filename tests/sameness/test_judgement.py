"""What counts as the same problem: harmless edits do not part two rows, and a change of meaning does."""

from __future__ import annotations

import json

import pytest

from factory.sameness.judgement import Problem, judge
from factory.sameness.references import agree, says_little

SAME = [
    ("white space", "What is 2 + 3?", "What is\n 2+3 ?"),
    ("case", "How many apples does Tom have?", "HOW MANY APPLES DOES TOM HAVE?"),
    ("notation", r"Find $\frac{1}{2}+x^{2}$.", r"Find \( \dfrac12 + x^2 \)."),
    ("notation", r"Compute $\left( x+1 \right)^2$", "Compute (x+1)^2"),
    ("notation", "Add 3/4 cup.", "Add three-fourths cup."),
    ("notation", "It costs $1,200.00 today.", "It costs 1200 dollars today."),
    ("notation", "He ran 12 km.", "He ran twelve kilometers."),
    ("notation", r"Is $x \leq 3$?", "Is x ≤ 3?"),
    ("notation", r"Find $\sqrt{2}$", "Find √2"),
    ("punctuation", "On Monday, she left; he stayed.", "On Monday she left he stayed"),
    ("typo", "The farmer sells every animal he has.", "The farmer sells every anmial he has."),
    ("wrapper", "How old is Tom now?", "Please solve this step by step. How old is Tom now? Show your work."),
    (
        "wrapper",
        "Sort a list of tuples.",
        "Complete this task in Python. Return only code.\nSort a list of tuples.",
    ),
    ("wrapper", "Solve $x+1=3$", "Solve $x+1=3$ Put the final answer in \\boxed{}."),
    (
        "order of sentences",
        "Tom has 3 pens. Ann has 4. How many in all?",
        "How many in all? Tom has 3 pens. Ann has 4.",
    ),
]
OTHER = [
    ("number", "Tom has 5 pens left.", "Tom has 6 pens left."),
    ("number", "Take n up to 1 000 here.", "Take n up to 1 0 here."),
    ("sign", "Compute $x - 3$.", "Compute $x + 3$."),
    ("order", r"Compute $\sqrt{16+9}$.", r"Compute $\sqrt{16}+9$."),
    ("sign", r"Find $\frac{1}{x+1}$.", r"Find $\frac{1}{x}+1$."),
    ("sign", "Find f'(2).", "Find f''(2)."),
    ("sign", "How many integers are in (1, 5)?", "How many integers are in [1, 5]?"),
    ("sign", r"Find $a/\frac{b}{c}$", r"Find $a/b/c$"),
    ("variable", "Let A=5 and a=3. Find A.", "Let A=5 and a=3. Find a."),
    ("contrary words", "Find the largest angle of the figure.", "Find the smallest angle of the figure."),
    ("contrary words", "The balls are distinguishable here.", "The balls are indistinguishable here."),
    ("negation", "How many did pass the exam at last?", "How many did not pass the exam at last?"),
    ("unit", "He waits for 4 hours there.", "He waits for 4 minutes there."),
    ("language", "Write it in German for me now.", "Write it in French for me now."),
    ("sign", "Write hello world in C++", "Write hello world in C"),
    ("code", "Run it:\nfor i in x:\n    y = i\n    print(y)", "Run it:\nfor i in x:\n    y = i\nprint(y)"),
    ("code", "What does `cat a;b` do?", "What does `cat a,b` do?"),
    ("order", "Convert a list to a tuple, please.", "Convert a tuple to a list, please."),
    ("role of a number", "She has 5 pears and 7 plums today.", "She has 7 pears and 5 plums today."),
]
DOUBTFUL = [
    ("What is the capital of Spain?", "Which city is the capital of Spain?"),
    ("¿Qué es el papa?", "¿Qué es el papá?"),
    ("Was heißt schon?", "Was heißt schön?"),
    ("Mi hermano vive aqui", "Mi hermana vive aqui"),
    ("Balance the sulfate ion.", "Balance the sulfite ion."),
    ("He adds 3. Then he doubles it. What is it?", "Then he doubles it. He adds 3. What is it?"),
]


@pytest.mark.parametrize(("kind", "one", "other"), SAME)
def test_a_harmless_edit_leaves_the_problem_the_same_and_is_named(kind: str, one: str, other: str) -> None:
    for left, right in ((one, other), (other, one)):
        found = judge(Problem(left), Problem(right))
        assert found.verdict == "same", f"{left!r} and {right!r} are {found}"
        assert kind in found.evidence()["difference"]


@pytest.mark.parametrize(("kind", "one", "other"), OTHER)
def test_a_change_of_meaning_makes_another_problem_whatever_the_references(
    kind: str, one: str, other: str
) -> None:
    for left, right in ((one, other), (other, one)):
        found = judge(Problem(left, reference="57"), Problem(right, reference="57"))
        assert found.verdict == "different", f"{left!r} and {right!r} are {found}"
        assert found.evidence()["difference"] == [kind]


@pytest.mark.parametrize(("one", "other"), DOUBTFUL)
def test_other_words_are_for_review_until_the_answers_decide(one: str, other: str) -> None:
    assert judge(Problem(one), Problem(other)).verdict == "review"
    assert judge(Problem(one, reference="57"), Problem(other, reference="58")).verdict == "different"
    assert judge(Problem(one, reference="57"), Problem(other, reference="57.0")).verdict == "same"
    assert judge(Problem(one, reference="B"), Problem(other, reference="B")).verdict == "review"


def test_one_text_with_two_answers_is_a_conflict() -> None:
    found = judge(Problem("What is 2+3?", reference="5"), Problem("What is 2 + 3?", reference="6"))
    assert (found.verdict, found.answers) == ("conflict", "differ")
    alike = judge(Problem("What is 2+3?", reference="1/2"), Problem("What is 2 + 3?", reference="0.5"))
    assert alike.verdict == "same"
    tests = [Problem("Sort it.", tests=json.dumps(t), domain="code") for t in ({"a": 1, "b": 2}, {"a": 2})]
    assert judge(*tests).verdict == "conflict"


def test_another_domain_or_other_turns_make_another_problem() -> None:
    assert (
        judge(Problem("Hi there", domain="math"), Problem("Hi there", domain="code")).verdict == "different"
    )
    assert judge(Problem("Hi there", setting="a"), Problem("Hi there", setting="b")).verdict == "different"


def test_references_of_other_domains_are_compared_as_text() -> None:
    assert agree("Paris", "paris ", math=False)
    assert not agree("1/2", "0.5", math=False)
    assert agree("1/2", "0.5", math=True)
    assert says_little("(B)")
    assert says_little("yes")
    assert not says_little("24")


def test_a_very_long_text_is_compared_as_it_stands() -> None:
    text = "word and number 7 " * 5000
    assert judge(Problem(text), Problem(text + "\n")).verdict == "same"
    assert judge(Problem(text), Problem(text + "other")).verdict == "review"
