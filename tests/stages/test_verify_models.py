"""Verifiers that ask a model: what is kept, what is asked again, what a broken machine does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from factory.core import BudgetSpent, Busy, PipelineError, Refused, Resources, Site
from factory.stages.verification.verify import Verify
from tests.stages.models import HEADS, Judging, judging, reward_folder
from tests.stages.tables import completions, site
from tests.verifiers.test_reward import raw_heads
from verifiers import Case, Verdict
from verifiers.canaries import CANARIES

ANSWERS = ["two plus three is five", "the answer is good good", "bad", "The answer is 5."]


@pytest.fixture(scope="module")
def reward_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reward_folder(tmp_path_factory.mktemp("reward"))


def reward(model: Path, **fields: Any) -> Verify:
    entry = {"type": "reward", "model": str(model), "runner": "transformers", "combination": "am", **fields}
    return Verify.model_validate({"verifiers": [entry]})


def run(
    stage: Verify, contents: list[str], at: Site, **row: Any
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Rows with their verdicts, and what they cost."""
    with stage.open(at) as apply:
        flow = apply(completions([{"content": content} for content in contents]))
    return flow.kept.to_pylist(), dict(flow.spent or {})


def test_raw_head_scores_are_stored_and_another_threshold_scores_nothing_again(
    reward_model: Path, tmp_path: Path
) -> None:
    at = site(tmp_path)
    rows, spent = run(reward(reward_model), ANSWERS, at)
    assert spent["reward_asked"] >= len(ANSWERS)
    kept = [Verdict(**row["verdicts"][0]) for row in rows]
    assert all(tuple(raw_heads(verdict)) == HEADS for verdict in kept), "a head's raw score is not stored"
    scores = [verdict.score for verdict in kept]
    middle = sorted(scores)[2]
    again, spent = run(reward(reward_model, threshold=middle), ANSWERS, at)
    assert "reward_asked" not in spent, "a new threshold scored the completions again"
    assert spent["reward_remembered"] == len(ANSWERS) + len(
        {c.case for c in CANARIES if c.case.content.strip()}
    )
    assert [row["verdict"] for row in again] == ["pass" if s >= middle else "fail" for s in scores]
    assert [row["verdicts"][0]["detail"] for row in again] == [verdict.detail for verdict in kept], (
        "a score that is read back differs in its last bit"
    )


def test_the_model_is_its_content_and_the_threshold_is_identity(reward_model: Path) -> None:
    stage = reward(reward_model)
    [entry] = stage.identity()["verifiers"]
    assert str(reward_model) not in str(entry)
    assert reward(reward_model, threshold=0.7).identity() != stage.identity()


def test_a_reward_model_that_is_not_there_is_refused_by_name() -> None:
    stage = Verify.model_validate({"verifiers": [{"type": "reward", "model": "./nowhere"}]})
    with pytest.raises(PipelineError, match="nowhere"):
        stage.identity()


def judge(*, first: tuple[dict[str, Any], ...] = ({"type": "math"},), **fields: Any) -> Verify:
    entry = {"type": "judge", "teacher": {"type": "http", "model": "judge"}, "max_tokens": 64, **fields}
    return Verify.model_validate({"verifiers": [*first, entry]})


def served(endpoint: Judging, folder: Path, **options: Any) -> Site:
    resources = Resources(base_url=endpoint.url, retries=0, timeout_s=20, **options)
    return replace(site(folder), resources=resources)


def sure(message: str) -> float | None:
    """Right where the answer names five."""
    answer = message.split("Answer to judge:")[-1]
    return None if "hm" in answer else 0.9 if "five" in answer else 0.25


