"""No worker starts to draw while one of an earlier run still does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from factory.core import Busy
from factory.teachers.writers import sole_run

_HOLD = """
import sys, time
from factory.teachers.writers import sole_run
with sole_run(sys.argv[1], sys.argv[2]):
    print("held", flush=True)
    time.sleep(60)
"""


def _holder(folder: Path, run_id: str) -> subprocess.Popen[str]:
    held = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder), run_id], stdout=subprocess.PIPE, text=True
    )
    assert held.stdout is not None
    assert held.stdout.readline() == "held\n"
    return held


def test_a_later_run_waits_until_the_workers_of_a_killed_run_are_gone(tmp_path: Path) -> None:
    worker = _holder(tmp_path, "run-1")
    with (
        pytest.raises(Busy, match="workers of an earlier run"),
        sole_run(tmp_path.as_posix(), "run-2", patience_s=0.5),
    ):
        pytest.fail("a worker of another run was alive")
    worker.kill()
    worker.wait()
    # Without patience: the lock of a dead worker is free.
    with sole_run(str(tmp_path), "run-2", patience_s=0.0):
        pass


def test_workers_of_the_same_run_share_the_journal(tmp_path: Path) -> None:
    worker = _holder(tmp_path, "run-1")
    with sole_run(str(tmp_path), "run-1", patience_s=0.5):
        assert worker.poll() is None
    worker.kill()
    worker.wait()
