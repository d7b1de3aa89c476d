"""Votes of a problem's completions: a verdict without a reference, and a doubt about the one there is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from factory.stages.answers.difficulty import Difficulty
from factory.stages.verification.reference_repair import ReferenceRepair
from factory.stages.verification.verify import Verify
from tests.stages.models import judging
from tests.stages.tables import completions, site
from tests.stages.test_verify_models import served


def says(*answers: int | str, problem: str = "p", **row: Any) -> list[dict[str, Any]]:
    prompt = [{"role": "user", "content": f"What is {problem}?"}]
    texts = [f"The answer is {answer}." if isinstance(answer, int) else answer for answer in answers]
    return [{"id": problem, "prompt": prompt, "content": text, **row} for text in texts]


def voted(rows: list[dict[str, Any]], folder: Path, **fields: Any) -> list[str | None]:
    stage = Verify.model_validate({"verifiers": [{"type": "majority", **fields}]})
    with stage.open(site(folder)) as apply:
        found: list[str | None] = apply(completions(rows)).kept["verdict"].to_pylist()
    return found


def test_the_answer_of_the_majority_passes_and_another_fails(tmp_path: Path) -> None:
    rows = says(4, 4, 5, 4, 4, problem="a", reference=None)
    assert voted(rows, tmp_path) == ["pass", "pass", "fail", "pass", "pass"]


@pytest.mark.parametrize("answers", [(4, 4, 5, 5), (4, 4, 4), (4, 5, 6, 7), ("I do not know.",) * 5])
def test_without_a_clear_majority_nothing_is_known(answers: tuple[Any, ...], tmp_path: Path) -> None:
    rows = says(*answers, reference=None)
    assert voted(rows, tmp_path) == [None] * len(answers), (
        "a vote that decides nothing is no fail and no error"
    )


def test_keeps_a_share_exactly_at_the_limit(tmp_path: Path) -> None:
    rows = says(4, 4, 4, 5, 6, reference=None)
    assert voted(rows, tmp_path, min_share=0.6) == ["pass"] * 3 + ["fail"] * 2
    assert voted(rows, tmp_path, min_share=0.61) == [None] * 5


def test_problems_vote_apart_and_one_with_a_reference_not_at_all(tmp_path: Path) -> None:
    rows = says(4, 4, 4, 4, problem="a", reference=None) + says(9, 9, 9, 9, problem="b", reference=None)
    known = says(1, 1, 1, 1, problem="c", reference="2")
    assert voted(rows + known, tmp_path) == ["pass"] * 8 + [None] * 4
    assert voted(known, tmp_path, with_reference=True) == ["pass"] * 4


def test_samples_that_another_verifier_failed_still_vote(tmp_path: Path) -> None:
    entries = [{"type": "length", "max_answer_chars": 20}, {"type": "majority"}]
    rows = says(
        4, 4, 4, "I think at length that the answer is 5.", "It is at great length 5.", reference=None
    )
    stage = Verify.model_validate({"verifiers": entries})
    with stage.open(site(tmp_path)) as apply:
        kept = apply(completions(rows)).kept
    assert kept["verdict"].to_pylist() == ["pass"] * 3 + ["fail"] * 2
    assert [v[-1]["score"] for v in kept["verdicts"].to_pylist()] == [0.6] * 5, (
        "the share is over the samples that were left, not over all"
    )


def repaired(rows: list[dict[str, Any]], folder: Path, second: dict[str, Any], at: Any = None) -> Any:
    """Rows and costs after verify, difficulty and repair."""
    verify = Verify.model_validate({"verifiers": [{"type": "math"}]})
    stage = ReferenceRepair.model_validate({"second": second})
    with verify.open(site(folder)) as judge, stage.open(at or site(folder)) as apply:
        flow = apply(Difficulty().apply(judge(completions(rows)).kept).kept)
    assert flow.rejected.num_rows == 0
    return flow.kept.to_pylist(), dict(flow.spent or {})


def test_a_reference_that_all_samples_contradict_gets_another_and_stays(tmp_path: Path) -> None:
    rows = says(4, 4, 4, 4, 3, problem="wrong", reference="5") + says(
        7, 7, 8, 7, problem="fine", reference="7"
    )
    found, spent = repaired(rows, tmp_path, {"type": "math"})
    assert [row["repaired_reference"] for row in found] == ["4"] * 5 + [None] * 4
    assert {row["reference"] for row in found} == {"5", "7"}, "the old reference is lost"
    assert [row["verdict"] for row in found[:5]] == ["fail"] * 5, "the verdict is the one against it"
    assert [row["repair"] for row in found[5:]] == [None] * 4
    finding = json.loads(found[0]["repair"])
    assert finding == {
        "answer": "4", "share": 0.8, "samples": 5, "second": "math", "confirmed": 4, "repaired": True,
    }  # fmt: skip
    assert spent == {"references_suspect": 1, "references_repaired": 1}


@pytest.mark.parametrize("answers", [(4, 4, 3, 3), (4, 4, 4), (3, 4, 6, 7, 8)])
def test_a_problem_that_is_only_hard_or_seldom_sampled_keeps_its_reference(
    answers: tuple[int, ...], tmp_path: Path
) -> None:
    found, _ = repaired(says(*answers, reference="5"), tmp_path, {"type": "math"})
    assert {row["repaired_reference"] for row in found} == {None}


@pytest.mark.parametrize(("share", "repairs"), [(1.0, True), (0.0, False)])
def test_the_second_verifier_decides_and_never_sees_the_old_reference(
    share: float, repairs: bool, tmp_path: Path
) -> None:
    second = {"type": "judge", "ask": "grade", "teacher": {"type": "http", "model": "judge"}}
    with judging(lambda message: share) as endpoint:
        endpoint.grade = True
        at = served(endpoint, tmp_path)
        found, spent = repaired(says(4, 4, 4, 4, reference="5555"), tmp_path, second, at)
    assert {row["repaired_reference"] for row in found} == {"4" if repairs else None}
    assert spent["judge_asked"] == 1, "four samples with one text are one question"
    assert not any("5555" in body["messages"][-1]["content"] for body in endpoint.bodies)


@pytest.mark.parametrize(
    "second", [{"type": "judge", "teacher": {"type": "http", "model": "judge"}}, {"type": "majority"}]
)
def test_a_second_verifier_that_would_only_agree_with_itself_is_refused(second: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"ask: grade|the vote itself"):
        ReferenceRepair.model_validate({"second": second})
