"""One request as its supervisor sees it: limits, files, and the means to start and record processes."""

from __future__ import annotations

import gc
import os
from _socket import AF_UNIX, SOCK_STREAM, socketpair
from collections.abc import Callable
from typing import Any, NoReturn

from sandbox.inside import filters, kernel
from sandbox.inside.child import Cage, Confinement, finish
from sandbox.inside.frames import append_text
from sandbox.inside.watch import GRACE, Bounds, Ended
from sandbox.inside.workspace import Home, Rules

__all__ = ["Job", "Runner", "describe", "fill", "memory_file", "pair", "rewind"]

_STDERR_TAIL = 4_000
_TOTAL_OUTPUT_FACTOR = 4
_THREAD_ALLOWANCE = 8
"""Process slots for the sandbox's own processes under the same user id."""


class Job:
    """One request: its limits, the fds it came with, and the means to start processes for it."""

    def __init__(
        self,
        home: Home,
        rules: Rules,
        head: dict[str, Any],
        blobs: list[bytes],
        *,
        result_fd: int,
        control_fd: int,
        files: list[int],
        execute: list[str],
        processors: set[int] | None,
    ):
        self.home = home
        self.scratch = home.scratch()
        self.head = head
        self.blobs = blobs
        self.result_fd = result_fd
        self.control_fd = control_fd
        self.files = files
        self.limits: dict[str, Any] = head["limits"]
        self._output_left = _TOTAL_OUTPUT_FACTOR * self.limits["output_bytes"]
        self.execute = execute
        self._rules = rules.tests
        self.processors = processors
        self.trouble = memory_file("trouble")

    def cage(self, program: filters.Installer, **changes: Any) -> Confinement:
        """The bounds of one process."""
        limits = self.limits
        bounded = changes.pop("bounded", True)
        memory = changes.pop("memory_bytes", limits["memory_bytes"])
        values: dict[str, Any] = {
            "cpu_s": int(limits["cpu_s"] * GRACE) + 2,
            "address_space": self.home.base_bytes + memory if bounded else None,
            "file_bytes": limits["output_bytes"],
            "open_files": limits["open_files"],
            "processes": limits["threads"] + _THREAD_ALLOWANCE if self.home.own_uid else None,
            "stack_bytes": max(8 << 20, min(memory // 2, 100 << 20)),
            "directory": self.home.directory,
            "rules": self._rules,
            "own_world": self.home.tier == "namespaces",
            "filter": None if self.home.tier == "rlimits" and not filters_work() else program,
        }
        return Confinement(Cage(**{**values, **changes}))

    def bounds(self, *, cpu_s: float | None = None, wall_s: float | None = None, **changes: Any) -> Bounds:
        """The bounds kept from outside."""
        limits = self.limits
        values: dict[str, Any] = {
            "cpu_s": cpu_s or limits["cpu_s"],
            "wall_s": wall_s or limits["wall_s"],
            "memory_bytes": limits["memory_bytes"],
            "processors": self.processors,
            "base_bytes": self.home.resident_bytes,
            "threads": limits["threads"] + 1,
            "proc_fd": self.home.proc_fd,
            "scratch": self.scratch if self.home.flat else None,
            "scratch_files": limits["scratch_files"],
            "scratch_bytes": limits["scratch_bytes"],
            "file_bytes": limits["output_bytes"],
        }
        return Bounds(**{**values, **changes})

    def start(
        self, cage: Confinement, moves: list[kernel.Step], count: int, body: Callable[[], object]
    ) -> int:
        """Starts a process that confines itself and runs `body`; returns its id.

        `moves` give it `count` descriptors, and one more to report trouble with.
        """
        pid = kernel.fork()
        if pid:
            return pid
        try:
            cage.put_on(moves)
        except BaseException as error:
            _report_trouble((self.trouble, count), error)
        if not self.head.get("argv"):
            os.close(count)  # a program to be executed closes it by starting
        gc.enable()
        try:
            body()
        except kernel.KernelError as error:
            _report_trouble((count,), error)
        except BaseException:
            finish(1, wait=False)
        os._exit(1)

    def check_started(self) -> None:
        """Raises OSError when a process could not be confined or started: that is not the program's doing."""
        size = os.fstat(self.trouble).st_size
        if size:
            raise OSError(f"a test process did not start: {os.pread(self.trouble, size, 0).decode()}")

    def record(self, ended: Ended, out_fd: int, err_fd: int, *blobs: bytes, built: bool = False) -> bool:
        """Writes down how one test ended, with its output; returns whether it ended by itself with status
        0."""
        self.check_started()
        cap = self.limits["output_bytes"]
        out_size, err_size = os.fstat(out_fd).st_size, os.fstat(err_fd).st_size
        flooded = max(out_size, err_size) >= cap
        out = b"" if flooded else os.pread(out_fd, out_size, 0)
        if len(out) > self._output_left:
            flooded, out = True, b""
        self._output_left -= len(out)
        err = os.pread(err_fd, _STDERR_TAIL, max(0, err_size - _STDERR_TAIL)) if err_size else b""
        append_text(self.result_fd, _head(ended, flooded=flooded, built=built), out, err, *blobs)
        return ended.exit == 0 and ended.killed is None and not flooded

    def clean(self) -> None:
        """Empties the scratch directory between tests; a directory that resists ends the job."""
        if not self.scratch.empty():
            raise OSError("the scratch directory cannot be emptied")

    def go_on(self, *, passed: bool) -> bool:
        """Asks the driver whether the next test is wanted, when it has asked to be asked."""
        if not self.head.get("stop_on_first_failure"):
            return True
        if not passed:
            return False
        os.write(self.control_fd, b".")
        return os.read(self.control_fd, 1) == b"+"


Runner = Callable[[Job], None]
"""What runs one kind of job."""


def _head(ended: Ended, *, flooded: bool, built: bool) -> str:
    """The fields of `describe` and two more, spelt without the JSON encoder, which is not to be touched per
    test."""
    ended_by = "null" if ended.killed is None else f'"{ended.killed}"'
    code = "null" if ended.exit is None else ended.exit
    number = "null" if ended.signal is None else ended.signal
    return (
        f'"cpu_s": {ended.cpu_s}, "wall_s": {ended.wall_s}, "rss_bytes": {ended.rss_bytes}, "exit": {code},'
        f' "signal": {number}, "killed": {ended_by}, "flooded": {str(flooded).lower()},'
        f' "built": {str(built).lower()}'
    )


def describe(ended: Ended) -> dict[str, Any]:
    """The head of a frame about a process that ended."""
    return {
        "cpu_s": ended.cpu_s,
        "wall_s": ended.wall_s,
        "rss_bytes": ended.rss_bytes,
        "exit": ended.exit,
        "signal": ended.signal,
        "killed": ended.killed,
    }


def rewind(fd: int) -> None:
    """Empties a memory file that an earlier test has used."""
    os.ftruncate(fd, 0)
    os.lseek(fd, 0, os.SEEK_SET)


def fill(fd: int, content: bytes) -> None:
    """Puts content into an empty memory file and goes back to its start."""
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)


def memory_file(name: str, content: bytes = b"") -> int:
    """A file in memory that holds `content`, with its position at the start."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    if content:
        fill(fd, content)
    return fd


def filters_work() -> bool:
    """Whether this kernel takes filters at all (mode 2 answers EFAULT to a null filter where it does)."""
    try:
        kernel.prctl(kernel.PR_SET_SECCOMP, 2, 0)
    except kernel.KernelError as error:
        return error.errno == 14
    return True


def _report_trouble(places: tuple[int, ...], error: BaseException) -> NoReturn:
    """Tells the supervisor, by whichever number the file still has, that this process is not the program
    yet."""
    text = f"{getattr(error, 'call', '')} {error}".strip().encode()
    for place in places:
        try:
            os.write(place, text)
            break
        except OSError:
            continue
    os._exit(254)


def pair() -> tuple[int, int]:
    """Two connected stream descriptors."""
    left, right = socketpair(AF_UNIX, SOCK_STREAM)
    return left.detach(), right.detach()
