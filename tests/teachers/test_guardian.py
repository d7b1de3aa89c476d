"""Helper processes end with their owner, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

_OWNER = """
import subprocess, sys, time
from factory.models.orphan_reaper import guarded
nap = [sys.executable, "-c", "import time; time.sleep(300)"]
deep = [sys.executable, "-c", f"import subprocess; subprocess.run({nap})"]
with guarded():
    helper = subprocess.Popen(deep)
other = subprocess.Popen(nap)
print(helper.pid, other.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["killed", "exits"])
def test_marked_processes_of_any_depth_end_and_others_live_on(end: str) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdin is not None
    assert owner.stdout is not None
    helper, other = (psutil.Process(int(pid)) for pid in owner.stdout.readline().split())
    try:
        while not (deep := helper.children()):
            assert helper.is_running()
        if end == "killed":
            os.kill(owner.pid, signal.SIGKILL)
        owner.stdin.close()
        owner.wait()
        _, alive = psutil.wait_procs([helper, *deep], timeout=20)
        assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]
        assert other.is_running(), "a process that was never marked was killed"
    finally:
        other.kill()
