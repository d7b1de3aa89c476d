"""A judge that goes by a rubric, and one that asks a question of one's own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.verifiers.test_judge import QUESTION, Scripted, source_of
from verifiers import Case, LLMJudge, Verdict
from verifiers.judge.model import JudgeCompletion
from verifiers.judge.rubric import RubricItem, read_rubric, rubric_score

ITEMS = [
    {"criterion": "names a city", "weight": 2},
    {"criterion": "is polite"},
    {"text": "lies", "points": -3},
]
ANSWER = "It is Canberra, I believe."


def judged(says: str, tests: Any = None, **fields: Any) -> tuple[Verdict, list[str]]:
    model = Scripted(JudgeCompletion(says))
    case = Case(QUESTION, ANSWER, reference="Canberra", tests=None if tests is None else json.dumps(tests))
    with LLMJudge(model="scripted", **fields).open(source_of(model)) as judge:
        return judge([case])[0], [messages[1]["content"] for messages in model.asked]


def stated(*met: Any) -> str:
    return "Let me see.\n" + json.dumps({"items": {str(n): one for n, one in enumerate(met, 1)}})


@pytest.mark.parametrize(
    ("met", "score"),
    [
        ((True, True, False), 1.0),
        ((True, False, False), 2 / 3),
        ((True, True, True), 0.0),
        ((False,) * 3, 0.0),
    ],
)
def test_the_score_is_the_weight_of_what_is_met(met: tuple[bool, ...], score: float) -> None:
    for tests in (ITEMS, {"type": "rubric", "items": ITEMS}):
        verdict, asked = judged(stated(*met), tests, ask="rubric", threshold=0.6)
        assert verdict.score == pytest.approx(score)
        assert verdict.verdict == ("pass" if score >= 0.6 else "fail")
        assert "1. names a city\n2. is polite\n3. lies" in asked[0]


def test_a_rubric_of_the_pipeline_is_asked_of_every_row() -> None:
    verdict, asked = judged(stated(True), ask="rubric", rubric=[{"criterion": "is short"}])
    assert (verdict.verdict, verdict.score) == ("pass", 1.0)
    assert "1. is short" in asked[0]


@pytest.mark.parametrize(
    "says",
    [
        "",
        "Yes to all.",
        stated(True, True),
        stated(True, True, "yes"),
        stated(1, 1, 0),
        '{"items": 3}',
        '{"items": {"1": true',
        stated(True, True, False, True),
        "<think>" + stated(True, True, False),
    ],
)
def test_an_answer_that_leaves_an_item_open_is_an_error_and_no_fail(says: str) -> None:
    verdict, _ = judged(says, ITEMS, ask="rubric")
    assert (verdict.verdict, verdict.score) == ("error", None)


@pytest.mark.parametrize(
    "tests", [None, [], {}, [3], [""], [{"weight": 2}], {"type": "code"}, [{"text": "x", "weight": 0}]]
)
def test_a_row_without_a_rubric_is_an_error_and_asks_nothing(tests: Any) -> None:
    verdict, asked = judged(stated(True), tests, ask="rubric")
    assert verdict.verdict == "error"
    assert not asked


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=8))
def test_meeting_more_never_lowers_the_score(items: list[tuple[int, bool]]) -> None:
    rubric = tuple(RubricItem(criterion=f"c{n}", weight=weight) for n, (weight, _) in enumerate(items))
    score = rubric_score(stated(*(met for _, met in items)), rubric)
    assert score == pytest.approx(sum(w for w, met in items if met) / sum(w for w, _ in items))
    all_met = rubric_score(stated(*(True for _ in items)), rubric)
    assert all_met == 1.0
    assert read_rubric(json.dumps([f"c{n}" for n in range(len(items))]))[0].weight == 1.0


OWN = "{% for turn in turns %}{{ turn.role }} said {{ turn.content }}\n{% endfor %}Reply: {{ answer }}"


def test_a_template_of_ones_own_is_asked_with_the_form_of_its_answer() -> None:
    verdict, asked = judged('{"correct": true}', ask="own", prompt_template=OWN, answer_form="verdict")
    assert verdict.verdict == "pass"
    assert asked[0].startswith(f"user said {QUESTION}\nReply: {ANSWER}")
    assert asked[0].endswith('End with {"correct": true} or {"correct": false}.')
    verdict, asked = judged(
        '{"score": 4}', ask="own", prompt_template=OWN + " {{ answer_form }}!", answer_form="score"
    )
    assert verdict.score == pytest.approx(0.8)
    assert asked[0].count("End with") == 1
    listed = OWN + "{% for one in rubric %}{{ one.number }}:{{ one.criterion }};{% endfor %}"
    verdict, asked = judged(
        stated(True, True, False), ITEMS, ask="own", prompt_template=listed, answer_form="rubric"
    )
    assert verdict.score == 1.0
    assert "1:names a city;2:is polite;3:lies;" in asked[0]


def test_an_answer_to_ones_own_question_that_cannot_be_read_is_an_error() -> None:
    verdict, _ = judged("fine", ask="own", prompt_template=OWN, answer_form="verdict")
    assert verdict.verdict == "error"


def test_a_template_that_fails_on_a_row_is_an_error_of_that_row() -> None:
    bad = "{{ answer }} {{ turns[7].content }}"
    verdict, asked = judged('{"correct": true}', ask="own", prompt_template=bad, answer_form="verdict")
    assert verdict.verdict == "error"
    assert "template fails" in verdict.detail
    assert not asked
    escape = "{{ answer }} {{ ''.__class__.__mro__ }}"
    assert judged("", ask="own", prompt_template=escape, answer_form="verdict")[0].verdict == "error"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"ask": "own"}, "needs a template"),
        ({"prompt_template": OWN, "answer_form": "verdict"}, "need `ask: own`"),
        ({"ask": "own", "prompt_template": "{{ anwser }}", "answer_form": "verdict"}, "names 'anwser'"),
        ({"ask": "own", "prompt_template": "{{ prompt }}", "answer_form": "verdict"}, "shows no answer"),
        ({"ask": "own", "prompt_template": "{% if %}", "answer_form": "verdict"}, "not a Jinja template"),
        ({"ask": "own", "prompt_template": OWN, "answer_form": "words"}, "answer_form"),
        ({"rubric": [{"criterion": "x"}]}, "a `rubric` is for"),
        ({"ask": "rubric", "rubric": [{"criterion": "x", "weight": -1}]}, "weight above 0"),
        ({"ask": "rubric", "rubric": [{"criterion": "x", "wieght": 1}]}, "wieght"),
    ],
)
def test_a_wrong_question_is_refused_before_anything_runs(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        LLMJudge(model="scripted", **fields)
