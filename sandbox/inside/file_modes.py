"""Modes and times of files, which no program here may set: setting them is passed over, and copying works.

The system calls for it stay refused, since in the weaker tiers they would reach the user's own files.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

__all__ = ["pass_over_modes"]


def pass_over_modes() -> None:
    """Lets `os.chmod`, `os.utime` and what is built on them leave a file as it is."""
    for name in ("chmod", "fchmod", "lchmod", "utime", "chown", "lchown"):
        own = getattr(os, name, None)
        if own is not None and not hasattr(own, "__wrapped__"):
            setattr(os, name, _lenient(own))


def _lenient(own: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(own)
    def change(path: Any, *arguments: Any, **named: Any) -> None:
        try:
            own(path, *arguments, **named)
        except PermissionError:
            os.stat(path)  # a file that is not there is still an error

    return change
