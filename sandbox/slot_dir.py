"""Where a slot lives: its private directory on the host, what it may see, and as whom it runs."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.inside.workspace import HOME
from sandbox.model import Limits, SandboxError, Tier

__all__ = ["Interpreter", "Place", "base_interpreter"]

_LIBRARIES = (
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local/lib",
)
_LOADERS = ("/lib*/ld-linux*.so*", "/lib/*/ld-linux*.so*", "/lib/ld-musl-*.so*")
_TOOLS = ("/bin", "/usr/bin", "/usr/include", "/usr/local/include", "/usr/share/java")
_CONFIG = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/java-17-openjdk", "/etc/java-21-openjdk")
_UID_BASE = 1_900_000_000
"""User ids far above any that an account has, one for each slot."""
_NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python to run zygotes with."""

    executable: str
    stdlib: str

    @property
    def dynload(self) -> str:
        """Where its binary modules are."""
        return f"{self.stdlib}/lib-dynload"


def base_interpreter() -> Interpreter:
    """The interpreter below the virtual environment; another of the same age or newer where it cannot be
    reached.

    Raises:
        SandboxError: this user can reach no Python of version 3.11 or later.
    """
    executable = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
    stdlib = os.path.dirname(os.path.realpath(os.__file__))
    if os.access(executable, os.X_OK) and os.access(f"{stdlib}/os.py", os.R_OK):
        return Interpreter(executable, stdlib)
    for name in ("python3", "python3.13", "python3.12", "python3.11"):
        found = shutil.which(name, path="/usr/bin:/usr/local/bin")
        interpreter = _ask(found) if found else None
        if interpreter is not None:
            return interpreter
    raise SandboxError(
        f"the interpreter {executable} cannot be read by this user, and no other Python 3.11 was found"
    )


def _ask(executable: str) -> Interpreter | None:
    """What a Python says of itself, if it is new enough."""
    question = "import sys, sysconfig; print(sys.version_info >= (3, 11), sysconfig.get_path('stdlib'))"
    asked = subprocess.run(
        [executable, "-I", "-S", "-c", question], capture_output=True, text=True, check=False
    )
    fits, _, stdlib = asked.stdout.strip().partition(" ")
    return Interpreter(os.path.realpath(executable), stdlib) if fits == "True" else None


