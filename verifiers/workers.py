"""A pool of killable worker processes for calls that may hang, crash or eat all memory.

The host never forks: it may hold threads, a GPU or a cluster connection. It starts one clean
interpreter, the nursery, which imports what is slow to import and then forks a ready worker in a few
milliseconds whenever one is needed. A call that passes its deadline costs one SIGKILL and one fork.
"""

from __future__ import annotations

import json
import os
import queue
import select
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from verifiers.fork_server import receive, send

__all__ = ["Reply", "WorkerPool"]

START_LIMIT_S = 120.0
"""The nursery's imports take about two seconds on an idle machine, and minutes on a thrashing one."""
FORK_LIMIT_S = 30.0
READ_LIMIT_S = 30.0
"""From the first byte of an answer to its last."""
_TICKS = os.sysconf("SC_CLK_TCK")
CPU_SHARE = 0.8
"""Part of a deadline that counts as having had the processor."""
STARVED = 2.0
"""On a crowded machine a call may take this many deadlines of wall time to get its deadline of CPU time."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of one call: its value, or why there is none."""

    status: Literal["value", "timeout", "error"]
    value: Any = None
    """What the function returned, as plain JSON data; null unless the status is `value`."""
    detail: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class _Worker:
    pid: int
    channel: socket.socket
    jobs: int = 0


class WorkerPool:
    """Calls one function, named `module:function`, in worker processes; any thread may call.

    Arguments and results are plain JSON data. `warm` holds arguments for one call that the nursery makes
    before it forks, so that caches built by the first call are shared by all workers.
    """

    def __init__(
        self,
        target: str,
        *,
        size: int = 2,
        deadline_s: float = 3.0,
        memory_bytes: int = 1_500_000_000,
        max_jobs: int = 2_000,
        warm: list[Any] | None = None,
    ) -> None:
        if size < 1:
            raise ValueError(f"a worker pool needs at least one worker, got size={size}")
        self.deadline_s = deadline_s
        self._max_jobs = max_jobs
        self._setting = {"target": target, "memory_bytes": memory_bytes, "warm": warm}
        self._slots: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(size):
            self._slots.put(None)
        self._lock = threading.Lock()
        self._nursery: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._closed = False

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, *arguments: Any, deadline_s: float | None = None) -> Reply:
        """Runs the function once; returns within the deadline plus the time to fork a worker.

        Where other programs hold the processors, up to twice the deadline passes before the call is given up.
        Raises RuntimeError when no worker can be started at all: that is a broken machine, not a bad call.
        """
        worker = self._slots.get()
        try:
            if self._closed:
                raise RuntimeError("the worker pool is closed")
            if worker is None:
                worker = self._fork()
            reply, usable = _exchange(worker, list(arguments), deadline_s or self.deadline_s)
            if not usable or worker.jobs >= self._max_jobs:
                self._kill(worker)
                worker = None
        except BaseException:
            if worker is not None:
                self._kill(worker)
            worker = None
            raise
        finally:
            self._slots.put(worker)
        return reply

    def close(self) -> None:
        """Kills the nursery and, with it, every worker. Calls made later raise RuntimeError."""
        with self._lock:
            self._closed = True
            self._stop_nursery()

    def _fork(self) -> _Worker:
        with self._lock:
            if self._closed:
                raise RuntimeError("the worker pool is closed")
            for attempt in (1, 2):
                try:
                    return self._fork_once()
                except (OSError, EOFError) as error:
                    # The nursery itself may have been killed, by the kernel's OOM killer say.
                    self._stop_nursery()
                    if attempt == 2:
                        raise RuntimeError(f"no worker could be started: {error!r}") from error
        raise AssertionError("unreachable")

    def _fork_once(self) -> _Worker:
        control = self._control or self._start_nursery()
        ours, theirs = socket.socketpair()
        try:
            send(control, {"order": "fork"}, fds=[theirs.fileno()])
            control.settimeout(FORK_LIMIT_S)
            answer = receive(control)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return _Worker(pid=answer["pid"], channel=ours)

    def _start_nursery(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        root = str(Path(__file__).resolve().parent.parent)
        setting = json.dumps(self._setting)
        code = "import sys; sys.path.insert(0, sys.argv[1]); from verifiers.fork_server import main; main()"
        command = [sys.executable, "-c", code, root, str(theirs.fileno()), setting]
        quiet = subprocess.DEVNULL
        self._nursery = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=quiet, stdout=quiet, stderr=quiet
        )
        theirs.close()
        ours.settimeout(START_LIMIT_S)
        self._control = ours
        hello = receive(ours)
        if "error" in hello:
            self._stop_nursery()
            raise RuntimeError(f"the workers' imports failed:\n{hello['error']}")
        return ours

    def _stop_nursery(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._nursery is not None:
            self._nursery.kill()
            self._nursery.wait()
        self._control = self._nursery = None

    def _kill(self, worker: _Worker) -> None:
        worker.channel.close()
        with self._lock:
            if self._control is None:
                return  # its nursery is gone, and the workers went with it
            try:
                # The parent does the killing, so that the number cannot belong to a stranger by now.
                send(self._control, {"order": "kill", "pid": worker.pid})
                self._control.settimeout(FORK_LIMIT_S)
                receive(self._control)
            except (OSError, EOFError):
                self._stop_nursery()


def _exchange(worker: _Worker, arguments: list[Any], deadline_s: float) -> tuple[Reply, bool]:
    """Sends one job and waits; says also whether the worker may be used again."""
    start = time.monotonic()
    worker.jobs += 1
    try:
        worker.channel.settimeout(deadline_s)
        had = _cpu_s(worker.pid)
        send(worker.channel, {"arguments": arguments})
        if not _answers(worker, had, start=start, deadline_s=deadline_s):
            return Reply("timeout", detail=f"no answer in {deadline_s:g} s", seconds=_since(start)), False
        answer = receive(worker.channel, deadline=time.monotonic() + READ_LIMIT_S)
    except TimeoutError:
        return Reply("timeout", detail=f"no answer in {deadline_s:g} s", seconds=_since(start)), False
    except (OSError, EOFError):
        return Reply("error", detail="the worker process died", seconds=_since(start)), False
    if "error" in answer:
        return Reply("error", detail=answer["error"], seconds=_since(start)), answer["usable"]
    return Reply("value", value=answer["value"], seconds=_since(start)), True


def _answers(worker: _Worker, had_cpu_s: float, *, start: float, deadline_s: float) -> bool:
    """Waits for the first byte of an answer, longer for a worker that was kept off the processor."""
    for share in (1.0, STARVED):
        patience = max(0.0, start + share * deadline_s - time.monotonic())
        if select.select([worker.channel], [], [], patience)[0]:
            return True
        if _cpu_s(worker.pid) - had_cpu_s >= CPU_SHARE * deadline_s:
            break
    return False


def _cpu_s(pid: int) -> float:
    """CPU time that a worker has had; endless for one that is gone, so that nobody waits for it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return float("inf")
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _since(start: float) -> float:
    return time.monotonic() - start
