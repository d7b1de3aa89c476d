"""Tells what waits for paid answers that the run is over, so that nothing more is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["interrupt", "on_interrupt"]

_lock = threading.Lock()
_waiting: list[Callable[[], None]] = []


@contextmanager
def on_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Has `stop` called, from any thread and perhaps more than once, when the run ends early."""
    with _lock:
        _waiting.append(stop)
    try:
        yield
    finally:
        with _lock:
            _waiting.remove(stop)


def interrupt() -> None:
    """Stops all that waits; what was finished stays, what was under way is given up."""
    with _lock:
        waiting = list(_waiting)
    for stop in waiting:
        stop()
