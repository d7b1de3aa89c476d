"""The generic graders against public implementations, and on rewrites that keep or change an answer."""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score import rouge_scorer

from factory.stages.verification.grader_configs import (
    ChoiceRoute,
    ExactRoute,
    F1Route,
    JsonSchemaRoute,
    NormalisedTextRoute,
    NumericRoute,
    PatternRoute,
    RougeLRoute,
)
from verifiers import Case, Verdict, Verifier
from verifiers.canaries import error_rates
from verifiers.graders.numeric import quantity_of
from verifiers.graders.similarity import f1, rouge_l, squad_normalised

WORDS = (
    "the",
    "a",
    "an",
    "river",
    "River",
    "runs",
    "east",
    "of",
    "town",
    "nine",
    "9",
    "don't",
    "U.S.",
    "-",
    "!",
)
texts = st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join)


def judged(grader: Verifier, content: str, reference: str | None = None, **more: Any) -> Verdict:
    with grader.open() as judge:
        return judge([Case(more.pop("prompt", "Which?"), content, reference=reference, **more)])[0]


def said(grader: Verifier, pairs: Sequence[tuple[str, str]]) -> list[str]:
    with grader.open() as judge:
        return [v.verdict for v in judge([Case("Which?", content, reference=ref) for content, ref in pairs])]


