"""What `status` says of a run is true, however the run ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from factory.engine.plan import previous_run, run_status
from tests.engine.noop import Numbers, Pass
from tests.engine.test_run import go

ROOT = Path(__file__).parent.parent.parent
SLOW = """
import sys, time
from factory.engine.run import run
from factory.engine.steps import make_steps
from tests.engine.noop import Numbers, Pass

class Slow(Pass):
    type: str = "slow"
    def apply(self, batch):
        time.sleep(60)
        return super().apply(batch)

folder = sys.argv[1]
steps = make_steps([Numbers(rows=20), Slow()], resources={}, root=folder + "/p", workspace=folder)
run(steps, root=folder + "/p", run_id="20260101", local=True, quiet=True)
"""


def status(folder: Path) -> str:
    record = previous_run(str(folder / "p"))
    assert record is not None
    return run_status(str(folder / "p"), record)


@pytest.mark.timeout(120)
def test_a_run_that_is_killed_is_running_before_and_lost_after(tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", SLOW, str(tmp_path)], cwd=ROOT, env=env) as driver:
        while previous_run(str(tmp_path / "p")) is None:
            assert driver.poll() is None
            time.sleep(0.05)
        assert status(tmp_path) == "running"
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        assert status(tmp_path) == "lost"


def test_a_record_of_a_clock_that_was_wrong_hides_no_later_run(tmp_path: Path) -> None:
    go(tmp_path, Numbers(), Pass(), run_id="29990101T000000")
    go(tmp_path, Numbers(), Pass(), run_id="20260101T000000")
    record = previous_run(str(tmp_path / "p"))
    assert record is not None
    assert record["run"] == "20260101T000000"


def test_a_torn_record_is_passed_over(tmp_path: Path) -> None:
    go(tmp_path, Numbers(), Pass(), run_id="a")
    (tmp_path / "p/runs/b.json").write_text('{"run": "b", "sta')
    (tmp_path / "p/runs/c.json").write_text("[]")
    assert status(tmp_path) == "ok"


def test_a_run_on_another_machine_is_judged_by_its_last_sign_of_life(tmp_path: Path) -> None:
    go(tmp_path, Numbers(), Pass(), run_id="a")
    lease = {"generation": 1, "host": "far", "machine": "another", "pid": 1, "started": 0.0}
    (tmp_path / "p/lease.json").write_text(json.dumps(lease))
    record = previous_run(str(tmp_path / "p"))
    assert record is not None
    record["status"] = "running"
    assert run_status(str(tmp_path / "p"), record) == "running"
    assert run_status(str(tmp_path / "p"), record | {"updated": "2020-01-01T00:00:00+00:00"}) == "lost"
