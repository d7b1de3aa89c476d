"""Waits for processes under limits, from outside of them."""

from __future__ import annotations

import os
import select
import signal
import time
from typing import NamedTuple

from sandbox.inside.held_files import held, living
from sandbox.inside.kernel import cpu_clock
from sandbox.inside.scratch import Scratch

__all__ = ["Bounds", "Ended", "watch"]

GRACE = 1.2
"""A run may use this multiple of its CPU limit before it is killed; what ends in between is measured again
alone."""

_FIRST_LOOK_S = 0.008
"""Most tests are over before the first look at what they use; until then nothing is built to look with."""

_FIRST_STEP_MS, _LAST_STEP_MS = 2, 16
_MOST_WAITING = 4
"""Multiple of the wall limit after which a run ends however busy the machine is."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Bounds(NamedTuple):
    """Limits kept by looking from outside."""

    cpu_s: float
    wall_s: float
    memory_bytes: int
    """Resident bytes above `base_bytes`, what a process starts with."""
    base_bytes: int
    processors: set[int] | None
    """Where a process that takes longer may run, once it is worth moving."""
    threads: int
    proc_fd: int | None
    """A `/proc` to look in, if there is one."""
    scratch: Scratch | None = None
    """A directory to count files in, where no file system bounds them."""
    scratch_files: int = 0
    scratch_bytes: int = 0
    file_bytes: int = 0
    """What one file can hold at most."""


class Ended:
    """How a process ended: `killed` says which limit stopped it, if one did."""

    __slots__ = ("cpu_s", "exit", "idle_s", "killed", "rss_bytes", "signal", "wall_s")

    def __init__(self) -> None:
        self.cpu_s = self.wall_s = 0.0
        self.idle_s = 0.0
        """Wall time in which it neither ran nor waited for a processor; 0 for what ended at once."""
        self.rss_bytes = 0
        self.exit: int | None = None
        self.signal: int | None = None
        self.killed: str | None = None

    @classmethod
    def without_start(cls, killed: str) -> Ended:
        """That of a process which a limit on several together has kept from starting."""
        ended = cls()
        ended.killed = killed
        return ended


class _Live:
    __slots__ = ("ended", "fd", "pid")

    def __init__(self, pid: int):
        self.pid, self.fd, self.ended = pid, os.pidfd_open(pid), Ended()


def watch(pids: list[int], bounds: Bounds) -> list[Ended]:
    """Waits for all of `pids`; a limit that one of them breaks kills them all. One `Ended` for each, in
    order.

    When the last of `pids` has ended, the others are killed: it is the one whose end is waited for.
    """
    start = time.monotonic()
    if len(pids) == 1:
        quick = _Live(pids[0])
        if select.select([quick.fd], [], [], _FIRST_LOOK_S)[0]:
            _reap(quick, start)
            return [quick.ended]
        os.close(quick.fd)
    if bounds.processors is not None:
        for pid in pids:
            os.sched_setaffinity(pid, bounds.processors)
    live = {pid: _Live(pid) for pid in pids}
    order = [live[pid] for pid in pids]
    step = _FIRST_STEP_MS
    while live:
        poller = select.poll()
        for process in live.values():
            poller.register(process.fd, select.POLLIN)
        ready = {fd for fd, _ in poller.poll(step)}
        step = min(step * 2, _LAST_STEP_MS)
        for process in [item for item in live.values() if item.fd in ready]:
            waited_s = _waited_s(process.pid, bounds.proc_fd)
            _reap(process, start)
            ended = process.ended
            ended.idle_s = max(0.0, ended.wall_s - ended.cpu_s - waited_s)
            del live[process.pid]
            if process is order[-1] and live:
                _kill(live)
        reason = None if ready else _broken(live, bounds, start)
        if reason is not None:
            for process in live.values():
                process.ended.killed = process.ended.killed or reason
            _kill(live)
    return [process.ended for process in order]


def _kill(live: dict[int, _Live]) -> None:
    for process in live.values():
        signal.pidfd_send_signal(process.fd, signal.SIGKILL)


def _reap(process: _Live, start: float) -> None:
    _, status, usage = os.wait4(process.pid, 0)
    os.close(process.fd)
    ended = process.ended
    ended.wall_s = time.monotonic() - start
    ended.cpu_s = usage.ru_utime + usage.ru_stime
    ended.rss_bytes = usage.ru_maxrss * 1024
    if os.WIFSIGNALED(status):
        ended.signal = os.WTERMSIG(status)
    else:
        ended.exit = os.WEXITSTATUS(status)


def _broken(live: dict[int, _Live], bounds: Bounds, start: float) -> str | None:
    """The limit that is broken now, by one of the processes or by all of them."""
    elapsed = time.monotonic() - start
    if elapsed > bounds.wall_s:
        # Time spent ready to run, while the machine ran others, is not the program's.
        waited = max((_waited_s(pid, bounds.proc_fd) for pid in live), default=0.0)
        if elapsed - waited > bounds.wall_s or elapsed > _MOST_WAITING * bounds.wall_s:
            return "wall"
    for process in live.values():
        try:
            cpu = time.clock_gettime(cpu_clock(process.pid))
        except OSError:
            continue
        if cpu > bounds.cpu_s * GRACE:
            return "cpu"
        resident, threads = _resident(process.pid, bounds.proc_fd)
        if resident - bounds.base_bytes > bounds.memory_bytes:
            return "memory"
        if threads > bounds.threads:
            return "threads"
    return "files" if bounds.scratch is not None and _too_many_files(live, bounds, bounds.scratch) else None


def _too_many_files(live: dict[int, _Live], bounds: Bounds, scratch: Scratch) -> bool:
    files, size = scratch.usage()
    if bounds.proc_fd is not None:
        for pid in live:
            more = held(pid, bounds.proc_fd, device=scratch.device, mapped_bytes=bounds.file_bytes)
            files, size = files + more[0], size + more[1]
    return files > bounds.scratch_files or size > bounds.scratch_bytes


def _waited_s(pid: int, proc_fd: int | None) -> float:
    """How long a process has waited for a processor, as far as it can be seen."""
    text = _proc_file(pid, "schedstat", proc_fd).split()
    return int(text[1]) / 1e9 if len(text) == 3 else 0.0


def _proc_file(pid: int | str, name: str, proc_fd: int | None) -> bytes:
    """The text of a file of a process in `/proc`, empty where it cannot be read."""
    if proc_fd is None:
        return b""
    try:
        fd = os.open(f"{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc_fd)
    except OSError:
        return b""
    try:
        return os.read(fd, 4096)
    except OSError:
        return b""
    finally:
        os.close(fd)


def _resident(pid: int, proc_fd: int | None) -> tuple[int, int]:
    """(resident bytes, threads) of a process, or zeros when it cannot be seen."""
    # The name of the process may hold anything, so fields are counted from its closing bracket.
    fields = _proc_file(pid, "stat", proc_fd).rpartition(b")")[2].split()
    if fields[:1] == [b"Z"] and proc_fd is not None:
        # The first thread has ended before the others, and tells nothing of their memory any more.
        fields = _proc_file(living(pid, proc_fd), "stat", proc_fd).rpartition(b")")[2].split()
    return (int(fields[21]) * _PAGE, int(fields[17])) if len(fields) > 21 else (0, 0)
