"""One slot: a zygote process and the conversation with it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sandbox.inside.frames import append, read_all
from sandbox.model import Limits, SandboxError
from sandbox.slot_dir import Place
from sandbox.tiers import explain

__all__ = ["Broken", "Frame", "Slot", "TierUnavailable"]

Frame = tuple[dict[str, Any], list[bytes]]
"""One entry of a run's record: what happened, and the bytes that belong to it."""

_BOOT = Path(__file__).parent / "inside" / "boot.py"
_START_S = 60.0
"""A zygote starts in 0.2 s; a machine under load gets this long."""
_MARGIN_S = 30.0
_ALL_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class TierUnavailable(SandboxError):
    """This machine does not let the zygote settle in the tier."""


class Broken(Exception):
    """The zygote died or does not answer: the sandbox's failure, not the program's."""


class Slot:
    """A zygote, started on demand and again after a failure. One request at a time."""

    def __init__(self, place: Place, *, limits: Limits, preload: list[str]):
        self.place = place
        self.limits = limits
        self.settled: dict[str, Any] = {}
        self.starts = 0
        self._preload = preload
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the slot

    def start(self) -> None:
        """Starts the zygote.

        Raises:
            TierUnavailable: it says that a system call of its tier is not allowed here.
            Broken: it says nothing.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        interpreter = self.place.interpreter.executable
        try:
            self._process = subprocess.Popen(
                [interpreter, "-I", "-S", str(_BOOT), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                env=self.place.environment(),
                cwd="/",
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise SandboxError(f"the interpreter {interpreter} cannot be started: {error}") from error
        finally:
            theirs.close()
        self._socket = ours
        self.starts += 1
        ours.settimeout(_START_S)
        try:
            ours.send(json.dumps(self.place.config(self.limits, preload=self._preload)).encode())
            reply = self._reply()
        except Broken as error:
            self.stop()
            raise Broken(f"the zygote does not start: {error}; it wrote: {self.written()}") from None
        if not reply["ok"]:
            self.stop()
            raise TierUnavailable(explain(self.place.tier, reply))
        self.settled = reply

    def stop(self) -> None:
        """Ends the zygote and all that it started; leaves no process and no open descriptor."""
        # Two threads may come here at once: the one whose run was under way, and the one that ends it.
        ours, self._socket = self._socket, None
        if ours is not None:
            with contextlib.suppress(OSError):
                # Seen at once by both ends, whoever waits at one of them.
                ours.shutdown(socket.SHUT_RDWR)
            ours.close()
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(OSError):
                process.send_signal(signal.SIGKILL)
            process.wait()

    def close(self) -> None:
        """Stops for good and removes what belongs to the slot."""
        self.stop()
        self._errors.close()
        self.place.remove()

    def request(
        self,
        head: dict[str, Any],
        blobs: list[bytes],
        *,
        deadline_s: float,
        hidden: bytes | None = None,
        programs: Sequence[bytes] = (),
        each: Callable[[Frame], bool] | None = None,
    ) -> tuple[list[Frame], dict[str, Any]]:
        """Runs one request; returns the frames of its record and how the supervisor ended.

        `hidden` is kept from the solution's process; `programs` are given to the request as files that nobody
        can change; `each` is asked after every passed test whether to go on.

        Raises:
            Broken: the zygote failed; it is stopped, and the next request starts another.
        """
        if self._socket is None:
            self.start()
        fds: list[int] = []
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with ours, theirs:
                fds.append(_memory_file(head, blobs))
                fds.append(os.memfd_create("result", os.MFD_CLOEXEC))
                if hidden is not None:
                    fds.append(_memory_file({}, [hidden]))
                fds += [_sealed_file(program) for program in programs]
                self._send(head, [*fds[:2], theirs.fileno(), *fds[2:]], deadline_s)
                theirs.close()
                if each is not None:
                    _answer(ours, fds[1], each, deadline_s)
                reply = self._reply()
            if not reply["ok"]:
                raise Broken(str(reply.get("detail")))
            record = [(frame, parts) for frame, parts, _ in read_all(fds[1])]
        except (OSError, Broken) as error:
            self.stop()
            raise Broken(str(error)) from error
        finally:
            for fd in fds:
                os.close(fd)
        return record, reply

    @property
    def resting_processes(self) -> int:
        """Processes of a slot at rest, at most: the zygote, the supervisor that waits for the next request,
        and in a world of its own the process that stands by outside."""
        return 3 if self.place.tier == "namespaces" else 2

    def processes(self) -> list[int]:
        """Ids of the zygote and of all below it, oldest first."""
        return _descendants(self._process.pid) if self._process is not None else []

    def _send(self, head: dict[str, Any], fds: list[int], deadline_s: float) -> None:
        assert self._socket is not None
        limits = head["limits"]
        message = {
            "deadline_s": deadline_s,
            "job": head["job"],
            "execute": head.get("execute", []),
            "scratch_bytes": limits["scratch_bytes"],
            "scratch_files": limits["scratch_files"],
        }
        self._socket.settimeout(deadline_s + _MARGIN_S)
        socket.send_fds(self._socket, [json.dumps(message).encode()], fds)

    def _reply(self) -> dict[str, Any]:
        assert self._socket is not None
        try:
            message = self._socket.recv(1 << 16)
        except OSError as error:
            raise Broken(f"no answer from the zygote: {error}") from error
        if not message:
            raise Broken("the zygote closed the connection")
        reply: dict[str, Any] = json.loads(message)
        return reply

    def written(self) -> str:
        """The end of what the zygote wrote on its standard error."""
        self._errors.seek(0)
        return self._errors.read()[-2000:].decode(errors="replace").strip()


def _descendants(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                fields = Path(f"/proc/{name}/stat").read_text(errors="replace").rpartition(")")[2].split()
                parents[int(name)] = int(fields[1])
    found = [root] if root in parents else []
    for pid in found:
        found += sorted(child for child, parent in parents.items() if parent == pid)
    return found


def _memory_file(head: dict[str, Any], blobs: list[bytes]) -> int:
    fd = os.memfd_create("request", os.MFD_CLOEXEC)
    append(fd, head, *blobs)
    return fd


def _sealed_file(content: bytes) -> int:
    """A program in memory, made for one request: neither its bytes nor its times tell of an earlier run."""
    fd = os.memfd_create("program", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(content)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _ALL_SEALS)
        # A program that is open for writing cannot be executed.
        return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(fd)


def _answer(control: socket.socket, result_fd: int, each: Callable[[Frame], bool], deadline_s: float) -> None:
    """Says after each test whether the next one is wanted, until the supervisor hangs up."""
    offset = 0
    control.settimeout(deadline_s)
    started = time.monotonic()
    while time.monotonic() - started < deadline_s:
        try:
            if not control.recv(1):
                return
            wanted = True
            for frame, parts, after in read_all(result_fd, offset=offset):
                offset = after
                wanted = wanted and each((frame, parts))
            control.send(b"+" if wanted else b"-")
        except OSError:
            return
