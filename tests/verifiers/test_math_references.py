"""How references are read, and what the fields of the math verifier let pass."""

from __future__ import annotations

from typing import Any

import pytest

from factory.stages.verification.reference_probes import math_proof
from verifiers.base import Case
from verifiers.math import Math
from verifiers.math.reference import read_reference

WHICH = "Which? (A) Mars (B) Venus (C) Jupiter (D) Saturn"


@pytest.mark.parametrize(
    ("reference", "answers"),
    [
        ("There are $\\boxed{3}$ cats and $\\boxed{4}$ dogs.", ("3, 4",)),
        ("The answer is 5.", ("5",)),
        ("Adding, we get 12.\n#### 12", ("12",)),
        ('["0.5", "1/2"]', ("0.5", "1/2")),
        ("Thus " + "x" * 300 + " and so $n = \\boxed{7}$.", ("7",)),
    ],
)
def test_a_reference_is_read_whole(reference: str, answers: tuple[str, ...]) -> None:
    assert read_reference(reference).answers == answers


@pytest.mark.parametrize(
    "reference",
    [
        "Q.E.D.",
        "See proof.",
        "see the solution above",
        "TBD",
        "NaN",
        "NULL",
        "",
        "true",
        '{"x": 1}',
        "Proof omitted",
    ],
)
def test_a_reference_without_an_answer_is_an_error(reference: str) -> None:
    with Math().open() as judge:
        found = judge([Case(prompt="Find n.", content=r"\boxed{1}", reference=reference)])[0]
    assert (found.verdict, found.score) == ("error", None)


def test_true_is_a_reference_where_the_prompt_asks_for_a_truth_value() -> None:
    assert read_reference("true", prompt="True or false: 2 is prime.").answers == ("true",)


@pytest.mark.parametrize("reference", ["C", "(C)", "C. Jupiter", "(C) Jupiter", "Jupiter", r"\text{(C)}"])
def test_an_option_may_be_named_by_letter_or_text_on_either_side(reference: str) -> None:
    contents = [
        r"\boxed{C}",
        r"\boxed{\text{Jupiter}}",
        "The answer is (C).",
        r"\boxed{B}",
        r"\boxed{\text{Mars}}",
    ]
    with Math().open() as judge:
        found = judge([Case(prompt=WHICH, content=one, reference=reference) for one in contents])
    assert [one.verdict for one in found] == ["pass", "pass", "pass", "fail", "fail"], [
        one.detail for one in found
    ]


@pytest.mark.parametrize(
    "reference",
    [
        "72",
        "x = 5",
        "The answer is 5.",
        "There are $\\boxed{3}$ cats and $\\boxed{4}$ dogs.",
        '["0.5", "1/2"]',
        "7 % of 3\n#### 9",
    ],
)
def test_the_probes_of_references_read_them_as_the_verifier_does(reference: str) -> None:
    proof = math_proof(Case(prompt="Find it.", content="", reference=reference))
    assert proof is not None
    assert proof.true is not None
    with Math().open() as judge:
        right, wrong = judge([proof.true, proof.false])
    assert (right.verdict, wrong.verdict) == ("pass", "fail"), (right.detail, wrong.detail)


@pytest.mark.parametrize(
    ("fields", "reference", "answer", "default", "chosen"),
    [
        ({"relative_tolerance": 0.01}, "9.81", "9.8", "fail", "pass"),
        ({"relative_tolerance": 0.0001}, "9.81", "9.8", "fail", "fail"),
        ({"significant_digits": 2}, "9.81", "9.8", "fail", "pass"),
        ({"significant_digits": 3}, "6.626\\times 10^{-34}", "6.63e-34", "fail", "pass"),
        ({"rounding": "written"}, "1/3", "0.33", "fail", "pass"),
        ({"rounding": "written"}, "1/3", "0.34", "fail", "fail"),
        ({"percent": "strict"}, "10\\%", "10", "pass", "fail"),
        ({"percent": "strict"}, "10\\%", "0.1", "pass", "pass"),
        ({"list_order": "kept"}, "1, 2", "2, 1", "pass", "fail"),
    ],
)
def test_a_field_says_how_an_answer_is_read(
    fields: dict[str, Any], reference: str, answer: str, default: str, chosen: str
) -> None:
    case = Case(prompt="", content=rf"\boxed{{{answer}}}", reference=reference)
    for verifier, wanted in ((Math(), default), (Math(**fields), chosen)):
        with verifier.open() as judge:
            found = judge([case])[0]
        assert found.verdict == wanted, found.detail


def test_the_detail_names_the_field_that_let_a_number_pass() -> None:
    with Math(relative_tolerance=0.01).open() as judge:
        found = judge([Case(prompt="", content=r"\boxed{9.8}", reference="9.81")])[0]
    assert found.detail.endswith("by relative_tolerance 0.01")


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        ("The answer is \\boxed{12}. Let me check this for k = 2, where we", "pass"),
        ("Step 1 gives \\boxed{12}, which we multiply by the", "fail"),
        ("We add both sides to get 12", "fail"),
        ("The answer is 12", "fail"),
        ("The answer is 12. As a check, take", "pass"),
    ],
)
def test_a_text_that_the_limit_of_tokens_cut_off_counts_for_what_it_had_concluded(
    content: str, verdict: str
) -> None:
    with Math().open() as judge:
        found = judge([Case(prompt="", content=content, reference="12", finish_reason="length")])[0]
    assert found.verdict == verdict, found.detail
