"""Who runs the next request: a supervisor that is ready already, or a new one.

Between two requests a supervisor is started and confined in advance. It has seen nothing of any solution,
waits for its request on a connection of its own, and serves one.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import traceback
from _socket import AF_UNIX, CMSG_LEN, SCM_RIGHTS, SOCK_SEQPACKET, SOL_SOCKET, socket, socketpair
from typing import Any, NoReturn

from sandbox.inside import kernel
from sandbox.inside.agent import run_calls
from sandbox.inside.job import Runner
from sandbox.inside.native import build, run_program
from sandbox.inside.supervisor import PYTHON_JOBS, confine_supervisor, run_stdin, supervise
from sandbox.inside.trial import run_trial
from sandbox.inside.workspace import Home, Rules

__all__ = ["ERRORS_FD", "Crew", "receive"]

ERRORS_FD = 15
"""Where a supervisor reports what went wrong: its descriptor 2 is that of a test."""

_JOBS: dict[str, Runner] = {
    "stdin": run_stdin,
    "calls": run_calls,
    "asserts": run_trial,
    "build": build,
    "program": run_program,
}


def receive(sock: socket) -> tuple[bytes, list[int]]:
    """One message and the descriptors that came with it; empty when the other end is closed."""
    message, control, _, _ = sock.recvmsg(1 << 16, CMSG_LEN(8 * 4))
    fds: list[int] = []
    for level, kind, data in control:
        if level == SOL_SOCKET and kind == SCM_RIGHTS:
            fds += struct.unpack(f"{len(data) // 4}i", data[: len(data) // 4 * 4])
    return message, fds


class Crew:
    """Starts supervisors for one zygote."""

    def __init__(self, home: Home, driver: socket):
        self._home = home
        self._driver = driver
        self._ready: tuple[int, socket] | None = None

    def prepare(self) -> None:
        """Has a supervisor ready for a Python job."""
        if self._ready is not None:
            return
        ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
        pid = kernel.fork()
        if pid == 0:
            self._serve_one(theirs, ours)
        theirs.close()
        self._ready = (pid, ours)

    def start(self, fds: list[int], request: dict[str, Any]) -> int:
        """Gives a request to the supervisor that is ready, or starts one for it; returns its process id."""
        if self._ready is not None and request["job"] in PYTHON_JOBS:
            pid, connection = self._ready
            try:
                message = json.dumps(request).encode()
                connection.sendmsg([message], [(SOL_SOCKET, SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))])
            except OSError:
                self._dismiss()
            else:
                connection.close()
                self._ready = None
                return pid
        self._dismiss()
        pid = kernel.fork()
        if pid == 0:
            self._driver.close()
            self._run(fds, request, None)
        return pid

    def _dismiss(self) -> None:
        if self._ready is None:
            return
        pid, connection = self._ready
        self._ready = None
        connection.close()
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.waitpid(pid, 0)

    def _serve_one(self, connection: socket, other_end: socket) -> NoReturn:
        try:
            # Neither the driver nor the zygote may be kept from seeing that the other end is closed.
            self._driver.close()
            other_end.close()
            rules = confine_supervisor(self._home, PYTHON_JOBS[0], [])
            message, fds = receive(connection)
            connection.close()
        except BaseException:
            os.write(ERRORS_FD, traceback.format_exc().encode())
            os._exit(1)
        if not message:
            os._exit(0)
        self._run(fds, json.loads(message), rules)

    def _run(self, fds: list[int], request: dict[str, Any], rules: Rules | None) -> NoReturn:
        status = 1
        profile, execute = request["job"], request["execute"]
        try:
            if rules is None:
                rules = confine_supervisor(self._home, profile, execute)
            supervise(self._home, rules, fds, profile=profile, execute=execute, jobs=_JOBS)
            status = 0
        except BaseException:
            os.write(ERRORS_FD, traceback.format_exc().encode())
        finally:
            os._exit(status)
