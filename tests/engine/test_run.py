"""The laws of the engine, with stages that do next to nothing."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from factory.core import DataError, Resources, RowsLost, Stage, StageError, WorkspaceError
from factory.engine.plan import Preview, make_plan, previous_run
from factory.engine.run import run
from factory.engine.steps import Step, make_steps
from factory.storage.lease import lease
from tests.engine.noop import (
    Beside,
    Broken,
    Doubtful,
    Held,
    Moody,
    Multiples,
    Numbers,
    OncePerDigit,
    Pass,
    Priced,
    Swallow,
)


def steps_of(folder: Path, stages: Sequence[Stage], **resources: Resources) -> list[Step]:
    return make_steps(stages, resources=resources, root=str(folder / "p"), workspace=str(folder))


def go(folder: Path, *stages: Stage, **options: Any) -> list[dict[str, Any]]:
    options = {"local": True, "quiet": True, "run_id": "r"} | options
    return run(steps_of(folder, stages), root=str(folder / "p"), **options).manifests


def ids(step: Step, side: str = "shards") -> list[int]:
    files = sorted((Path(step.folder) / side).glob("*.parquet"))
    return [i for f in files for i in pq.read_table(f)["id"].to_pylist()]


def test_rows_in_are_rows_kept_plus_rows_rejected_at_every_step(tmp_path: Path) -> None:
    manifests = go(tmp_path, Numbers(), Multiples(of=3), Pass(), Multiples(of=5, name="fives"))
    for before, after in itertools.pairwise(manifests):
        assert after["rows_in"] == before["rows_kept"], "a step is given exactly what the one before kept"
        assert after["rows_in"] == after["rows_kept"] + after["rows_rejected"], "no row vanishes in a step"
    assert manifests[-1]["rows_kept"] == sum(1 for i in range(100) if i % 3 and i % 5)
    assert manifests[1]["reasons"] == {"multiple": 34}


def test_rejected_rows_are_on_disk_with_their_reason(tmp_path: Path) -> None:
    go(tmp_path, Numbers(), Multiples(of=7))
    step = steps_of(tmp_path, [Numbers(), Multiples(of=7)])[1]
    assert ids(step, "rejected") == list(range(0, 100, 7))
    assert set(pq.read_table(step.files.rows_url("rejected", 0))["reason"].to_pylist()) == {"multiple"}


def test_what_stands_beside_the_rows_is_written_and_counted(tmp_path: Path) -> None:
    manifest = go(tmp_path, Numbers(), Beside(), Pass())[1]
    step = steps_of(tmp_path, [Numbers(), Beside()])[1]
    assert manifest["files"][3]["side_tables"]["squares"]["rows"] == 10
    assert pq.read_table(step.files.side_table_url("squares", 3))["square"].to_pylist() == [
        i * i for i in range(30, 40)
    ]
    assert ids(step) == list(range(100))


def test_a_table_that_no_stage_declares_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"gave the side tables \['cubes'\], declares \['squares'\]"):
        go(tmp_path, Numbers(), Beside(given="cubes"))


def test_a_step_that_is_no_result_as_a_whole_stops_the_run_and_is_done_again(tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    line = [Numbers(), Doubtful(mended=str(mended)), Multiples(of=3)]
    for _ in range(2):
        with pytest.raises(StageError, match="step 2 'doubtful': 100 of 100 rows failed"):
            go(tmp_path, *line)
        assert ids(steps_of(tmp_path, line)[1]) == list(range(100)), "the rows that tell why are gone"
    mended.touch()
    assert go(tmp_path, *line)[-1]["rows_kept"] == 66, "shards done by a broken machine were taken for good"


def test_a_stage_that_loses_a_row_stops_the_run_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        RowsLost, match=r"step 2 'swallow', shard \d: 10 rows must leave, 9 kept and 0 rejected"
    ):
        go(tmp_path, Numbers(), Swallow())


def test_an_error_of_a_stage_names_step_shard_and_cause_and_keeps_what_is_finished(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="step 2 'broken', shard 3: ZeroDivisionError: no such quotient"):
        go(tmp_path, Numbers(), Broken(), Pass())
    step = steps_of(tmp_path, [Numbers(), Broken()])[0]
    assert step.files.receipts_done(), "the shards that were finished before the error stay"


def test_a_failure_of_the_machine_is_tried_again(tmp_path: Path) -> None:
    manifests = go(tmp_path, Numbers(), Moody(flag=str(tmp_path / "flag")))
    assert (tmp_path / "flag").exists(), "the stage failed once"
    assert manifests[-1]["rows_kept"] == 100


def test_a_global_stage_sees_every_row_before_it_cuts_one(tmp_path: Path) -> None:
    manifests = go(tmp_path, Numbers(), OncePerDigit(), Pass())
    assert ids(steps_of(tmp_path, [Numbers(), OncePerDigit()])[1]) == list(range(10))
    assert manifests[1]["report"] == {"digits": 10}, "the decision's report is in the manifest"


def test_running_again_does_nothing_and_gives_the_same_manifests(tmp_path: Path) -> None:
    first = go(tmp_path, Numbers(), Multiples())
    files = {f: f.stat().st_mtime_ns for f in (tmp_path / "p" / "steps").rglob("*") if f.is_file()}
    assert go(tmp_path, Numbers(), Multiples(), run_id="again") == first
    assert {f: f.stat().st_mtime_ns for f in files} == files, "a rerun rewrites nothing"


def test_changing_a_stage_runs_it_and_what_follows_and_nothing_before(tmp_path: Path) -> None:
    stages = [Numbers(), Held(log=str(tmp_path / "log")), Multiples(of=3), Pass()]
    go(tmp_path, *stages)
    changed = [*stages[:2], Multiples(of=4), Pass()]
    steps = steps_of(tmp_path, changed)
    planned = make_plan(steps, previous=previous_run(str(tmp_path / "p")))
    assert [p.action for p in planned] == ["reuse", "reuse", "run", "run"]
    assert planned[2].why == "of: 3 -> 4", "the plan says which field changed"
    assert planned[3].why == "a step before it changed"
    before = (tmp_path / "log").read_text()
    go(tmp_path, *changed, run_id="s")
    assert (tmp_path / "log").read_text() == before, "the step before the change ran again"


def test_a_run_that_failed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    log = tmp_path / "log"
    stages = [Numbers(), Held(log=str(log)), Broken()]
    with pytest.raises(StageError):
        go(tmp_path, *stages)
    seen = [line for line in log.read_text().split() if line.isdigit()]
    manifests = go(tmp_path, Numbers(), Held(log=str(log)), Pass(), run_id="s")
    again = [line for line in log.read_text().split() if line.isdigit()]
    assert len(again) == len(set(again)) == 10, f"each shard passes the held stage once: {seen} then {again}"
    assert manifests[-1]["rows_kept"] == 100


def test_a_plan_counts_what_the_last_finished_step_kept_for_all_behind_it(tmp_path: Path) -> None:
    go(tmp_path, Numbers(), Multiples(of=4))
    steps = steps_of(tmp_path, [Numbers(), Multiples(of=4), Pass(), Priced()])
    assert [p.cost for p in make_plan(steps, previous=None)] == [{}, {}, {}, {"completions": 75}]


def test_a_plan_with_a_preview_guesses_the_rows_of_each_step(tmp_path: Path) -> None:
    few = go(tmp_path / "few", Numbers(rows=20), Multiples(of=4), Multiples(of=3, name="threes"))
    stages = [Numbers(rows=100), Multiples(of=4), Multiples(of=3, name="threes"), Priced()]
    planned = make_plan(steps_of(tmp_path, stages), previous=None, preview=Preview(100, few))
    assert [p.likely_rows for p in planned] == [100, 75, 50, None]
    assert planned[-1].cost == {"completions": 50}


def test_a_second_run_on_the_same_folder_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    with lease(str(tmp_path / "p")), pytest.raises(WorkspaceError, match="in use by another run"):
        go(tmp_path, Numbers())
    assert go(tmp_path, Numbers())[0]["rows_kept"] == 100, "a lease that was given back can be taken"


def test_a_step_that_keeps_no_row_stops_the_run_and_says_what_cut_them(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(DataError, match=r"step 2 'multiples': kept 0 of 100 rows \(multiple 100\)"):
            go(tmp_path, Numbers(), Multiples(of=1), Pass())


@pytest.mark.ray
def test_ray_and_the_local_executor_write_the_same_bytes(ray_cluster: None, tmp_path: Path) -> None:
    stages = [Numbers(rows=95), Held(log=str(tmp_path / "log")), OncePerDigit(), Multiples(of=3)]
    local = go(tmp_path / "local", *stages)
    clustered = go(tmp_path / "ray", *stages, local=False)
    for ours, theirs in zip(local, clustered, strict=True):
        assert ours["files"] == theirs["files"], f"step {ours['step']}: every file has the same SHA-256"


@pytest.mark.ray
def test_a_worker_that_is_killed_costs_an_attempt_and_no_row(ray_cluster: None, tmp_path: Path) -> None:
    stages = [Numbers(), Held(log=str(tmp_path / "log"), dies_at=40), Pass()]
    manifests = go(tmp_path, *stages, local=False)
    assert (tmp_path / "log.died").exists(), "the worker was killed in the middle of a shard"
    assert manifests[-1]["rows_kept"] == 100
    assert sorted(ids(steps_of(tmp_path, stages)[1])) == list(range(100)), "no row lost, none doubled"


@pytest.mark.ray
def test_a_run_joins_no_cluster_unasked(ray_cluster: None) -> None:
    import ray

    code = (
        "import ray; from factory.engine.ray_executor import connect; connect(None);"
        "print(ray.get_runtime_context().gcs_address)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    ours = ray.get_runtime_context().gcs_address
    assert done.stdout.strip() not in ("", ours), "it joined another's cluster and would end with it"