def test_a_judge_rescues_what_math_failed_and_says_so(tmp_path: Path) -> None:
    contents = ["The answer is 5.", r"It is five: \boxed{6}", r"No, it is \boxed{7}", r"hm hm hm, \boxed{7}"]
    with judging(sure) as endpoint:
        rows, spent = run(judge(), contents, served(endpoint, tmp_path))
    said = [[(v["verifier"], v["verdict"]) for v in row["verdicts"]] for row in rows]
    assert [row["verdict"] for row in rows] == ["pass", "pass", "fail", "fail"]
    assert said[0] == [("math", "pass")], "the judge is asked about what math passed"
    assert said[1] == [("math", "fail"), ("judge", "pass")]
    assert rows[1]["verdicts"][-1]["detail"].startswith("rescued by the judge: math said fail")
    assert spent["rescued"] == 1
    assert rows[1]["verdicts"][-1]["score"] == pytest.approx(0.9), "the score is the token's own probability"
    assert said[2:] == [[("math", "fail"), ("judge", "fail")], [("math", "fail"), ("judge", "error")]]


def test_a_new_threshold_asks_about_no_row_again_but_canaries_are_asked_in_every_run(tmp_path: Path) -> None:
    contents = ["It comes to five of them.", "It comes to six of them."]
    with judging(sure) as endpoint:
        at = served(endpoint, tmp_path)
        rows, first = run(judge(first=()), contents, at)
        asked = len(endpoint.bodies)
        again, second = run(judge(first=(), threshold=0.2), contents, at)
    assert [row["verdict"] for row in rows] == ["pass", "fail"]
    assert [row["verdict"] for row in again] == ["pass", "pass"]
    assert first["judge_asked"] == asked
    assert second["judge_remembered"] == len(contents), "a judgement that is kept was paid for again"
    assert second["judge_asked"] == asked - len(contents), "an endpoint's canaries are not asked anew"
    assert [r["verdicts"][0]["score"] for r in again] == [r["verdicts"][0]["score"] for r in rows]


def test_asks_for_the_likeliest_tokens_and_does_without(tmp_path: Path) -> None:
    with judging(sure) as endpoint:
        endpoint.logprobs = False
        rows, _ = run(judge(first=()), ["It comes to five of them."], served(endpoint, tmp_path))
    assert {(b["logprobs"], b["top_logprobs"]) for b in endpoint.bodies} == {(True, 20)}
    assert rows[0]["verdicts"][0]["score"] == 1.0, "a stated verdict without probabilities counts as certain"


@pytest.mark.parametrize(("status", "error"), [(500, Busy), (401, Refused)])
def test_a_broken_endpoint_stops_the_shard_and_is_no_verdict(
    status: int, error: type[Exception], tmp_path: Path
) -> None:
    with judging(sure) as endpoint:
        endpoint.status = status
        with judge(first=()).open(served(endpoint, tmp_path)) as apply, pytest.raises(error, match="judge"):
            apply(completions([{"content": "It comes to five of them."}]))


def test_a_judge_that_may_not_think_is_held_to_its_verdict(tmp_path: Path) -> None:
    with judging(sure) as endpoint:
        rows, _ = run(judge(first=(), think=False), ["It comes to five of them."], served(endpoint, tmp_path))
        free, _ = run(judge(first=()), ["It comes to five of them."], served(endpoint, tmp_path))
    assert [row["verdict"] for row in (*rows, *free)] == ["pass", "pass"]
    forms = [b["response_format"]["json_schema"]["schema"] for b in endpoint.bodies if "response_format" in b]
    assert len(forms) == len(endpoint.bodies) / 2
    assert forms[0]["properties"] == {"correct": {"enum": [True, False]}}


def test_a_refused_conversation_is_an_error_and_no_fail(tmp_path: Path) -> None:
    with judging(sure) as endpoint:
        endpoint.refuses = "comes to five of them"
        rows, _ = run(judge(first=()), ["It comes to five of them."], served(endpoint, tmp_path))
        assert rows[0]["verdict"] == "error"
        endpoint.refuses = None
        rows, _ = run(judge(first=()), ["It comes to five of them."], served(endpoint, tmp_path))
    assert rows[0]["verdict"] == "pass", "a refusal is remembered as if it were an answer"


