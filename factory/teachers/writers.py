"""Waits until the workers of a dead run have stopped writing, so that nothing is drawn beside them again.

When a driver is killed, its workers may live on for some seconds and finish what they had asked for. Each
worker therefore holds a shared lock on a file of its run; a worker of a later run starts only when it can
lock the files of all earlier runs. The operating system frees the lock of a dead process.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from factory.core import Busy
from factory.core.paths import is_url

__all__ = ["sole_run"]

_POLL_S = 0.2


@contextmanager
def sole_run(folder: str, run_id: str, *, patience_s: float = 120.0) -> Iterator[None]:
    """Holds the journal folder for one run; any number of its workers share it.

    On an object store there are no locks, and a worker that outlives its driver may draw a completion twice;
    the journal counts such duplicates. Raises Busy when workers of another run are still alive after
    `patience_s` seconds.
    """
    if is_url(folder):
        yield
        return
    place = os.path.join(folder, "writers")
    os.makedirs(place, exist_ok=True)
    mine = f"{run_id or 'alone'}.lock"
    handle = os.open(os.path.join(place, mine), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        deadline = time.monotonic() + patience_s
        for name in sorted(os.listdir(place)):
            if name != mine:
                _outlive(os.path.join(place, name), deadline)
        yield
    finally:
        os.close(handle)


def _outlive(path: str, deadline: float) -> None:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Busy(
                        f"{path}: workers of an earlier run still draw completions; stop them"
                    ) from None
                time.sleep(_POLL_S)
        with suppress(FileNotFoundError):
            os.unlink(path)
    finally:
        os.close(handle)
