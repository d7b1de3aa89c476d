"""Assert and pytest runs: the solution in one process, the tests in another, and a verdict pipe between
neither.

The solution's process is started first, from a supervisor that has not yet read the tests, so that no copy of
them is in its memory.
"""

from __future__ import annotations

import os

from sandbox.inside.agent import serve
from sandbox.inside.child import fresh_module
from sandbox.inside.filters import SOLUTION
from sandbox.inside.frames import append, read_all
from sandbox.inside.job import Job, describe, memory_file, pair
from sandbox.inside.judge import judge
from sandbox.inside.supervisor import compile_solution
from sandbox.inside.watch import watch

__all__ = ["run_trial"]


def run_trial(job: Job) -> None:
    """Runs the tests of one hidden file against a solution; the record is one frame."""
    code = compile_solution(job)
    module = fresh_module(job.home.directory, name=job.head["module"])
    cage = job.cage(SOLUTION)
    solution_end, judge_end = pair()
    streams = [memory_file("stdin"), memory_file("stdout"), memory_file("stderr")]
    solver = job.start(
        cage, cage.moves([*streams, solution_end, job.trouble]), 4, lambda: serve(code, module)
    )
    os.close(solution_end)
    tests = next(iter(read_all(job.files[0])))[1][0]
    report = memory_file("report")
    own_streams = [memory_file("stdin"), memory_file("stdout"), memory_file("stderr")]
    moves = cage.moves([*own_streams, judge_end, report, job.trouble])
    kept = [f"{job.home.directory}/{name}" for name in job.home.kept]
    trusted = job.start(cage, moves, 5, lambda: judge(tests, job.head, job.home.directory, kept=kept))
    os.close(judge_end)
    solved, judged = watch([solver, trusted], job.bounds(memory_bytes=job.limits["memory_bytes"]))
    job.check_started()
    size = min(os.fstat(report).st_size, job.limits["output_bytes"])
    flooded = os.fstat(streams[1]).st_size >= job.limits["output_bytes"]
    blobs = [os.pread(report, size, 0), *[_tail(fd) for fd in (streams[1], streams[2], own_streams[2])]]
    append(job.result_fd, {**describe(solved), "flooded": flooded, "judge": describe(judged)}, *blobs)
    job.clean()


def _tail(fd: int) -> bytes:
    return os.pread(fd, 4_000, max(0, os.fstat(fd).st_size - 4_000))