# The official evaluation of SQuAD 1.1, by its formulas.
def official_normalised(text: str) -> str:
    lowered = "".join(ch for ch in text.lower() if ch not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", lowered).split())


def official_f1(prediction: str, truth: str) -> float:
    mine, theirs = official_normalised(prediction).split(), official_normalised(truth).split()
    same = sum((Counter(mine) & Counter(theirs)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(mine), same / len(theirs)
    return 2 * precision * recall / (precision + recall)


@settings(deadline=None, max_examples=150)
@given(texts, texts)
def test_normalisation_and_f1_are_those_of_squad(answer: str, reference: str) -> None:
    assert squad_normalised(answer) == official_normalised(answer)
    assert f1(answer, reference) == pytest.approx(official_f1(answer, reference), abs=1e-12)


ROUGE = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)


@settings(deadline=None, max_examples=150)
@given(texts, texts)
def test_rouge_l_is_that_of_the_public_package(answer: str, reference: str) -> None:
    wanted = ROUGE.score(reference, answer)["rougeL"].fmeasure
    assert rouge_l(answer, reference) == pytest.approx(wanted, abs=1e-12)


def test_rouge_l_of_long_texts_costs_little_and_of_other_scripts_is_not_nothing() -> None:
    long = " ".join(f"w{n % 997}" for n in range(20_000))
    assert rouge_l(long, long) == 1.0
    assert rouge_l("河流从山里流出来", "河流从山里流出来") == 1.0
    assert rouge_l("全然違う", "河流从山里") == 0.0


numbers = st.decimals(min_value=-(10**6), max_value=10**6, places=3, allow_nan=False)


@settings(deadline=None, max_examples=150)
@given(numbers, numbers, st.sampled_from([0.0, 0.001, 0.5, 10.0]), st.sampled_from([0.0, 0.01, 0.2]))
def test_a_number_passes_where_the_tolerances_say_so(
    a: Decimal, b: Decimal, near: float, part: float
) -> None:
    grader = NumericRoute(answer="whole", abs_tol=near, rel_tol=part)
    room = max(Decimal(repr(near)), Decimal(repr(part)) * abs(b))
    assert (judged(grader, str(a), str(b)).verdict == "pass") == (abs(a - b) <= room)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_number_is_itself_in_every_spelling(n: int) -> None:
    for text in (
        f"{n:,}",
        f"${n}$",
        f"**{n}**",
        f"{n}.0",
        f"x = {n}",
        f"{n} apples",
        f"${n}",
        f"{n}/1",
        f"+{n}",
    ):
        found = quantity_of(text)
        assert found is not None, text
        assert found.value == n, text


CHANGED = [
    "{n}x",
    "{n} million",
    "{n} or 3",
    "{n}!",
    "{n}^2",
    "{n} and a half",
    "{n}, 3",
    "{n}.5",
    "-{n}",
    "not {n}",
    "{n}%",
    "{n} - 1",
    "{n}-{n}",
    "{n}/7",
    "{n}e3",
    "{n}\\times 10^{{3}}",
    "{n} dozen",
    "{n} squared",
    "1{n}",
    "{n}π",
    "{n}i",
    "{n}:30",
    "{n} factorial",
    "more than {n}",
]


@pytest.mark.parametrize("form", CHANGED)
@pytest.mark.parametrize("n", [4, 17, 250])
def test_what_stands_by_a_number_and_changes_it_never_passes(form: str, n: int) -> None:
    assert judged(NumericRoute(answer="whole"), form.format(n=n), str(n)).verdict != "pass"


def test_a_unit_may_be_left_out_and_not_changed() -> None:
    grader = NumericRoute(answer="whole", rel_tol=0.01)
    wanted = [("9.81 m/s^2", "pass"), ("9.8", "pass"), ("9.81 km/s^2", "fail"), ("9.5 m/s^2", "fail")]
    assert [(text, judged(grader, text, "9.8 m/s^2").verdict) for text, _ in wanted] == wanted
    assert judged(grader, "9.8", "fast").verdict == "error"
    assert judged(NumericRoute(answer="whole"), "1e99999", "1").verdict == "fail"


PLACES = ("Nairobi", "Mount Kenya", "the Tana River", "Lake Victoria")


@pytest.mark.parametrize("place", PLACES)
def test_what_keeps_a_text_passes_and_what_changes_it_does_not(place: str) -> None:
    keeps = [place, place.upper(), f"  {place}.", f'"{place}"', place.replace("the ", ""), f"**{place}**"]
    changes = [f"not {place}", f"{place} or Mombasa", place[:-1], f"{place} 2", place[::-1], "", "Mombasa"]
    for grader in (NormalisedTextRoute(), F1Route(min_score=1.0)):
        assert said(grader, [(text, place) for text in keeps]) == ["pass"] * len(keeps)
        assert said(grader, [(text, place) for text in changes]) == ["fail"] * len(changes)
    assert said(ExactRoute(), [(place, place), (f" {place}\n", place)]) == ["pass"] * 2
    assert said(ExactRoute(), [(t, place) for t in [*changes, place.upper()]]) == ["fail"] * 8
    assert judged(ExactRoute(ignore_case=True), place.upper(), place).verdict == "pass"


def test_any_of_several_references_will_do() -> None:
    both = json.dumps(["Nairobi", "the city of Nairobi", 7])
    grader = NormalisedTextRoute(references="list")
    assert said(grader, [(t, both) for t in ("Nairobi", "City of Nairobi", "7", "Mombasa")]) == [
        "pass", "pass", "pass", "fail",
    ]  # fmt: skip
    assert judged(NumericRoute(answer="whole", references="list"), "5", '["?", "5"]').verdict == "pass"
    assert judged(NumericRoute(answer="whole", references="list"), "6", '["?", "5"]').verdict == "error"
    for bad in ("Nairobi", "[]", '["a", null]', "[true]", '{"a": 1}', '["a", ""]', "[[1]]"):
        assert judged(grader, "Nairobi", bad).verdict == "error", bad


def test_only_the_part_that_is_graded_counts() -> None:
    text = "Mombasa?\nNo. The answer is Nairobi."
    assert judged(ExactRoute(), text, "Nairobi").verdict == "fail"
    assert judged(ExactRoute(answer="final"), text, "Nairobi").verdict == "pass"
    assert judged(ExactRoute(answer="last_line"), "Thinking.\nNairobi", "Nairobi").verdict == "pass"
    assert judged(ExactRoute(), "<think>Mombasa</think>\nNairobi", "Nairobi").verdict == "pass"
    assert judged(ExactRoute(), "<think>Nairobi", "Nairobi").verdict == "fail"
    assert judged(ExactRoute(), "Nairobi", "Nairobi", finish_reason="length").verdict == "fail"
    assert judged(ExactRoute(), "x", None).verdict == "error"


PROMPT = "Which is a metal?\nA) oxygen\nB) mercury\nC) argon\nD) not given"
RIGHT = [
    "B",
    "b",
    "(B)",
    "B.",
    "B)",
    "**B**",
    "B) mercury",
    "(B) mercury.",
    "mercury",
    "Mercury.",
    "Option B",
    "option (b)",
    r"\text{B}",
    "The correct option is B",
    "Answer: B",
]
WRONG = [
    "A",
    "C",
    "E",
    "B or C",
    "A, B",
    "B) argon",
    "argon",
    "not B",
    "Bromine",
    "oxygen and mercury",
    "none",
    "",
    "B and C",
    "neither",
    "both",
    "AB",
]


def test_a_choice_is_its_letter_or_its_text_and_nothing_beside_it() -> None:
    grader = ChoiceRoute(answer="whole")
    for reference in ("B", "(B)", "mercury"):
        found = {text: judged(grader, text, reference, prompt=PROMPT).verdict for text in [*RIGHT, *WRONG]}
        assert [text for text in RIGHT if found[text] != "pass"] == []
        assert [text for text in WRONG if found[text] != "fail"] == []
    assert judged(grader, "B", "bismuth", prompt=PROMPT).verdict == "error"
    assert judged(ChoiceRoute(), "It is liquid, so the answer is B.", "B", prompt=PROMPT).verdict == "pass"
    assert judged(ChoiceRoute(), "The answer is B or C.", "B", prompt=PROMPT).verdict == "fail"


def test_labels_are_chosen_by_name() -> None:
    grader = ChoiceRoute(answer="last_line", labels=("positive", "negative", "not sure"))
    right = ["positive", "Positive.", "**positive**", "Label: positive"]
    wrong = ["negative", "not positive", "positive or negative", "rather positive", "sure"]
    assert [judged(grader, text, "positive").verdict for text in right] == ["pass"] * len(right)
    assert [judged(grader, text, "positive").verdict for text in wrong] == ["fail"] * len(wrong)
    assert judged(grader, "positive", "happy").verdict == "error"


def test_a_pattern_is_searched_as_python_does_and_a_bad_one_is_an_error() -> None:
    own = PatternRoute()
    cases = [
        (r"^\d{3}$", "123"),
        (r"^\d{3}$", "1234"),
        (r"a|b", "xbx"),
        (r"(?i)YES", "yes"),
        (r"x\by", "x y"),
    ]
    assert said(own, [(text, pattern) for pattern, text in cases]) == [
        "pass" if re.search(pattern, text) else "fail" for pattern, text in cases
    ]
    assert judged(own, "anything", "(").verdict == "error"
    assert judged(PatternRoute(whole=True, pattern=r"\d+"), "12a").verdict == "fail"
    assert judged(PatternRoute(references="list"), "b", '["a", "b"]').verdict == "pass"
    assert PatternRoute(pattern="a").checks_form
    assert not own.checks_form


def test_a_search_that_never_ends_is_a_timeout_and_harms_nothing() -> None:
    assert said(PatternRoute(), [("a" * 60 + "!", r"(a+)+$"), ("b", "b")]) == ["timeout", "pass"]


SCHEMAS: list[Any] = [
    {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer", "minimum": 2}}},
    {"type": "array", "items": {"enum": [1, "x", None]}, "uniqueItems": True, "maxItems": 2},
    {"$defs": {"n": {"type": "number"}}, "anyOf": [{"$ref": "#/$defs/n"}, {"const": "n"}]},
    True,
    False,
    {"$schema": "http://json-schema.org/draft-07/schema#", "type": "string", "pattern": "^a"},
]
VALUES: list[Any] = [
    {"a": 2},
    {"a": 1},
    {"a": "2"},
    {},
    [1, "x"],
    [1, 1],
    [2],
    3,
    2.5,
    "n",
    "abc",
    None,
    True,
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_schema_says_what_the_public_validator_says(schema: Any) -> None:
    own = JsonSchemaRoute()
    cls = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    tests = json.dumps({"type": "json-schema", "schema": schema})
    with own.open() as judge:
        found = judge([Case("Which?", json.dumps(value), tests=tests) for value in VALUES])
    assert [v.verdict == "pass" for v in found] == [cls(schema).is_valid(value) for value in VALUES]


def test_what_is_no_json_or_no_schema_is_told_apart() -> None:
    table: list[tuple[str, Any, str]] = [
        *((text, True, "fail") for text in ("", "x", "NaN", '{"a": NaN}', "{} {}", "Here it is: {}")),
        *((text, True, "fail") for text in ("[" * 100_000, "1" * 5_000)),
        ("```json\n{}\n```", {"type": "object"}, "pass"),
        *(("{}", schema, "error") for schema in ({"type": "no such"}, {"$ref": "#/$defs/none"}, 3)),
        ("{}", {"$ref": "http://127.0.0.1:9/x"}, "error"),
        ("{}", {"pattern": "("}, "error"),
        (json.dumps("a" * 60 + "!"), {"pattern": "^(a+)+$"}, "timeout"),
    ]
    cases = [
        *(
            Case("?", text, tests=json.dumps({"type": "json-schema", "schema": schema}))
            for text, schema, _ in table
        ),
        *(Case("?", "{}", tests=tests) for tests in (None, "[]", '{"type": "code"}', "{")),
    ]
    with JsonSchemaRoute().open() as judge:
        found = [verdict.verdict for verdict in judge(cases)]
    assert found == [wanted for *_, wanted in table] + ["error"] * 4


ROUTES: list[Any] = [
    *(
        cls(answer=part, references=form)
        for cls in (ExactRoute, NormalisedTextRoute, NumericRoute, ChoiceRoute)
        for part in ("whole", "final", "last_line")
        for form in ("one", "list")
    ),
    NumericRoute(abs_tol=5),
    NumericRoute(rel_tol=0.05),
    ChoiceRoute(labels=("yes", "no")),
    PatternRoute(),
    PatternRoute(answer="final"),
    JsonSchemaRoute(),
]


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.type}-{r.answer}-{getattr(r, 'references', '')}")
def test_a_grader_of_rules_is_wrong_on_none_of_its_canaries(route: Any) -> None:
    planted = route.planted()
    with route.open() as judge:
        found = judge([one.case for one in planted])
    rates = error_rates(found, planted)
    assert (rates.false_pass, rates.false_fail, rates.unknown) == (0, 0, 0), [
        (c.name, c.case.content, v)
        for c, v in zip(planted, found, strict=True)
        if (v.verdict == "pass") != c.must_pass
    ]


@pytest.mark.parametrize("cls", [F1Route, RougeLRoute])
def test_a_degree_of_likeness_shows_its_false_passes(cls: Any) -> None:
    route = cls()
    with route.open() as judge:
        rates = error_rates(judge([one.case for one in route.planted()]), route.planted())
    assert rates.false_fail == 0
    assert rates.false_pass is not None
    assert 0 < rates.false_pass <= 0.5