@pytest.mark.parametrize("place", ["step", "judge"])
def test_a_judge_keeps_its_caps_over_runs_and_pays_for_no_answer_twice(tmp_path: Path, place: str) -> None:
    contents = [f"It comes to {n} of them." for n in range(30)]
    price = {"prompt": 1.0, "completion": 1.0}

    def asked(**caps: Any) -> dict[str, int] | None:
        at = served(endpoint, tmp_path, max_in_flight=4, **(caps if place == "step" else {}))
        stage = judge(first=(), resources=caps if place == "judge" else {})
        try:
            return run(stage, contents, at)[1]
        except BudgetSpent:
            return None

    with judging(sure) as endpoint:
        endpoint.prompt_tokens = 295
        assert asked(token_budget=1) is None
        assert endpoint.bodies == [], "a request is sent for which there are no tokens"
        assert asked(token_budget=12_000) is None
        first = len(endpoint.bodies)
        assert 20 < first <= 40
        assert asked(token_budget=12_000) is None
        assert len(endpoint.bodies) <= 40, "a second run spends again what the cap allows once"
        assert asked(price=price, money_budget=0.012) is None
        assert len(endpoint.bodies) <= 40
        spent = asked(price=price)
    assert spent is not None
    assert spent["judge_prompt_tokens"] + spent["judge_completion_tokens"] == spent["micro_dollars"]
    about = [b["messages"][-1]["content"] for b in endpoint.bodies if "of them" in str(b["messages"])]
    assert len(about) == len(set(about)) == len(contents), "an answer that was paid for is asked for again"


def test_where_a_judge_is_reached_and_what_it_may_cost_is_no_part_of_it() -> None:
    assert judge().identity() == judge(resources={"base_url": "http://a/v1", "token_budget": 9}).identity()


def test_rates_of_the_judge_are_in_the_report(tmp_path: Path) -> None:
    stage = judge(first=())
    with judging(lambda message: 1.0) as endpoint:
        at = served(endpoint, tmp_path)
        run(stage, ["It comes to five of them."], at)
    report = stage.report(at)
    assert report is not None
    [found] = report["canaries"]
    assert found["verifier"] == "judge"
    assert found["false_fail"] == 0.0
    assert found["false_pass"] == len(found["passed_wrongly"]) / sum(not c.must_pass for c in CANARIES)
    assert not any(name.startswith("talk") for name in found["passed_wrongly"]), (
        "empty talk reaches a judge that passes all"
    )


def test_a_judge_without_an_address_names_the_cure(tmp_path: Path) -> None:
    with judge(first=()).open(site(tmp_path)) as apply, pytest.raises(PipelineError, match="base_url"):
        apply(completions([{"content": "It comes to five of them."}]))


def test_the_model_of_a_judge_is_its_teachers() -> None:
    with pytest.raises(ValidationError, match="its teacher's"):
        judge(model="another")


def test_a_judge_reads_its_question_from_a_file_whose_content_is_its_identity(tmp_path: Path) -> None:
    file = tmp_path / "judge.jinja"
    entry = {"type": "judge", "teacher": {"type": "http", "model": "judge"}, "ask": "own"}
    entry |= {"prompt_file": "judge.jinja", "answer_form": "verdict", "rescues": []}

    def made(text: str) -> Verify:
        file.write_text(text)
        return Verify.model_validate({"verifiers": [entry]}, context={"base": str(tmp_path)})

    one, other = made("Is {{ answer }} five?"), made("Is it? Answer to judge: {{ answer }}")
    assert one.identity() != other.identity()
    assert str(tmp_path) not in str(other.identity()), "where the file lies is part of the identity"
    assert Verify.model_validate_json(other.model_dump_json()).identity() == other.identity()
    with judging(sure) as endpoint:
        rows, _ = run(other, ["It comes to five of them.", "It comes to six."], served(endpoint, tmp_path))
    assert [row["verdict"] for row in rows] == ["pass", "fail"]
    with pytest.raises(ValidationError, match="cannot be read"):
        Verify.model_validate({"verifiers": [entry | {"prompt_file": "none.jinja"}]}, context={"base": "/"})


def test_a_rubric_judge_takes_rows_that_have_one(tmp_path: Path) -> None:
    stage = judge(first=(), ask="rubric")
    [route] = stage.verifiers
    assert route.declines(Case("p", "a")) == "there are no tests"
    assert all(json.loads(one.case.tests or "") for one in route.planted()), "a canary has no rubric"
