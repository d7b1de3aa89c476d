"""Things on the host that no hostile program may touch, and how to see that one did."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

__all__ = ["Canaries"]

_CANARY_PORT = 47999
_PATIENCE_S = 300.0
_CANARY_FILE = Path("/tmp/hostile_canary_secret")


@dataclass
class Canaries:
    """Things on the host that no program may touch."""

    touched: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        os.environ["HOSTILE_CANARY"] = "secret"
        self._made_file = _make_canary()
        self._sockets = _listen_alone()
        self._planted = Path(tempfile.mkdtemp(prefix="hostile_canary_", dir="/tmp")) / "file"
        self._planted.write_text("planted")
        self._old = signal.signal(
            signal.SIGURG, lambda *_: self.touched.append("a signal reached the harness")
        )
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGURG, self._old)
        for item in self._sockets:
            item.close()
        if self._made_file:
            _CANARY_FILE.unlink(missing_ok=True)
        shutil.rmtree(self._planted.parent, ignore_errors=True)
        del os.environ["HOSTILE_CANARY"]

    def check(self) -> list[str]:
        """What was touched since the last look."""
        ready, _, _ = select.select(self._sockets, [], [], 0)
        for item in ready:
            self.touched.append(f"a message arrived at {item.getsockname()!r}")
            if item.type == socket.SOCK_STREAM:
                item.accept()[0].close()
            else:
                item.recv(64)
        if not self._planted.exists() or not _CANARY_FILE.exists():
            self.touched.append("files of the host's /tmp are gone")
        found, self.touched = self.touched, []
        return found


def _make_canary() -> bool:
    """Whether the file was made; what stands there already is never followed, as others write there too."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(_CANARY_FILE, flags, 0o644), "w") as file:
            file.write("HOSTILE_CANARY_SECRET\n")
    except FileExistsError:
        return False
    return True


def _listen_alone() -> list[socket.socket]:
    """The sockets that no program may reach. Their addresses are given, so that another run is waited for."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return [_listen_abstract(), _listen_tcp(), _listen_udp()]
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(1)


def _listen_tcp() -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", _CANARY_PORT))
    listener.listen()
    return listener


def _listen_udp() -> socket.socket:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", _CANARY_PORT))
    return receiver


def _listen_abstract() -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\0hostile_canary")
    listener.listen()
    return listener
