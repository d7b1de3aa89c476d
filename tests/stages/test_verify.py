from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from factory.core import StageError
from factory.stages.verification.verifier_configs import MathRoute, Route
from factory.stages.verification.verify import Verify, combined
from tests.stages.tables import completions, site
from verifiers import Case, Judge, Verdict


def said(*outcomes: Any) -> list[Verdict]:
    return [Verdict("v", "1", outcome) for outcome in outcomes]


@pytest.mark.parametrize(
    ("outcomes", "all_", "any_", "first"),
    [
        ((), None, None, None),
        (("pass", "pass"), "pass", "pass", "pass"),
        (("fail", "pass"), "fail", "pass", "fail"),
        (("error", "pass"), "error", "pass", "pass"),
        (("timeout", "fail"), "fail", "timeout", "fail"),
        (("timeout", "error"), "timeout", "timeout", "timeout"),
    ],
)
def test_an_error_or_a_timeout_is_never_a_fail(outcomes: Any, all_: str, any_: str, first: str) -> None:
    assert [combined(said(*outcomes), rule=r) for r in ("all", "any", "first")] == [all_, any_, first]


class Scripted(Route):
    """Judges by what the completion says, and notes what it was asked."""

    type: Literal["scripted"] = "scripted"
    word: str = "pass"

    @contextmanager
    def open(self) -> Iterator[Judge]:
        def judge(cases: Sequence[Case]) -> list[Verdict]:
            ASKED.extend((self.word, c.content) for c in cases)
            outcomes: dict[str, Any] = {"boom": "error", "slow": "timeout", self.word: "pass"}
            return [Verdict(self.word, "1", outcomes.get(c.content, "fail")) for c in cases]

        yield judge


ASKED: list[tuple[str, str]] = []


def scripted(*words: str, **fields: Any) -> Verify:
    # The union of shipped verifiers does not know the scripted one, so validation is left out.
    return Verify.model_construct(verifiers=[Scripted(word=w) for w in words], **fields)


def judged(stage: Verify, contents: Sequence[str], tmp_path: Path) -> list[str | None]:
    ASKED.clear()
    with stage.open(site(tmp_path)) as apply:
        return apply(completions([{"content": c} for c in contents])).kept["verdict"].to_pylist()


def test_a_settled_completion_is_not_judged_again(tmp_path: Path) -> None:
    assert judged(scripted("a", "b", rule="any"), ["a", "b", "c"], tmp_path) == ["pass", "pass", "fail"]
    assert ASKED == [("a", "a"), ("a", "b"), ("a", "c"), ("b", "b"), ("b", "c")]
    judged(scripted("a", "b", rule="any", stop_early=False), ["a", "b", "c"], tmp_path)
    assert len(ASKED) == 6


def test_a_run_stops_when_too_many_cannot_be_judged(tmp_path: Path) -> None:
    stage = scripted("a", max_unjudged_share=0.2)
    assert judged(stage, ["a"] * 40 + ["boom"] * 10, tmp_path).count("error") == 10
    assert judged(stage, ["boom"] * 49, tmp_path) == ["error"] * 49, "too few to tell"
    with pytest.raises(StageError, match="11 of 50 completions could not be judged"):
        judged(stage, ["a"] * 39 + ["boom"] * 6 + ["slow"] * 5, tmp_path)


def test_the_share_is_counted_over_shards(tmp_path: Path) -> None:
    shard = completions([{"content": "boom"}] * 10)
    with scripted("a").open(site(tmp_path)) as apply:
        for _ in range(4):
            apply(shard)
        with pytest.raises(StageError, match="50 of 50"):
            apply(shard)


def test_math_judges_its_domains_and_leaves_the_rest_unjudged(tmp_path: Path) -> None:
    stage = Verify.model_validate({"verifiers": [{"type": "math", "domains": ["math"]}]})
    rows = completions(
        [
            {"content": "The answer is 5."},
            {"content": "The answer is 6."},
            {"domain": "chat"},
            {"reference": None},
            {"content": None, "finish_reason": "error"},
        ]
    )
    with stage.open(site(tmp_path)) as apply:
        flow = apply(rows)
    assert flow.kept["verdict"].to_pylist() == ["pass", "fail", None, None, "error"]
    assert flow.kept.schema == stage.schema_out(rows.schema)
    assert [len(v) for v in flow.kept["verdicts"].to_pylist()] == [1, 1, 0, 0, 0]
    assert flow.kept["verdicts"].to_pylist()[0][0]["verifier"] == "math"
    assert flow.rejected.num_rows == 0


