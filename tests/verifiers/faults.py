"""What a worker may be asked to do in tests: answer, hang, crash, eat memory."""

from __future__ import annotations

import os
import signal
import time
from typing import Any


def act(deed: str, value: Any = None) -> Any:
    """One deed of a bad call; `echo` gives the value back."""
    if deed == "echo":
        return value
    if deed == "pid":
        return os.getpid()
    if deed == "sleep":
        time.sleep(value)
        return "slept"
    if deed == "raise":
        raise ValueError(value)
    if deed == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if deed == "eat":
        return len(bytearray(value))
    if deed == "recurse":
        return act("recurse")
    return 9 ** (9**9)  # one call in C that no Python signal handler can interrupt