@dataclass
class Place:
    """The directory of one slot, made by `prepare` and removed by `remove`; the sandbox touches no other."""

    tier: Tier
    slot: int
    interpreter: Interpreter
    site_dirs: list[str]
    shared: str
    """A directory of the whole sandbox that every slot may read (precompiled headers)."""
    tool_roots: list[str] = field(default_factory=list)
    directory: str = ""
    uid: int | None = None
    _identity: tuple[int, int] = (0, 0)
    _stdlib: str | None = None

    def prepare(self, *, copied_stdlib: str | None) -> None:
        """Makes a directory for the slot where the tier has no file system of its own."""
        self._stdlib = copied_stdlib
        if os.geteuid() == 0:
            self.uid = _usable_uid(self.slot)
        if self.tier == "namespaces":
            return
        self.directory = tempfile.mkdtemp(prefix="slot-", dir=self.shared)
        if self.uid is not None:
            os.chown(self.directory, self.uid, self.uid)
        found = os.lstat(self.directory)
        self._identity = (found.st_dev, found.st_ino)

    def remove(self) -> None:
        """Removes the slot's own directory, by descriptor, if it is still the one that was made."""
        if not self.directory:
            return
        with contextlib.suppress(OSError):
            fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                found = os.fstat(fd)
                if (found.st_dev, found.st_ino) != self._identity:
                    return
                os.fchmod(fd, 0o700)
                if os.listdir(fd):
                    _remove_home(fd)
            finally:
                os.close(fd)
            os.rmdir(self.directory)
        self.directory = ""

    def config(self, limits: Limits, *, preload: list[str]) -> dict[str, Any]:
        """What the zygote is told at its start."""
        python = [self.interpreter.stdlib, *self.site_dirs]
        if self._stdlib:
            python = [self._stdlib, *self.site_dirs]
        libraries = [path for path in _LIBRARIES if os.path.exists(path)]
        tools = [path for path in _TOOLS if os.path.exists(path)] + self.tool_roots
        configs = [path for path in _CONFIG if os.path.exists(path)]
        config: dict[str, Any] = {
            "tier": self.tier,
            "uid": self.uid,
            "site_dirs": self.site_dirs,
            "preload": preload,
            "stdlib": self._stdlib,
            "env": self.environment(),
            "paths": {
                "listed": python,
                "read": [*configs, self.shared_files(), *libraries, *self.tool_roots],
                "loaders": [path for pattern in _LOADERS for path in glob.glob(pattern)],
                "compile_read": [*tools, *configs],
                "compile_execute": [*libraries, *tools],
            },
        }
        if self.tier == "namespaces":
            shown = _without_nested([*libraries, *tools, *configs, *python, self.shared_files()])
            config["root"] = {
                "shown": shown,
                "hidden": [path for path in self._packages() if path not in self.site_dirs],
                "uid": self.uid or 0,
            }
        else:
            config["own"] = [self.directory, *self._identity]
        return config

    def environment(self) -> dict[str, str]:
        """The whole environment of a program; nothing of the host's own passes."""
        home = f"{self.directory}/{HOME}" if self.directory else "/tmp"
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": home,
            "TMPDIR": home,
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "OPENSSL_CONF": "/dev/null",
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
        }

    def shared_files(self) -> str:
        """The directory of precompiled headers."""
        return f"{self.shared}/headers"

    def _packages(self) -> list[str]:
        """Directories of installed packages, which no solution needs to see."""
        found = [f"{self.interpreter.stdlib}/site-packages", f"{self.interpreter.stdlib}/dist-packages"]
        found += glob.glob("/usr/lib/python3*/dist-packages") + glob.glob("/usr/local/lib/python3*")
        return [path for path in found if os.path.isdir(path)]


def _remove_home(fd: int) -> None:
    """Removes the scratch directory of the last run, whose files the zygote has removed unless it was killed;
    then they are as the run has left them: regular files, directly in it."""
    home = os.open(HOME, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        for name in os.listdir(home):
            os.unlink(name, dir_fd=home)
    finally:
        os.close(home)
    os.rmdir(HOME, dir_fd=fd)


def _usable_uid(slot: int) -> int:
    """A user id of the slot's own, or nobody's where a container maps few ids."""
    with open("/proc/self/uid_map") as file:
        ranges = [[int(part) for part in line.split()] for line in file]
    wanted = _UID_BASE + (os.getpid() % 100_000) * 1_000 + slot % 1_000
    for uid in (wanted, _NOBODY):
        if any(start <= uid < start + count for start, _, count in ranges):
            return uid
    raise SandboxError("no user id but 0 is mapped here: run as an ordinary user")


def _without_nested(paths: list[str]) -> list[str]:
    """Each path once, leaving out those below another that is shown anyway; symbolic links are kept as they
    are."""
    kept: list[str] = []
    for path in sorted(set(paths), key=lambda item: (item.count("/"), item)):
        if not any(path.startswith(other + "/") and not os.path.islink(other) for other in kept):
            kept.append(path)
    return kept


def copy_stdlib(interpreter: Interpreter, target: str) -> str:
    """A copy of the standard library that any user may read, by hard links where the file system allows
    it."""

    def link_or_copy(source: str, destination: str) -> None:
        try:
            os.link(source, destination)
        except OSError:
            shutil.copyfile(source, destination)

    unwanted = shutil.ignore_patterns(
        "test", "tests", "idlelib", "site-packages", "dist-packages", "config-*", "tkinter"
    )
    shutil.copytree(interpreter.stdlib, target, copy_function=link_or_copy, ignore=unwanted)
    for root, _, _ in os.walk(target):
        os.chmod(root, 0o755)
    return target


def readable_by_others(path: str) -> bool:
    """Whether a user that owns nothing may reach and read `path`."""
    here = Path(path)
    return all(part.stat().st_mode & 0o001 for part in [here, *here.parents] if part.is_dir())
