"""Programs that are not Python: compiled by a tool, or run by one, under the same bounds."""

from __future__ import annotations

import os
import signal
from typing import Any

from sandbox.inside import kernel
from sandbox.inside.filters import compiler_filter, solution_filter
from sandbox.inside.frames import append
from sandbox.inside.job import Job, memory_file
from sandbox.inside.supervisor import each_test
from sandbox.inside.watch import watch

__all__ = ["build", "run_program"]

_ARTIFACT_BYTES = 192 << 20
"""Bound on each file a compiler writes; a precompiled header takes 100 MB."""


def build(job: Job) -> None:
    """Runs one tool on the given files and sends back the files it made."""
    limits = job.limits
    _place_files(job, job.blobs)
    cage = job.cage(
        compiler_filter().prepare(),
        cpu_s=int(limits["compile_cpu_s"]) + 1,
        memory_bytes=limits["compile_memory_bytes"],
        bounded=job.head["bounded"],
        file_bytes=_ARTIFACT_BYTES,
        processes=None,
    )
    fds = [memory_file("stdin"), memory_file("stdout"), memory_file("stderr"), _open_program(job)]
    append(job.result_fd, {"phase": "compile"})
    pid = job.start(cage, cage.moves([*fds, job.trouble]), 4, lambda: _execute(job))
    cpu_s = limits["compile_cpu_s"]
    bounds = job.bounds(
        cpu_s=cpu_s,
        wall_s=max(3 * cpu_s, cpu_s + 2),
        memory_bytes=limits["compile_memory_bytes"],
        threads=256,
    )
    (ended,) = watch([pid], bounds)
    job.record(ended, fds[1], fds[2], built=True)
    if ended.exit == 0 and ended.killed is None:
        _collect(job)


def _collect(job: Job) -> None:
    scratch = job.scratch
    names = [name for name in sorted(scratch.names()) if name.endswith(tuple(job.head["outputs"]))]
    contents = []
    for name in names:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=scratch.fd)
        with open(fd, "rb") as file:
            contents.append(file.read(min(os.fstat(fd).st_size, _ARTIFACT_BYTES)))
    append(job.result_fd, {"artifact": names}, *contents)


def _place_files(job: Job, contents: list[bytes]) -> None:
    scratch = job.scratch
    for name, content in zip(job.head["files"], contents, strict=False):
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=scratch.fd)
        with open(fd, "wb") as file:
            file.write(content)


def _open_program(job: Job) -> int:
    """The tool to run, or the compiled program that came with the request."""
    path = job.execute
    if not path:
        return job.files[0]
    return os.open(path[0], os.O_PATH | os.O_CLOEXEC)


def _execute(job: Job, *, passwords: tuple[int, int] = (0, 0)) -> None:
    # Python ignores these two, and an ignored signal stays so through exec.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    environment = {**job.home.env, **job.head.get("env", {})}
    kernel.execveat(3, job.head["argv"], environment, passwords=passwords)


def run_program(job: Job) -> None:
    """One process per test, started from the same program file."""
    head: dict[str, Any] = job.head
    count = len(head["files"])
    passwords = (int.from_bytes(os.urandom(4), "little"), int.from_bytes(os.urandom(4), "little"))
    cage = job.cage(
        solution_filter(exec_fd=3, passwords=passwords).prepare(),
        bounded=head["bounded"],
        **({"processes": None} if not head["bounded"] else {}),
    )
    program = _open_program(job)
    append(job.result_fd, {"phase": "run"})
    contents = job.blobs[:count]
    each_test(
        job,
        cage,
        job.blobs[count:],
        lambda _: _execute(job, passwords=passwords),
        more=[program],
        before=lambda: _place_files(job, contents),
    )
