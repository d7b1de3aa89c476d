from __future__ import annotations

from pathlib import Path

import pytest

from factory.core import DataError
from factory.release import pairs as under_test
from factory.release.pairs import pairs
from factory.release.versions import Release
from tests.release.conftest import build
from tests.release.steps import GRADED, SAMPLED, Workspace, completions, make_steps, problem


def test_a_pair_is_right_against_wrong_of_the_same_problem(release: Release) -> None:
    found = list(pairs(release))
    assert len(found) == 6, "problems with 3 or 2 of 4 right give a pair, the others none"
    for right, wrong in found:
        assert right["id"] == wrong["id"]
        assert (right["verdict"], wrong["verdict"]) == ("pass", "fail")


def test_problems_without_a_released_row_give_no_pair(release: Release) -> None:
    released = {right["id"] for right, _ in pairs(release)}
    assert all(problem(number)["id"] not in released for number in (3, 7, 11)), "their pass rate is 0"


def test_the_wrong_side_is_found_among_rejected_rows(release: Release) -> None:
    assert {wrong["sample_index"] for _, wrong in pairs(release)} == {2, 3}


def test_pick_rules_choose_by_length_and_index(release: Release) -> None:
    def indexes(rule: under_test.Pick) -> list[int]:
        return [right["sample_index"] for right, _ in pairs(release, chosen=rule)]

    assert set(indexes("first")) == {0}
    assert set(indexes("shortest")) == {0}
    assert set(indexes("longest")) == {1, 2}


def test_random_pick_depends_on_the_seed_alone(release: Release) -> None:
    def drawn(seed: int) -> list[str]:
        return [right["completion_id"] for right, _ in pairs(release, chosen="random", seed=seed)]

    assert drawn(1) == drawn(1)
    assert len({tuple(drawn(seed)) for seed in range(8)}) > 1, "the seed has no effect"


def test_buckets_change_nothing_but_the_order(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    def ids() -> set[tuple[str, str]]:
        return {(right["completion_id"], wrong["completion_id"]) for right, wrong in pairs(release)}

    whole = ids()
    monkeypatch.setattr(under_test, "_BUCKET_BYTES", 2000)
    assert ids() == whole


def test_errors_timeouts_and_truncated_rows_are_never_the_wrong_side(tmp_path: Path) -> None:
    steps = make_steps(tmp_path / "steps", problems=4, passes=(2,))
    rows = [row for i in range(4) for row in completions(problem(i), passes=2)]
    for row in rows:
        if row["verdict"] == "fail":
            row |= {"verdict": "timeout"} if row["sample_index"] == 2 else {"finish_reason": "length"}
    work = Workspace(tmp_path / "other")
    work.add("source", rows, [], schema=GRADED)
    assert list(pairs(build(work.steps, tmp_path / "r"))) == []
    assert len(list(pairs(build(steps, tmp_path / "all")))) == 4


def test_pairs_without_verdicts_are_refused(tmp_path: Path) -> None:
    work = Workspace(tmp_path / "steps")
    work.add("source", completions(problem(1), passes=2), [], schema=SAMPLED)
    with pytest.raises(DataError, match="pairs need verdicts; add a 'verify' step"):
        list(pairs(build(work.steps, tmp_path / "r", verdicts=["unverified"])))
