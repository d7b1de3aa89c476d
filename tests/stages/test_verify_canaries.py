"""Cases with a known verdict in every run: their errors are measured, and a broken verifier stops it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from factory.core import StageError
from factory.stages.verification.rule_canaries import IFEVAL_CANARIES, MATH_CANARIES
from factory.stages.verification.verifier_config import Route
from factory.stages.verification.verifier_configs import CodeRoute, IFEvalRoute, MathRoute
from factory.stages.verification.verify import Verify
from tests.stages.tables import completions, site
from verifiers import Case, Judge, Verdict

ROUTES: list[Route] = [MathRoute(), CodeRoute(packages=()), IFEvalRoute()]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: str(route.type))
def test_the_shipped_verifiers_are_right_on_every_canary(route: Route, tmp_path: Path) -> None:
    with route.opened(site(tmp_path)) as opened:
        verdicts = opened.judge_canaries([canary.case for canary in route.canaries])
    wrong = [
        (canary.name, verdict)
        for canary, verdict in zip(route.canaries, verdicts, strict=True)
        if verdict is None or verdict.verdict != ("pass" if canary.must_pass else "fail")
    ]
    assert not wrong, f"{route.type} misjudges {wrong[:2]}"
    assert {canary.must_pass for canary in route.canaries} == {True, False}


def test_canaries_are_in_the_manifest_and_not_among_the_rows(tmp_path: Path) -> None:
    stage = Verify.model_validate({"verifiers": [{"type": "math"}, {"type": "ifeval"}]})
    rows = completions([{"content": "The answer is 5."}])
    with stage.open(site(tmp_path)) as apply:
        flow = apply(rows)
        apply(rows)
    assert flow.kept.num_rows == 1
    assert flow.spent == {"verdict_pass": 1, "judged": 1}, "a canary is counted among the verdicts"
    report = stage.report(site(tmp_path))
    assert report is not None
    math, ifeval = report["canaries"]
    assert (math["verifier"], math["false_pass"], math["false_fail"]) == ("math", 0.0, 0.0)
    assert math["judged"] == len(MATH_CANARIES), "canaries are judged once per opened worker"
    assert (ifeval["judged"], ifeval["unknown"]) == (len(IFEVAL_CANARIES), 0)


def test_a_stage_that_never_ran_reports_nothing(tmp_path: Path) -> None:
    stage = Verify.model_validate({"verifiers": [{"type": "math"}]})
    assert stage.report(site(tmp_path)) is None
    with stage.open(site(tmp_path)) as apply:
        apply(completions([{}]).slice(0, 0))
    assert stage.report(site(tmp_path)) is None, "an empty shard plants nothing"


class Lenient(Route):
    """Passes whatever says anything, as an extraction without a comparison would."""

    type: Literal["lenient"] = "lenient"
    canaries = MATH_CANARIES

    @contextmanager
    def open(self) -> Iterator[Judge]:
        def judge(cases: Sequence[Case]) -> list[Verdict]:
            said = [bool(case.content.strip()) for case in cases]
            return [Verdict("lenient", "1", "pass" if one else "fail", detail="by word") for one in said]

        yield judge


class Guess(Lenient):
    """The same without a claim to go by rules."""

    type: Literal["guess"] = "guess"  # type: ignore[assignment]
    by_rules = False


def verify(*routes: Any) -> Verify:
    # The union of shipped verifiers does not know these, so validation is left out.
    return Verify.model_construct(verifiers=list(routes))


def test_a_rule_that_passes_a_known_wrong_case_stops_the_run(tmp_path: Path) -> None:
    with (
        verify(Lenient()).open(site(tmp_path)) as apply,
        pytest.raises(StageError, match=r"verifier 'lenient' passes .* the first is 'wrong-0'"),
    ):
        apply(completions([{}]))


def test_a_model_that_is_often_wrong_is_measured_and_goes_on(tmp_path: Path) -> None:
    stage = verify(Guess())
    with stage.open(site(tmp_path)) as apply:
        assert apply(completions([{}])).kept.num_rows == 1
    report = stage.report(site(tmp_path))
    assert report is not None
    [found] = report["canaries"]
    wrong = [c for c in MATH_CANARIES if not c.must_pass]
    empty = [c for c in wrong if not c.case.content.strip()]
    assert found["false_pass"] == pytest.approx(1 - len(empty) / len(wrong))
    assert found["false_fail"] == 0.0
    assert "wrong-0" in found["passed_wrongly"]


def test_rates_are_summed_over_runs_and_counted_once_per_run(tmp_path: Path) -> None:
    stage = Verify.model_validate({"verifiers": [{"type": "math"}]})
    for run in ("one", "one", "two"):
        with stage.open(replace(site(tmp_path), run_id=run)) as apply:
            apply(completions([{}]))
    report = stage.report(site(tmp_path))
    assert report is not None
    assert report["canaries"][0]["judged"] == 2 * len(MATH_CANARIES)
