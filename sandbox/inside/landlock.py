"""Landlock rules: which files a process and all its children may touch, with no privilege needed."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable

from sandbox.inside.kernel import KernelError, syscall

__all__ = [
    "READ",
    "READ_EXECUTE",
    "READ_FILES",
    "SCRATCH",
    "SCRATCH_FLAT",
    "WRITE_DEVICE",
    "Ruleset",
    "abi",
]

_CREATE, _ADD, _RESTRICT = 444, 445, 446

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = 1, 2, 4, 8, 16, 32
_MAKE_DIR, _MAKE_REG, _REFER, _TRUNCATE, _IOCTL_DEV = 1 << 7, 1 << 8, 1 << 13, 1 << 14, 1 << 15

READ = _READ_FILE | _READ_DIR
READ_EXECUTE = READ | _EXECUTE
READ_FILES = _READ_FILE
WRITE_DEVICE = _READ_FILE | _WRITE_FILE
SCRATCH_FLAT = READ | _WRITE_FILE | _REMOVE_FILE | _MAKE_REG | _TRUNCATE
"""Regular files only, in one directory: their number can then be bounded by counting one directory."""
SCRATCH = SCRATCH_FLAT | _MAKE_DIR | _REMOVE_DIR | (1 << 12) | _REFER  # and symbolic links

_FILE_ONLY = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

# What each version of the interface added, as the last right it knows.
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NET_TCP = 3
_SCOPE_ABSTRACT_AND_SIGNAL = 3


def abi() -> int:
    """The kernel's Landlock version, 0 where there is none."""
    try:
        return syscall(_CREATE, 0, 0, 1, call="landlock_create_ruleset")
    except KernelError:
        return 0


class Ruleset:
    """A set of path rules that starts from "nothing", to be put on by `restrict`."""

    def __init__(self) -> None:
        version = abi()
        if version < 1:
            # Repeats the call for its errno.
            syscall(_CREATE, 0, 0, 1, call="landlock_create_ruleset")
        self._handled = (1 << _RIGHTS[min(version, 5)]) - 1
        fields = [self._handled]
        if version >= 4:
            fields.append(_NET_TCP)
        if version >= 6:
            fields.append(_SCOPE_ABSTRACT_AND_SIGNAL)
        attributes = struct.pack(f"{len(fields)}Q", *fields)
        self.fd = syscall(_CREATE, attributes, len(attributes), 0, call="landlock_create_ruleset")

    def allow(self, paths: Iterable[str], rights: int) -> None:
        """Grants rights below each path that exists."""
        for path in paths:
            try:
                fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            self.allow_fd(fd, rights)
            os.close(fd)

    def allow_fd(self, fd: int, rights: int) -> None:
        """Grants rights below the file open at `fd`."""
        granted = rights & self._handled
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            granted &= _FILE_ONLY
        rule = struct.pack("=Qi", granted, fd)
        syscall(_ADD, self.fd, 1, rule, 0, call="landlock_add_rule")

    def restrict(self) -> None:
        """Puts the rules on this thread and all that it starts; needs no_new_privs."""
        syscall(_RESTRICT, self.fd, 0, call="landlock_restrict_self")

    def close(self) -> None:
        """Lets go of the descriptor."""
        os.close(self.fd)
