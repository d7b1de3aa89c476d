"""The process of one solution: compiles it, starts one process per test, and writes down how each ended.

It runs under the sandbox's own file rules and filter from before it reads a byte of the solution, holds no
expected output, and takes nothing from a test process but the bytes it left in its output files.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import types
from collections.abc import Callable, Sequence

from sandbox.inside import filters, kernel
from sandbox.inside.child import Confinement, fresh_module, run_script
from sandbox.inside.frames import append, append_text, read_all
from sandbox.inside.job import Job, Runner, fill, memory_file, rewind
from sandbox.inside.watch import GRACE, Ended, watch
from sandbox.inside.workspace import Home, Rules

__all__ = ["PYTHON_JOBS", "compile_solution", "confine_supervisor", "each_test", "run_stdin", "supervise"]

PYTHON_JOBS = ("stdin", "calls", "asserts")


def supervise(
    home: Home,
    rules: Rules,
    fds: list[int],
    *,
    profile: str,
    execute: list[str],
    jobs: dict[str, Runner],
) -> None:
    """Runs one request to its end, after `confine_supervisor`; the caller leaves the process afterwards.

    `fds` are the request, the record to write, the line to the driver, and what else the job brings.
    `execute` are programs that the driver names for this job.
    """
    alternate = profile in PYTHON_JOBS
    if alternate:
        kernel.stay_on_this_processor()
    rules.put_on()
    request_fd, result_fd, control_fd, *files = fds
    head, blobs, _ = next(iter(read_all(request_fd)))
    os.close(request_fd)
    job = Job(
        home,
        rules,
        head,
        blobs,
        result_fd=result_fd,
        control_fd=control_fd,
        files=files,
        execute=execute,
        processors=home.processors if alternate else None,
    )
    jobs[head["job"]](job)
    append_text(result_fd, '"done": true')


def confine_supervisor(home: Home, profile: str, execute: list[str]) -> Rules:
    """Gives up what a supervisor does not need, before it has seen anything of a solution.

    Returns the file rules, which it puts on as soon as its scratch directory is there.
    """
    # A collection here would touch every page of the heap and copy each one that a test process shares.
    gc.disable()
    if home.tier != "namespaces":
        # What process 1 of a namespace does by itself: its children end with it, and all at once when it says
        # so.
        os.setpgid(0, 0)
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    kernel.drop_capabilities()
    rules = Rules(home, profile, execute)
    if home.tier != "rlimits":
        filters.SUPERVISOR.install()
    return rules


def compile_solution(job: Job) -> types.CodeType:
    """Compiles Python source inside the limits; what goes wrong here is a compile error, and ends the
    process."""
    limits = job.limits
    budget = int(limits["compile_cpu_s"]) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (budget, hard))
    space = job.home.base_bytes + limits["compile_memory_bytes"]
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (space, most))
    append_text(job.result_fd, '"phase": "compile"')
    try:
        code = compile(job.blobs[0], f"{job.home.directory}/main.py", "exec", dont_inherit=True)
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}"[:500]
        append(job.result_fd, {"phase": "rejected", "reason": reason}, b"", b"")
        os._exit(0)
    append_text(job.result_fd, '"phase": "run"')
    # What is left belongs to this process itself, which must be able to read all that a test wrote.
    resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    return code


def run_stdin(job: Job) -> None:
    """A Python program: one process per test, with the compiled code in memory."""
    code = compile_solution(job)
    module = fresh_module(job.home.directory, name="__main__")
    each_test(job, job.cage(filters.SOLUTION), job.blobs[1:], lambda _: run_script(code, module))


def each_test(
    job: Job,
    cage: Confinement,
    inputs: list[bytes],
    body: Callable[[bytes], object],
    *,
    more: Sequence[int] = (),
    returned: int | None = None,
    before: Callable[[], None] | None = None,
) -> None:
    """Runs `body` in a process of its own for each input, which it finds on descriptor 0.

    Descriptors `more` come after the three standard ones; what is written to the file `returned` is recorded
    too. Tests that are left when all together have been idle for too long are not run.
    """
    files = [memory_file("stdin"), memory_file("stdout"), memory_file("stderr"), *more]
    own = files[:3] if returned is None else [*files[:3], returned]
    # This process holds the files under their final numbers already, so that a test process has only to
    # close.
    for place, fd in enumerate([*files, job.trouble]):
        os.dup2(fd, place, inheritable=place < 3)
    moves = cage.moves([], closing_from=len(files) + 1)
    bounds, idle_left_s = job.bounds(), job.limits["idle_s"]
    most_busy_s = bounds.cpu_s * GRACE
    for text in inputs:
        for fd in own:
            rewind(fd)
        if returned is None and text:
            fill(files[0], text)
        if before is not None:
            before()
        if idle_left_s > 0:
            pid = job.start(cage, moves, len(files), lambda text=text: body(text))  # type: ignore[misc]
            (ended,) = watch([pid], bounds._replace(wall_s=min(bounds.wall_s, idle_left_s + most_busy_s)))
            idle_left_s -= ended.idle_s
            if ended.killed == "wall" and ended.wall_s < bounds.wall_s:
                ended.killed = "idle"
        else:
            ended = Ended.without_start("idle")
        blobs = () if returned is None else (os.pread(returned, job.limits["output_bytes"], 0),)
        passed = job.record(ended, files[1], files[2], *blobs)
        job.clean()
        if not job.go_on(passed=passed):
            return
