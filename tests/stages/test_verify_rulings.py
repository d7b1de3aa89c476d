from __future__ import annotations

import itertools
from typing import Any

import pytest

from factory.stages.verification.verdict_rules import Ruling
from verifiers import Verdict

OUTCOMES: tuple[Any, ...] = ("pass", "fail", "error", "timeout")
RULES: tuple[Any, ...] = ("all", "any", "first")
JUDGE = frozenset({"math"})
NOTHING = frozenset[str]()


def ruled(rule: Any, *said: tuple[str, Any]) -> Ruling:
    """The ruling after these verdicts, the judge asked wherever it may be."""
    ruling = Ruling(rule)
    for verifier, outcome in said:
        turns = JUDGE if verifier == "judge" else NOTHING
        if ruling.wants(turns=turns, later=JUDGE, spare=True):
            ruling.add(Verdict(verifier, "1", outcome, detail=f"{verifier} says {outcome}"), turns=turns)
    return ruling


@pytest.mark.parametrize(("rule", "math", "judge"), list(itertools.product(RULES, OUTCOMES, OUTCOMES)))
def test_a_judge_only_ever_turns_what_did_not_pass_into_a_pass(rule: Any, math: Any, judge: Any) -> None:
    ruling = ruled(rule, ("math", math), ("judge", judge))
    asked = math != "pass"
    assert len(ruling.said) == 1 + asked, "the judge is asked after every verdict but a pass"
    assert ruling.verdict == ("pass" if asked and judge == "pass" else math)


@pytest.mark.parametrize("math", ["fail", "error", "timeout"])
def test_a_rescue_says_so_and_an_ordinary_pass_does_not(math: Any) -> None:
    rescue = ruled("all", ("math", math), ("judge", "pass")).said[-1]
    assert rescue.detail.startswith(f"rescued by the judge: math said {math}")
    alone = ruled("all", ("judge", "pass"))
    assert (alone.verdict, alone.said[-1].detail) == ("pass", "judge says pass")
    assert ruled("all", ("judge", "fail")).verdict == "fail", "where no rule spoke the judge decides"


def test_a_judge_does_not_rescue_what_another_verifier_failed() -> None:
    ruling = ruled("all", ("format", "fail"), ("math", "fail"), ("judge", "pass"))
    assert ruling.verdict == "fail"
    assert [v.verifier for v in ruling.said] == ["format"], "what is settled costs no more judgements"
    assert ruled("all", ("math", "fail"), ("length", "fail"), ("judge", "pass")).verdict == "fail"


def test_a_verifier_between_rule_and_judge_is_not_skipped() -> None:
    said = ruled("all", ("math", "fail"), ("length", "pass"), ("judge", "pass"))
    assert [v.verifier for v in said.said] == ["math", "length", "judge"], (
        "a failure that may yet be rescued settles nothing"
    )
    assert said.verdict == "pass"


def test_a_later_verifier_still_counts_after_a_rescue() -> None:
    assert ruled("all", ("math", "fail"), ("judge", "pass"), ("length", "fail")).verdict == "fail"
    assert ruled("first", ("math", "fail"), ("judge", "pass"), ("length", "fail")).verdict == "pass"


def test_with_any_a_pass_settles_and_the_judge_is_spared() -> None:
    ruling = ruled("any", ("math", "fail"), ("code", "pass"), ("judge", "pass"))
    assert (ruling.verdict, len(ruling.said)) == ("pass", 2)


def formed(rule: Any, *said: tuple[str, Any]) -> Ruling:
    """The ruling where the verifier `form` checks the form alone."""
    ruling = Ruling(rule)
    for verifier, outcome in said:
        form = verifier == "form"
        if ruling.wants(turns=NOTHING, later=NOTHING, spare=True, vetoes=form):
            verdict = Verdict(verifier, "1", outcome)
            if form:
                ruling.veto(verdict)
            else:
                ruling.add(verdict, turns=NOTHING)
    return ruling


@pytest.mark.parametrize(("rule", "place"), list(itertools.product(RULES, range(3))))
@pytest.mark.parametrize(
    "judged", [(), *itertools.product(OUTCOMES, repeat=1), *itertools.product(OUTCOMES, repeat=2)]
)
def test_a_form_that_is_kept_changes_no_verdict_and_a_broken_one_fails_it(
    judged: tuple[Any, ...], rule: Any, place: int
) -> None:
    said = [(f"v{n}", outcome) for n, outcome in enumerate(judged)]
    without = formed(rule, *said).verdict
    for outcome, wanted in (("pass", without), ("fail", "fail")):
        found = formed(rule, *said[:place], ("form", outcome), *said[place:]).verdict
        assert found == wanted, f"a form check that says {outcome} made {without} a {found}"


def test_the_form_is_asked_after_a_pass_that_settles_all_else() -> None:
    assert formed("any", ("v", "pass"), ("form", "fail")).verdict == "fail"
    assert formed("all", ("v", "fail"), ("form", "pass")).said == [Verdict("v", "1", "fail")]