def test_identity_holds_the_version_of_each_verifier() -> None:
    stage = Verify.model_validate({"verifiers": [{"type": "math"}]})
    assert stage.identity()["verifiers"][0]["version"] == MathRoute.version


def test_verifiers_of_several_kinds_judge_in_turn(tmp_path: Path) -> None:
    entries = [
        {"type": "math"},
        {"type": "length", "min_answer_chars": 4},
        {"type": "repetition"},
        {"type": "ifeval"},
    ]
    stage = Verify.model_validate({"verifiers": entries})
    rows = completions([{"content": "The answer is 5."}, {"content": "5"}, {"content": "No: 6 of them."}])
    with stage.open(site(tmp_path)) as apply:
        kept = apply(rows).kept
    assert kept["verdict"].to_pylist() == ["pass", "fail", "fail"]
    asked = [[v["verifier"] for v in row] for row in kept["verdicts"].to_pylist()]
    assert asked == [["math", "length", "repetition"], ["math", "length"], ["math"]]
    assert Verify.model_validate_json(stage.model_dump_json()) == stage


FORMS = [
    {"type": "length"},
    {"type": "repetition"},
    {"type": "format", "min_thinking_words": 0, "finished": False},
]


def test_forms_alone_make_no_pass_and_fail_what_breaks_them(tmp_path: Path) -> None:
    stage = Verify.model_validate({"verifiers": [*FORMS, {"type": "math"}, {"type": "code"}]})
    plain = {"reasoning_content": "Two and three.", "reference": None, "tests": None}
    rows = completions([plain, {**plain, "content": " "}, {**plain, "reference": "5"}])
    with stage.open(site(tmp_path)) as apply:
        kept = apply(rows).kept
    assert kept["verdict"].to_pylist() == [None, "fail", "pass"]
    assert len(kept["verdicts"][0]) == 3, "what the forms say is not kept"


@pytest.mark.parametrize(("good", "bad", "stops"), [(0, 1, True), (0, 12, True), (7, 3, True), (8, 2, False)])
def test_few_completions_are_no_excuse_for_unjudged_ones(
    good: int, bad: int, stops: bool, tmp_path: Path
) -> None:
    stage = scripted("a")
    with stage.open(site(tmp_path)) as apply:
        flow = apply(completions([{"content": "a"}] * good + [{"content": "boom"}] * bad))
    fault = stage.fault(flow.spent or {}, iter([flow.kept]))
    assert (fault is not None) == stops
    if fault:
        assert f"{bad} of {good + bad} completions could not be judged" in fault
        assert f"{bad} x a error" in fault, "the cause is not named"


@pytest.mark.parametrize(
    ("entry", "reference", "right", "wrong"),
    [
        ({"type": "exact"}, "Paris", "Paris", "paris"),
        ({"type": "normalised-text"}, "Paris", "the paris.", "Lyon"),
        ({"type": "f1", "min_score": 0.6}, "the old bridge", "old bridge", "a new road"),
        ({"type": "rouge-l"}, "the old bridge", "The old bridge!", "bridge old the"),
        ({"type": "numeric", "rel_tol": 0.01}, "9.81", r"\boxed{9.8}", r"\boxed{9}"),
        ({"type": "choice", "labels": ["yes", "no"], "answer": "whole"}, "yes", "Yes.", "yes and no"),
        ({"type": "regex"}, r"^\d+$", "123", "12x"),
    ],
)
def test_a_grader_judges_rows_and_its_rates_are_in_the_report(
    entry: dict[str, Any], reference: str, right: str, wrong: str, tmp_path: Path
) -> None:
    stage = Verify.model_validate({"verifiers": [entry]})
    rows = completions(
        [
            {"content": right, "reference": reference},
            {"content": wrong, "reference": reference},
            {"reference": None},
        ]
    )
    at = site(tmp_path)
    with stage.open(at) as apply:
        kept = apply(rows).kept
    assert kept["verdict"].to_pylist() == ["pass", "fail", None]
    [rates] = (stage.report(at) or {})["canaries"]
    assert (rates["verifier"], rates["false_fail"]) == (entry["type"], 0.0)
    assert rates["judged"] >= 3


def test_one_pattern_or_schema_for_all_rows_is_a_matter_of_form(tmp_path: Path) -> None:
    entries = [{"type": "regex", "pattern": "5"}, {"type": "json-schema", "json_schema": {"type": "integer"}}]
    stage = Verify.model_validate({"verifiers": entries})
    with stage.open(site(tmp_path)) as apply:
        kept = apply(completions([{"content": "5"}, {"content": "6"}, {"content": "5 x"}])).kept
    assert kept["verdict"].to_pylist() == [None, "fail", "fail"]
