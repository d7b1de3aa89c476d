"""Where a solution's processes work: their scratch directory, and the file rules around it."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from sandbox.inside import landlock
from sandbox.inside.rootfs import mount_scratch, unmount_scratch
from sandbox.inside.scratch import Scratch

__all__ = ["FixedGround", "Ground", "Home", "MountedGround"]


class Home(NamedTuple):
    """What a slot knows about the place it runs in."""

    tier: str
    directory: str
    kept: list[str]
    """Names in the scratch directory that are mounts of what the private root shows below it."""
    scratch: Scratch | None
    flat: bool
    """The scratch directory has no quota of its own and must be counted."""
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
    execute: list[str]
    compile_read: list[str]
    compile_execute: list[str]
    env: dict[str, str]


class Ground:
    """A scratch directory with its rules, made once for as long as the directory is there.

    Raises:
        OSError: the directory is not the one that was made.
    """

    def __init__(self, home: Home):
        self._home = home
        if home.scratch is None:
            found = os.lstat(home.directory)
            identity = found.st_dev, found.st_ino
            self.scratch = Scratch(home.directory, identity=identity, kept=home.kept)
        else:
            self.scratch = home.scratch
        self._python = self._make("", [], supervisor=True)
        # A second layer for test processes, where the first must let the supervisor see the host's /proc.
        self._python_tests = self._make("", []) if home.tier == "landlock" else None

    def close(self) -> None:
        """Lets go of the descriptors."""
        if self._home.scratch is None:
            self.scratch.close()
        for rules in (self._python, self._python_tests):
            if rules is not None:
                rules.close()

    def for_supervisor(self, profile: str, execute: list[str]) -> landlock.Ruleset | None:
        """The rules that a supervisor puts on itself."""
        if profile not in ("build", "program"):
            return self._python
        return self._make(profile, execute, supervisor=True)

    def for_tests(self, profile: str, execute: list[str]) -> landlock.Ruleset | None:
        """The rules that its processes put on top, if there are any."""
        if self._home.tier != "landlock":
            return None
        return self._make(profile, execute) if profile in ("build", "program") else self._python_tests

    def _make(self, profile: str, execute: list[str], *, supervisor: bool = False) -> landlock.Ruleset | None:
        home = self._home
        if home.tier == "rlimits" or landlock.abi() < 1:
            return None
        rules = landlock.Ruleset()
        rules.allow([home.directory], landlock.SCRATCH_FLAT if home.flat else landlock.SCRATCH)
        if home.tier == "namespaces":
            # The private root holds no file that may not be read, and its /dev nothing that may not be
            # written; the names of directories are another matter.
            rules.allow(["/"], landlock.READ_EXECUTE_FILES)
            rules.allow(["/dev"], landlock.WRITE_DEVICE)
            rules.allow(["/proc", *home.listed], landlock.READ)
        else:
            devices = [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")]
            rules.allow(devices, landlock.WRITE_DEVICE)
            rules.allow([*home.listed, *home.read], landlock.READ)
            rules.allow([*home.execute, *execute], landlock.READ_EXECUTE)
        if profile == "build":
            rules.allow(home.compile_read, landlock.READ)
            rules.allow(home.compile_execute, landlock.READ_EXECUTE)
        if supervisor and home.proc_fd is not None:
            rules.allow_fd(home.proc_fd, landlock.READ)
        return rules


class FixedGround:
    """The one directory on the host that a slot of the landlock tier has."""

    def __init__(self, home: Home):
        self._ground = Ground(home)

    def ground_for(self, request: dict[str, Any]) -> Ground:
        """The same for every request: what is written in it is counted, not bounded."""
        del request
        return self._ground

    def clear(self, *, well: bool) -> None:
        """Removes what a run has left; a directory that resists ends the slot."""
        del well
        if not self._ground.scratch.empty():
            raise OSError("the scratch directory cannot be emptied")


class MountedGround:
    """The scratch file systems of the namespaces tier, one at a time."""

    def __init__(self, home: Home):
        self._home = home
        self._mounted: tuple[int, int] | None = None
        self._ground: Ground | None = None

    def ground_for(self, request: dict[str, Any]) -> Ground:
        """A file system of the size wanted: a new one, unless an empty one is there already."""
        wanted = request["scratch_bytes"], request["scratch_files"]
        if self._ground is None or self._mounted != wanted:
            self._unmount()
            mount_scratch(size=wanted[0], files=wanted[1], kept=self._home.kept)
            self._mounted, self._ground = wanted, Ground(self._home)
        return self._ground

    def clear(self, *, well: bool) -> None:
        """Keeps the file system only when the run ended well and left nothing in it."""
        if self._ground is not None and (not well or self._ground.scratch.names()):
            self._unmount()

    def _unmount(self) -> None:
        if self._ground is not None:
            self._ground.close()
            self._ground = None
            unmount_scratch()
