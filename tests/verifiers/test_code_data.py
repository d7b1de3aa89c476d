"""The code verifier on real data: reference solutions, mutated ones, labelled generations, and cheats."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.verifiers.code_data import (
    Labelled,
    explanation,
    gaming,
    humaneval,
    lookup_programs,
    mbpp,
    mutated,
    reflexion,
    sandboxfusion,
)
from verifiers.base import Judge
from verifiers.code.verifier import Code
from verifiers.testforms import BadTests, read_tests

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Code().open() as judge:
        yield judge


def wrong(judge: Judge, labelled: Sequence[Labelled]) -> list[str]:
    """One line for each verdict that its label contradicts and that nothing explains."""
    assert labelled
    verdicts = judge([item.case for item in labelled])
    return [
        f"{item.name}: {verdict.verdict}, expected {'pass' if item.should_pass else 'fail'}; {verdict.detail}"
        for item, verdict in zip(labelled, verdicts, strict=True)
        if verdict.verdict != ("pass" if item.should_pass else "fail")
        and explanation(item, verdict, judge) is None
    ]


def test_every_sample_of_many_benchmarks_can_be_read_but_one_that_is_broken(test_data: Path) -> None:
    unread, seen = [], 0
    for path in sorted((test_data / "data/sandboxfusion_samples").glob("*.jsonl")):
        for line in path.read_text("utf-8").rstrip("\n").split("\n"):
            seen += 1
            try:
                read_tests(line)
            except BadTests as error:
                unread.append(f"{path.stem} {json.loads(line)['id']}: {error}")
    assert seen > 150
    assert len(unread) == 1, "\n".join(unread)
    assert "shadow_humaneval_python 1: " in unread[0]


def test_every_humaneval_solution_passes(judge: Judge, test_data: Path) -> None:
    rows = humaneval(test_data)
    assert len(rows) == 164
    assert not wrong(judge, rows)


def test_every_mbpp_solution_passes(judge: Judge, test_data: Path) -> None:
    rows = mbpp(test_data)
    assert len(rows) == 974
    assert not wrong(judge, rows)


def test_solutions_that_return_something_else_fail(judge: Judge, test_data: Path) -> None:
    rows = [*humaneval(test_data)[::8], *mbpp(test_data)[::40]]
    changed = [found for row in rows if (found := mutated(row)) is not None]
    assert len(changed) > 40
    assert not wrong(judge, changed)


def test_no_completion_that_must_fail_passes(judge: Judge, test_data: Path) -> None:
    assert not wrong(judge, gaming(test_data))


def test_agrees_with_labels_of_generations(judge: Judge, test_data: Path) -> None:
    rows = reflexion(test_data)
    odd = [row for row in rows if any(name in row.name for name in ("bell_number", "mbpp_126_sum", "_160_"))]
    assert not wrong(judge, [*rows[::9], *odd])


def test_agrees_with_the_samples_of_many_benchmarks(judge: Judge, test_data: Path) -> None:
    rows = [row for row in sandboxfusion(test_data) if not row.name.startswith("bigcodebench")]
    assert not wrong(judge, rows)


def test_contest_problems_accept_what_they_expect_and_nothing_else(judge: Judge, test_data: Path) -> None:
    assert not wrong(judge, lookup_programs(test_data)[::5])
