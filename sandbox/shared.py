"""The one directory on the host that a sandbox makes, and how those of killed processes go.

A directory is locked by the process that made it for as long as that lives. A new sandbox removes the
directories of its own user that carry a lock which nobody holds; it touches nothing else.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

__all__ = ["SharedDirectory"]

_PREFIX = "sandbox-"
_LOCK = ".owner"
_MEMORY = "/dev/shm"


class SharedDirectory:
    """A directory in memory where the machine has a place for that, with a place for precompiled headers."""

    def __init__(self) -> None:
        parent = _MEMORY if os.path.isdir(_MEMORY) and os.access(_MEMORY, os.W_OK) else tempfile.gettempdir()
        remove_abandoned(Path(parent))
        self.path = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
        self._pid = os.getpid()
        # Locked before it has the name that others look for.
        self._lock = os.open(f"{self.path}/.new", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        os.rename(f"{self.path}/.new", f"{self.path}/{_LOCK}")
        os.chmod(self.path, 0o711)
        os.mkdir(f"{self.path}/headers", 0o755)

    def remove(self) -> None:
        """Removes the directory; a process that was forked from its maker leaves it alone."""
        if self._lock < 0 or os.getpid() != self._pid:
            return
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)
        self._lock = -1


def remove_abandoned(parent: Path) -> None:
    """Removes directories of this user whose maker is gone."""
    for path in parent.glob(f"{_PREFIX}????????"):
        with contextlib.suppress(OSError):
            if path.is_symlink() or path.stat().st_uid != os.geteuid():
                continue
            lock = os.open(path / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
