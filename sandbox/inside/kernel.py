"""The few Linux system calls that Python has no name for, by ctypes.

Every wrapper raises `KernelError`, which remembers the call's name, so that a refusal can say what failed.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Any

__all__ = [
    "CLONE_NEWCGROUP",
    "CLONE_NEWIPC",
    "CLONE_NEWNET",
    "CLONE_NEWNS",
    "CLONE_NEWPID",
    "CLONE_NEWUSER",
    "CLONE_NEWUTS",
    "MNT_DETACH",
    "MS_BIND",
    "MS_NODEV",
    "MS_NOEXEC",
    "MS_NOSUID",
    "MS_PRIVATE",
    "MS_RDONLY",
    "MS_REC",
    "MS_REMOUNT",
    "KernelError",
    "Step",
    "close_from",
    "cpu_clock",
    "drop_capabilities",
    "execveat",
    "fork",
    "mount",
    "move_mount",
    "open_tree",
    "pivot_root",
    "prctl",
    "set_mount_readonly",
    "stay_on_this_processor",
    "step",
    "syscall",
    "take",
    "umount",
    "unshare",
]

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MNT_DETACH = 2

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
OPEN_TREE_CLONE = 1
MOVE_MOUNT_F_EMPTY_PATH = 4

# x86-64 numbers of the calls made here; the filter's own table is in `filters`.
_PIVOT_ROOT, _CAPSET, _EXECVEAT, _CLOSE_RANGE, _MOUNT_SETATTR = 155, 126, 322, 436, 442
_OPEN_TREE, _MOVE_MOUNT = 428, 429

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
# Calls made right after a fork keep the interpreter lock: every object touched there is a page copied.
_held = ctypes.PyDLL(None)
_held.syscall.restype = ctypes.c_long
_held.__errno_location.restype = ctypes.POINTER(ctypes.c_int)
_fork, _getcpu = _held.fork, _held.sched_getcpu


class KernelError(OSError):
    """A system call failed: `call` names it, `errno` says how."""

    def __init__(self, call: str, number: int):
        super().__init__(number, os.strerror(number))
        self.call = call


def _check(result: int, call: str) -> int:
    if result < 0:
        raise KernelError(call, ctypes.get_errno())
    return result


def syscall(number: int, *args: object, call: str) -> int:
    """Makes a raw system call; integers are widened to 64 bits."""
    wide = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    return _check(_libc.syscall(ctypes.c_long(number), *wide), call)


def fork() -> int:
    """fork(2) without the interpreter's handlers around it, for a process with one thread that holds no lock.

    The handlers re-create locks that nobody can hold here, and touch five times as many pages as the rest of
    a fork.
    """
    pid = int(_fork())
    if pid < 0:
        raise KernelError("fork", _held.__errno_location().contents.value)
    return pid


Step = tuple[str, tuple[Any, ...]]
"""A system call prepared before a fork: its name, and its number and arguments as C values."""


def step(call: str, number: int, *args: Any) -> Step:
    """Prepares a system call for `take`."""
    return call, tuple(ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in (number, *args))


def take(steps: list[Step]) -> None:
    """Makes prepared calls in order."""
    raw = _held.syscall
    for call, arguments in steps:
        if raw(*arguments) < 0:
            raise KernelError(call, _held.__errno_location().contents.value)


def prctl(option: int, *args: int, call: str = "prctl") -> int:
    """prctl(2)."""
    padded = (*args, 0, 0, 0, 0)[:4]
    return _check(_libc.prctl(option, *[ctypes.c_ulong(arg) for arg in padded]), call)


def unshare(flags: int, *, call: str) -> None:
    """unshare(2); `call` is how a refusal should spell it."""
    _check(_libc.unshare(flags), call)


def mount(source: str, target: str, *, kind: str | None = None, flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    result = _libc.mount(
        source.encode(),
        target.encode(),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        options.encode() or None,
    )
    _check(result, f"mount({kind or source} on {target})")


def umount(target: str) -> None:
    """umount2(2), detaching at once."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"umount2({target})")


def pivot_root(root: str) -> None:
    """Makes `root` the root directory and lets go of the old one."""
    os.chdir(root)
    syscall(_PIVOT_ROOT, b".", b".", call="pivot_root")
    umount(".")
    os.chdir("/")


def set_mount_readonly(target: str) -> None:
    """Makes a bind mount and all below it read-only, without devices and set-uid files."""
    attributes = struct.pack("QQQQ", MS_RDONLY | MS_NOSUID | MS_NODEV, 0, 0, 0)
    syscall(
        _MOUNT_SETATTR,
        AT_FDCWD,
        target.encode(),
        AT_RECURSIVE,
        attributes,
        len(attributes),
        call="mount_setattr",
    )


def open_tree(path: str) -> int:
    """A copy of what is mounted at and below `path`, attached nowhere; it goes with its descriptor."""
    flags = OPEN_TREE_CLONE | AT_RECURSIVE | os.O_CLOEXEC
    return syscall(_OPEN_TREE, AT_FDCWD, path.encode(), flags, call=f"open_tree({path})")


def move_mount(tree: int, target: str) -> None:
    """Attaches what `open_tree` has copied."""
    flags = MOVE_MOUNT_F_EMPTY_PATH
    syscall(_MOVE_MOUNT, tree, b"", AT_FDCWD, target.encode(), flags, call=f"move_mount({target})")


def close_from(first: int) -> None:
    """Closes every descriptor from `first` on."""
    syscall(_CLOSE_RANGE, first, 0xFFFFFFFF, 0, call="close_range")


# _LINUX_CAPABILITY_VERSION_3, this thread, three empty 64-bit sets.
_NO_CAPABILITIES = [step("capset", _CAPSET, struct.pack("Ii", 0x20080522, 0), bytes(24))]


def drop_capabilities() -> None:
    """Empties the capability sets of this thread; with no_new_privs no program can fill them again."""
    take(_NO_CAPABILITIES)


def execveat(fd: int, argv: list[str], env: dict[str, str], *, passwords: tuple[int, int] = (0, 0)) -> None:
    """Replaces this process by the program open at `fd`; returns only by raising.

    `passwords` are the high words of descriptor and flags: the kernel reads neither, a filter may.
    """
    arguments = (ctypes.c_char_p * (len(argv) + 1))(*[arg.encode() for arg in argv], None)
    pairs = [f"{key}={value}".encode() for key, value in env.items()]
    environment = (ctypes.c_char_p * (len(pairs) + 1))(*pairs, None)
    first, last = passwords[0] << 32 | fd, passwords[1] << 32 | AT_EMPTY_PATH
    syscall(_EXECVEAT, first, b"", arguments, environment, last, call="execveat")


def stay_on_this_processor() -> None:
    """Keeps this process and its children where it runs now.

    A supervisor and its test take turns: on one processor the turn passes without waking another, whose
    caches hold nothing of the pages that they share.
    """
    os.sched_setaffinity(0, {int(_getcpu())})


def cpu_clock(pid: int) -> int:
    """The clock id of a process's CPU time (all its threads), for `time.clock_gettime`."""
    return (~pid << 3) | 2
