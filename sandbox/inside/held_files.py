"""Files that a program holds although no directory lists them any more: removed, replaced, or never named.

A program in a directory without a quota could otherwise fill the memory behind it: no scan finds such files.
It cannot hold one in any other way than those seen here: its threads share one table of descriptors, and
sending descriptors is not among its system calls.
"""

from __future__ import annotations

import os
import stat

__all__ = ["held", "living"]


def living(pid: int, proc_fd: int) -> str:
    """The directory below `/proc` of a thread of a process that has not ended, as the first one may have."""
    try:
        state = _read(f"{pid}/stat", proc_fd).rpartition(b")")[2].split()[:1]
        if state not in ([b"Z"], [b"X"]):
            return str(pid)
        fd = os.open(f"{pid}/task", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=proc_fd)
    except OSError:
        return str(pid)
    try:
        others = [name for name in os.listdir(fd) if name != str(pid)]
    finally:
        os.close(fd)
    return f"{pid}/task/{others[0]}" if others else str(pid)


def held(pid: int, proc_fd: int, *, device: int, mapped_bytes: int) -> tuple[int, int]:
    """(files, bytes) of the device that a process holds open or mapped and that have no name.

    A mapped file that is not open as well tells no size and counts as `mapped_bytes`. Nothing is counted
    where the process cannot be looked at.
    """
    place = living(pid, proc_fd)
    sizes: dict[int, int] = {}
    try:
        fd = os.open(f"{place}/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=proc_fd)
    except OSError:
        return 0, 0
    try:
        for name in os.listdir(fd):
            try:
                found = os.stat(name, dir_fd=fd)
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 0 and found.st_dev == device:
                sizes[found.st_ino] = found.st_blocks * 512
    finally:
        os.close(fd)
    for inode in _mapped(place, proc_fd, device):
        sizes.setdefault(inode, mapped_bytes)
    return len(sizes), sum(sizes.values())


def _mapped(place: str, proc_fd: int, device: int) -> set[int]:
    """Inodes of removed files of the device that are mapped."""
    wanted = f"{os.major(device):02x}:{os.minor(device):02x}".encode()
    found: set[int] = set()
    try:
        text = _read(f"{place}/maps", proc_fd)
    except OSError:
        return found
    for line in text.splitlines():
        fields = line.split(None, 5)
        if len(fields) == 6 and fields[3] == wanted and fields[5].endswith(b"(deleted)"):
            found.add(int(fields[4]))
    return found


def _read(path: str, proc_fd: int) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc_fd)
    with open(fd, "rb") as file:
        return file.read()
