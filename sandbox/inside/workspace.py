"""Where a solution's processes work: a scratch directory of each request's own, and the file rules around it.

The directory is new for every request, so that neither its times nor the numbers of its files tell a program
what has run in the slot before it.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any, NamedTuple

from sandbox.inside import landlock
from sandbox.inside.rootfs import mount_scratch, unmount_scratch
from sandbox.inside.scratch import Scratch

__all__ = ["HOME", "FixedGround", "Home", "MountedGround", "Rules"]

HOME = "home"
"""Name of the scratch directory in a slot's own directory on the host."""


class Home(NamedTuple):
    """What a slot knows about the place it runs in."""

    tier: str
    directory: str
    """The scratch directory, under the same name for every request."""
    kept: list[str]
    """Names in the scratch directory that are mounts of what the private root shows below it."""
    own: tuple[str, int, int] | None
    """Path, device and inode of the slot's own directory on the host, which holds the scratch directory."""
    proc_fd: int | None
    base_bytes: int
    """Address space of the bare zygote."""
    resident_bytes: int
    """Memory of the bare zygote."""
    processors: set[int]
    """Where the slot may run."""
    own_uid: bool
    listed: list[str]
    """Directories of Python modules, which are searched and so must be listed."""
    read: list[str]
    loaders: list[str]
    """What the kernel starts beside a program to load its libraries."""
    compile_read: list[str]
    compile_execute: list[str]
    env: dict[str, str]

    @property
    def flat(self) -> bool:
        """The scratch directory has no quota of its own and must be counted."""
        return self.own is not None

    def scratch(self) -> Scratch:
        """The scratch directory as it is now."""
        found = os.lstat(self.directory)
        return Scratch(self.directory, identity=(found.st_dev, found.st_ino), kept=self.kept)


class Rules:
    """The file rules of one supervisor and its tests, laid out before there is a scratch directory."""

    def __init__(self, home: Home, profile: str, execute: list[str]):
        self._home = home
        self._supervisor = self._make(profile, execute, supervisor=True)
        # A second layer for test processes, where the first must let the supervisor see the host's /proc.
        self.tests = self._make(profile, execute) if home.tier == "landlock" else None

    def put_on(self) -> None:
        """Puts the rules on this process, which from now on reaches this scratch directory and no other."""
        if self._supervisor is not None:
            if self._home.own is None:
                self._supervisor.allow([self._home.directory], landlock.SCRATCH)
            self._supervisor.restrict()

    def _make(self, profile: str, execute: list[str], *, supervisor: bool = False) -> landlock.Ruleset | None:
        home = self._home
        if home.tier == "rlimits" or landlock.abi() < 1:
            return None
        rules = landlock.Ruleset()
        if home.own is None:
            # The private root holds no file that may not be read but those of /proc, which name paths of the
            # host, and its /dev nothing that may not be written; the names of directories are another matter.
            tops = [f"/{name}" for name in os.listdir("/") if name != "proc"]
            rules.allow(tops, landlock.READ_FILES)
            rules.allow(["/dev"], landlock.WRITE_DEVICE)
            rules.allow(home.listed, landlock.READ)
        else:
            rules.allow([home.own[0]], landlock.SCRATCH_FLAT)
            devices = [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")]
            rules.allow(devices, landlock.WRITE_DEVICE)
            rules.allow([*home.listed, *home.read], landlock.READ)
        if profile == "program":
            rules.allow([*home.loaders, *execute], landlock.READ_EXECUTE)
        if profile == "build":
            rules.allow(home.compile_read, landlock.READ)
            rules.allow([*home.compile_execute, *execute], landlock.READ_EXECUTE)
        if supervisor and home.proc_fd is not None:
            rules.allow_fd(home.proc_fd, landlock.READ)
        return rules


class FixedGround:
    """The directory on the host that a slot of the landlock tier has, with one in it for each request.

    A program, which has the user id of the slot and no way to change modes, cannot write in the outer one.

    Raises:
        OSError: the directory is not the one that was made.
    """

    def __init__(self, home: Home):
        assert home.own is not None
        path, *identity = home.own
        self._home = home
        self._own = Scratch(path, identity=(identity[0], identity[1]))

    def lay(self, request: dict[str, Any]) -> None:
        """A new, empty directory; what is written in it is counted, not bounded."""
        del request
        os.fchmod(self._own.fd, 0o700)
        with contextlib.suppress(FileNotFoundError):
            self.clear()
            os.rmdir(HOME, dir_fd=self._own.fd)
        os.mkdir(HOME, 0o700, dir_fd=self._own.fd)
        os.fchmod(self._own.fd, 0o500)

    def clear(self) -> None:
        """Removes what a run has left; a directory that resists ends the slot."""
        scratch = self._home.scratch()
        try:
            if not scratch.empty():
                raise OSError("the scratch directory cannot be emptied")
        finally:
            scratch.close()


class MountedGround:
    """The scratch file systems of the namespaces tier, one for each request."""

    def __init__(self, home: Home):
        self._home = home
        self._mounted = False

    def lay(self, request: dict[str, Any]) -> None:
        """A new file system of the size wanted."""
        self.clear()
        size, files = request["scratch_bytes"], request["scratch_files"]
        mount_scratch(size=size, files=files, kept=self._home.kept)
        self._mounted = True

    def clear(self) -> None:
        """Takes the file system away, with all that a run has left in it."""
        if self._mounted:
            self._mounted = False
            unmount_scratch()
