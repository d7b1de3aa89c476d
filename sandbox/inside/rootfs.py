"""The namespaces tier: a private root with the interpreter, its libraries and a scratch directory, and
nothing else.

As real root the file system is built first and the user id given up before the user namespace is made, so
that an interpreter below a private home can still be shown; as an ordinary user the user namespace comes
first.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import NamedTuple

from sandbox.inside import kernel
from sandbox.inside.kernel import KernelError

__all__ = ["PrivateRoot", "become_init", "enter"]

_OTHER_SPACES = (
    kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWCGROUP
)
_SPACE_NAMES = "CLONE_NEWNS|NEWPID|NEWNET|NEWIPC|NEWUTS|NEWCGROUP"
INSIDE_ID = 1000
"""The user and group id that a solution sees as its own."""

_BASES = ("/tmp", "/mnt", "/run", "/media", "/srv", "/var/tmp", "/opt")
_DEVICES = ("null", "zero", "full", "random", "urandom")


class PrivateRoot(NamedTuple):
    """What the private root shows; paths are the same inside and outside."""

    shown: list[str]
    """Files and directories bound read-only."""
    hidden: list[str]
    """Directories below the shown ones that an empty one covers."""
    uid: int = 0
    """The host user id to run as when started as root."""


def enter() -> bool:
    """Leaves the host's namespaces; returns whether this was done as real root.

    Raises:
        KernelError: neither the privileged nor the unprivileged way is open.
    """
    if os.geteuid() == 0:
        try:
            kernel.unshare(_OTHER_SPACES, call=f"unshare({_SPACE_NAMES})")
            return True
        except KernelError:
            pass
    uid, gid = os.geteuid(), os.getegid()
    kernel.unshare(kernel.CLONE_NEWUSER, call="unshare(CLONE_NEWUSER)")
    _write_maps(uid, gid, proc="/proc")
    # Where a security module lets the call above pass and takes the capabilities away, this one fails.
    kernel.unshare(_OTHER_SPACES, call=f"unshare({_SPACE_NAMES})")
    return False


def _write_maps(uid: int, gid: int, *, proc: str) -> None:
    pairs = (("setgroups", "deny"), ("uid_map", f"{INSIDE_ID} {uid} 1"), ("gid_map", f"{INSIDE_ID} {gid} 1"))
    for name, text in pairs:
        try:
            with open(f"{proc}/self/{name}", "w") as file:
                file.write(text)
        except OSError as error:
            raise KernelError(f"write({name})", error.errno or 0) from error


def become_init(root: PrivateRoot, *, privileged: bool) -> int | None:
    """Builds the private root in the new namespaces and gives up what built it; for process 1 of the
    namespace.

    Returns a descriptor of a `/proc` that no solution has, or None where none can be mounted.
    """
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    base = _base_for(root.shown)
    kernel.mount("tmpfs", base, kind="tmpfs", flags=kernel.MS_NOSUID, options="size=1m,nr_inodes=4k,mode=755")
    for path in root.shown:
        _show(path, base)
    for path in root.hidden:
        if os.path.isdir(base + path):
            kernel.mount(
                "tmpfs", base + path, kind="tmpfs", flags=kernel.MS_RDONLY, options="size=4k,mode=555"
            )
    _make_dev(base)
    for name in ("proc", "tmp"):
        os.makedirs(f"{base}/{name}", exist_ok=True)
    proc_fd = _mount_proc(base)
    kernel.pivot_root(base)
    if privileged:
        _give_up_root(root.uid, proc_fd)
    _fix_root()
    return proc_fd


def _base_for(shown: list[str]) -> str:
    for base in _BASES:
        if os.path.isdir(base) and not any(path.startswith(base + "/") or path == base for path in shown):
            return base
    raise KernelError(f"mount(tmpfs): none of {', '.join(_BASES)} can be covered", 2)


def _show(path: str, base: str) -> None:
    target = base + path
    if os.path.islink(path):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.lexists(target):
            os.symlink(os.readlink(path), target)
        return
    if not os.path.exists(path):
        return
    _make_point(target, directory=os.path.isdir(path))
    kernel.mount(path, target, flags=kernel.MS_BIND | kernel.MS_REC)
    kernel.set_mount_readonly(target)


def _make_point(target: str, *, directory: bool) -> None:
    """Makes the empty directory or file that a mount covers."""
    os.makedirs(target if directory else os.path.dirname(target), exist_ok=True)
    if not directory and not os.path.exists(target):
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def _make_dev(base: str) -> None:
    os.makedirs(f"{base}/dev", exist_ok=True)
    for name in _DEVICES:
        target = f"{base}/dev/{name}"
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
        kernel.mount(f"/dev/{name}", target, flags=kernel.MS_BIND)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{target}", f"{base}/dev/{name}")


def _mount_proc(base: str) -> int | None:
    """A `/proc` of this namespace alone, read-only; a second one, for the supervisor, stays unmounted."""
    safe = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    target = f"{base}/proc"
    try:
        kernel.mount("proc", target, kind="proc", flags=safe)
    except KernelError:
        return None
    proc_fd = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    kernel.umount(target)
    # Where the kernel is too old for these options the plain form still shows this namespace alone.
    for options in ("hidepid=2,subset=pid", ""):
        with contextlib.suppress(KernelError):
            kernel.mount("proc", target, kind="proc", flags=safe | kernel.MS_RDONLY, options=options)
            break
    return proc_fd


def _give_up_root(uid: int, proc_fd: int | None) -> None:
    try:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        raise KernelError(f"setresuid({uid})", error.errno or 0) from error
    # Changing the user id made /proc/self the property of root: dumpable again for as long as the maps are
    # written.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
    kernel.unshare(
        kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS, call="unshare(CLONE_NEWUSER|CLONE_NEWNS) after setresuid"
    )
    if proc_fd is None:
        raise KernelError("mount(proc)", 1)
    _write_maps(uid, uid, proc=f"/proc/self/fd/{proc_fd}")


def _fix_root() -> None:
    kernel.mount("none", "/", flags=kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kernel.MS_NOSUID)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)


def names_below_tmp(root: PrivateRoot) -> list[str]:
    """The first names of what the root shows below /tmp, as long as no scratch file system covers it."""
    names = {path.split("/")[2] for path in root.shown if path.startswith("/tmp/")}
    return sorted(name for name in names if os.path.exists(f"/tmp/{name}"))


def mount_scratch(*, size: int, files: int, kept: list[str]) -> None:
    """Puts a new scratch file system over /tmp, empty but for the names `kept` of what the root shows there.

    Each of these is a mount of its own, from the first name on: what is mounted upon can be neither removed
    nor renamed, so that no program puts something else in its place for those that run beside it.
    """
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    options = f"size={size},nr_inodes={files + len(kept)},mode=700"
    with contextlib.ExitStack() as opened:
        trees = {}
        for path in (f"/tmp/{name}" for name in kept):
            trees[path] = kernel.open_tree(path)
            opened.callback(os.close, trees[path])
        kernel.mount("tmpfs", "/tmp", kind="tmpfs", flags=flags, options=options)
        for path, tree in trees.items():
            _make_point(path, directory=stat.S_ISDIR(os.fstat(tree).st_mode))
            kernel.move_mount(tree, path)
            kernel.set_mount_readonly(path)


def unmount_scratch() -> None:
    """Takes the scratch file system away, with whatever is in it."""
    kernel.umount("/tmp")
