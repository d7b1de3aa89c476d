"""What a sandbox leaves behind when nobody closes it: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox import CallTest, Sandbox, StdinTest
from sandbox.shared import SharedDirectory, remove_abandoned

ROOT = Path(__file__).resolve().parents[2]

UNCLOSED = """
import os, sys
from sandbox import Sandbox, StdinTest
box = Sandbox(tier=sys.argv[1])
print(box._engine.shared, *box.processes(), flush=True)
if sys.argv[2] == "forked":
    child = os.fork()
    if child == 0:
        raise SystemExit(0)
    os.waitpid(child, 0)
    assert box.run_stdin("print(1)", [StdinTest("", "1")]).verdict == "AC"
if sys.argv[2] == "killed":
    input()
"""


def _start(tier: str, way: str) -> tuple[subprocess.Popen[str], Path, list[int]]:
    command = [sys.executable, "-c", UNCLOSED, tier, way]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    path, *pids = process.stdout.readline().split()
    return process, Path(path), [int(pid) for pid in pids]


@pytest.mark.parametrize("tier", ["namespaces", "landlock"])
@pytest.mark.parametrize("way", ["ended", "forked"])
def test_a_process_that_ends_takes_its_sandbox_along(tier: str, way: str) -> None:
    process, path, pids = _start(tier, way)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert not path.exists(), "the directory is left"
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{pid}") for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")], "a process is left"


def test_the_directory_of_a_killed_process_goes_with_the_next_sandbox() -> None:
    process, path, _ = _start("landlock", "killed")
    with SandboxDirectory() as live:
        assert path.exists(), "a directory whose maker lives is left alone"
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        remove_abandoned(path.parent)
        assert not path.exists(), "a directory whose maker was killed is removed"
        assert Path(live.path).exists()


class SandboxDirectory:
    """A shared directory for the time of a block."""

    def __enter__(self) -> SharedDirectory:
        self._made = SharedDirectory()
        return self._made

    def __exit__(self, *_: object) -> None:
        self._made.remove()


def test_what_carries_no_lock_is_not_touched(tmp_path: Path) -> None:
    strange = tmp_path / "sandbox-abcdefgh"
    strange.mkdir()
    (strange / "file").write_text("kept")
    (tmp_path / "sandbox-12345678").symlink_to(strange)
    remove_abandoned(tmp_path)
    assert (strange / "file").read_text() == "kept"


def test_no_tests_are_no_pass(box: Sandbox) -> None:
    with pytest.raises(ValueError, match="no tests"):
        box.run_stdin("print(1)", list[StdinTest]())
    with pytest.raises(ValueError, match="no tests"):
        box.run_calls("def f(): pass", list[CallTest](), entry="f")
