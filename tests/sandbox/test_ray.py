"""A sandbox inside Ray workers, which have threads and may be killed at any time."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sandbox import Limits, Sandbox, StdinTest


class Runner:
    """Runs one program many times in a sandbox of its own."""

    def __init__(self) -> None:
        self._box = Sandbox(slots=1, limits=Limits(cpu_s=5))

    def run(self) -> list[str]:
        codes = ["print(int(input()) + 1)", "import os; os.kill(os.getppid(), 9)", "while True: pass"]
        limits = Limits(cpu_s=0.5)
        return [
            self._box.run_stdin(codes[turn % 3], [StdinTest("1", "2")], limits=limits).verdict
            for turn in range(6)
        ]

    def processes(self) -> list[int]:
        return self._box.processes()


@pytest.mark.ray
def test_runs_inside_ray_actors(ray_cluster: None) -> None:
    import ray

    actors = [ray.remote(Runner).options(num_cpus=0.5).remote() for _ in range(2)]
    found = ray.get([actor.run.remote() for actor in actors], timeout=100)
    assert found == [["AC", "RE", "TLE"] * 2] * 2, f"got {found}"
    pids = ray.get(actors[0].processes.remote())
    for actor in actors:
        ray.kill(actor)
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    left = [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
    assert not left, f"processes outlive the worker that started them: {left}"
