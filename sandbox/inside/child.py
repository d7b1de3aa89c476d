"""The process of one test: closes everything around itself, then becomes the program.

After `Confinement.put_on` returns, nothing that this process can do reaches the processes that started it.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import io
import os
import random
import resource
import signal
import struct
import sys
import threading
import traceback
import types
from typing import NamedTuple, NoReturn

from sandbox.inside import kernel
from sandbox.inside.file_modes import pass_over_modes
from sandbox.inside.filters import Installer
from sandbox.inside.landlock import Ruleset

__all__ = [
    "Cage",
    "Confinement",
    "exit_status",
    "finish",
    "fresh_module",
    "report",
    "run_script",
    "standard_streams",
]

# x86-64 numbers.
_DUP3, _PRCTL, _PRLIMIT64, _CLOSE_RANGE, _LANDLOCK_RESTRICT_SELF = 292, 157, 302, 436, 446


class Cage(NamedTuple):
    """What bounds one process."""

    cpu_s: int
    """Hard stop in whole seconds; the finer limit is kept from outside."""
    address_space: int | None
    """Bytes, or None for run-times that reserve more than they use."""
    file_bytes: int
    open_files: int
    processes: int | None
    """Threads of this user id, where the id is the slot's own."""
    stack_bytes: int
    directory: str
    rules: Ruleset | None
    filter: Installer | None
    own_world: bool
    """A process namespace ends with its first process, so no process needs a signal for its parent's
    death."""


class Confinement:
    """A cage with every system call laid out beforehand: after a fork each touched object costs a copied
    page."""

    def __init__(self, cage: Cage):
        self._before: list[kernel.Step] = []
        if not cage.own_world:
            self._before.append(kernel.step("prctl", _PRCTL, kernel.PR_SET_PDEATHSIG, signal.SIGKILL))
            # The supervisor may see which files are held open; other programs under file rules may not.
            self._before.append(kernel.step("prctl", _PRCTL, kernel.PR_SET_DUMPABLE, 1))
        if cage.rules is not None:
            self._before.append(
                kernel.step("landlock_restrict_self", _LANDLOCK_RESTRICT_SELF, cage.rules.fd, 0)
            )
        self._after = [_limit_step(kind, value) for kind, value in _limits(cage) if value is not None]
        _share_limits(cage)
        self._filter = cage.filter

    def moves(self, fds: list[int], *, closing_from: int | None = None) -> list[kernel.Step]:
        """The calls that make `fds`, all of them above 8, the descriptors 0, 1, 2 ... and close all
        others."""
        if any(fd < len(fds) for fd in fds):
            raise OSError(f"a descriptor to be moved stands among its targets: {fds}")
        close_on_exec = [0 if place < 3 else os.O_CLOEXEC for place in range(len(fds))]
        steps = [kernel.step("dup3", _DUP3, fd, place, close_on_exec[place]) for place, fd in enumerate(fds)]
        return [*steps, kernel.step("close_range", _CLOSE_RANGE, closing_from or len(fds), 0xFFFFFFFF, 0)]

    def put_on(self, moves: list[kernel.Step]) -> None:
        """Confines this process; what it does from here on reaches none of those that started it."""
        kernel.take(self._before)
        kernel.take(moves)
        kernel.take(self._after)
        if self._filter is not None:
            self._filter.install()


def _limits(cage: Cage) -> list[tuple[int, int | None]]:
    """The limits that the supervisor itself could not live with."""
    return [
        (resource.RLIMIT_FSIZE, cage.file_bytes),
        (resource.RLIMIT_NOFILE, cage.open_files),
        (resource.RLIMIT_AS, cage.address_space),
        (resource.RLIMIT_CPU, cage.cpu_s),
    ]


def _share_limits(cage: Cage) -> None:
    """Puts the other limits on this process, whose children inherit them, and goes to their directory."""
    shared: list[tuple[int, int | None]] = [
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_STACK, cage.stack_bytes),
        (resource.RLIMIT_NPROC, cage.processes),
    ]
    for kind, value in shared:
        if value is not None:
            bound = _below_hard(kind, value)
            resource.setrlimit(kind, (bound, bound))
    os.chdir(cage.directory)


def _below_hard(kind: int, value: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _limit_step(kind: int, value: int) -> kernel.Step:
    bound = _below_hard(kind, value)
    return kernel.step(f"prlimit64({kind})", _PRLIMIT64, 0, kind, struct.pack("QQ", bound, bound), 0)


def standard_streams() -> None:
    """Gives the interpreter new text streams over descriptors 0, 1 and 2.

    Made once in the zygote, over files positioned at their start like those that take their place.
    """
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    sys.stdout = sys.__stdout__ = _writer(1, errors="surrogateescape")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _writer(2, errors="backslashreplace", line_buffering=True)  # type: ignore[misc]


def _writer(fd: int, *, errors: str, line_buffering: bool = False) -> io.TextIOWrapper:
    raw = open(fd, "wb", closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(raw, encoding="utf-8", errors=errors, line_buffering=line_buffering)


def fresh_module(directory: str, *, name: str) -> types.ModuleType:
    """Makes the interpreter look as if it had just started on a program, which becomes the module
    returned."""
    sys.argv = [f"{directory}/main.py"]
    sys.path.insert(0, directory)
    pass_over_modes()
    random.seed()
    fresh = types.ModuleType(name)
    fresh.__dict__.update(__builtins__=builtins, __file__=f"{directory}/main.py")
    sys.modules[name] = fresh
    return fresh


def run_script(code: types.CodeType, module: types.ModuleType) -> NoReturn:
    """Executes a solution as the main program and ends the process the way the interpreter would."""
    status = 0
    try:
        exec(code, module.__dict__)
    except SystemExit as error:
        status = exit_status(error)
    except BaseException as error:
        status = 1
        report(error)
    finish(status)


def exit_status(error: SystemExit) -> int:
    """What the shell would see of a SystemExit."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    with contextlib.suppress(Exception):
        print(error.code, file=sys.stderr)
    return 1


def report(error: BaseException) -> None:
    """Prints an uncaught exception, without our own frames."""
    trace = error.__traceback__.tb_next if error.__traceback__ else None
    try:
        sys.excepthook(type(error), error, trace)
    except BaseException:
        with contextlib.suppress(BaseException):
            traceback.print_exception(type(error), error, trace)


def _has_threads() -> bool:
    """Whether leaving means waiting: other threads, or callbacks of those who manage threads."""
    others = len(threading._active) > 1 or getattr(threading, "_shutdown_locks", None)  # type: ignore[attr-defined]
    return bool(others or getattr(threading, "_threading_atexits", None))


def finish(status: int, *, wait: bool = True) -> NoReturn:
    """Waits for threads, runs exit handlers, flushes, and leaves without touching what was inherited."""
    try:
        if wait and _has_threads():
            threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
    except SystemExit as error:
        status = exit_status(error)
    except BaseException as error:
        status = status or 1
        report(error)
    with contextlib.suppress(BaseException):
        sys.stderr.flush()
    os._exit(status)
