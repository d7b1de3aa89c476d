"""Ends the helper processes of a model engine when the process that owns them is gone, however it went.

A killed process cannot clean up, and an engine that it started would hold its memory and cores for ever. So a
small process waits for the owner's end of a pipe to close, then kills what carries the owner's mark in its
environment. A mark is inherited by every process started while it is set, at any depth.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

__all__ = ["guarded"]

_MARK = "FACTORY_ENGINE_OWNER"
_guardians: dict[int, tuple[str, subprocess.Popen[bytes]]] = {}


@contextmanager
def guarded() -> Iterator[None]:
    """Every process that is started inside, and its children, will not outlive this process."""
    if os.getpid() not in _guardians:
        _guardians[os.getpid()] = _start()
    before = os.environ.get(_MARK)
    os.environ[_MARK] = _guardians[os.getpid()][0]
    try:
        yield
    finally:
        if before is None:
            del os.environ[_MARK]
        else:
            os.environ[_MARK] = before


def _start() -> tuple[str, subprocess.Popen[bytes]]:
    mark = uuid.uuid4().hex
    guardian = subprocess.Popen(
        [sys.executable, "-m", "factory.models.orphan_reaper", mark],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # It must outlive the Ctrl-C that ends its owner, and the guardian of its owner's owner.
        start_new_session=True,
        env={name: value for name, value in os.environ.items() if name != _MARK},
    )
    return mark, guardian


def _kill_marked(mark: str) -> None:
    for process in psutil.process_iter():
        try:
            marked = process.environ().get(_MARK) == mark
            # The resource tracker ends by itself, after it has removed the shared memory of the dead.
            if marked and "multiprocessing.resource_tracker" not in " ".join(process.cmdline()):
                process.send_signal(signal.SIGKILL)
        except psutil.Error:
            continue


if __name__ == "__main__":
    sys.stdin.buffer.read()
    _kill_marked(sys.argv[1])
