"""The process of one test: closes everything around itself, then becomes the program.

After `confine` returns, nothing that this process can do reaches the processes that started it.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import io
import os
import resource
import signal
import sys
import threading
import traceback
import types
from dataclasses import dataclass
from typing import Any, NoReturn

from sandbox.inside import kernel
from sandbox.inside.filters import Program, install
from sandbox.inside.landlock import Ruleset

__all__ = ["Cage", "confine", "finish", "run_module", "run_script", "standard_streams"]

MODULES_OF_OURS = "sandbox"


@dataclass(frozen=True, slots=True)
class Cage:
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
    filter: Program | None


def confine(cage: Cage, fds: list[int]) -> None:
    """Makes `fds` the descriptors 0, 1, 2 ..., closes all others, and puts on limits, file rules and
    filter."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if cage.rules is not None:
        cage.rules.restrict()
    # Through high numbers first, so that no descriptor is overwritten before it is moved.
    high = [os.dup2(fd, 200 + place, inheritable=False) for place, fd in enumerate(fds)]
    for place, fd in enumerate(high):
        os.dup2(fd, place, inheritable=place < 3)
    kernel.close_from(len(fds))
    _set_limits(cage)
    os.chdir(cage.directory)
    if cage.filter is not None:
        install(cage.filter.bytes_for(os.getpid()))


def _set_limits(cage: Cage) -> None:
    wanted: list[tuple[int, int | None]] = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_FSIZE, cage.file_bytes),
        (resource.RLIMIT_NOFILE, cage.open_files),
        (resource.RLIMIT_STACK, cage.stack_bytes),
        (resource.RLIMIT_NPROC, cage.processes),
        (resource.RLIMIT_CPU, cage.cpu_s),
        (resource.RLIMIT_AS, cage.address_space),
    ]
    for kind, value in wanted:
        if value is None:
            continue
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


def standard_streams(*, interactive: bool = False) -> None:
    """Gives the interpreter new text streams over descriptors 0, 1 and 2."""
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    sys.stdout = sys.__stdout__ = _writer(1, errors="surrogateescape", line_buffering=interactive)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _writer(2, errors="backslashreplace", line_buffering=True)  # type: ignore[misc]


def _writer(fd: int, *, errors: str, line_buffering: bool) -> io.TextIOWrapper:
    raw = open(fd, "wb", closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(raw, encoding="utf-8", errors=errors, line_buffering=line_buffering)


def _fresh_interpreter(directory: str, *, name: str) -> types.ModuleType:
    """Makes the interpreter look as if it had just started on this program."""
    for module in [key for key in sys.modules if key.split(".")[0] == MODULES_OF_OURS]:
        del sys.modules[module]
    sys.argv = [f"{directory}/main.py"]
    sys.path.insert(0, directory)
    random = sys.modules.get("random")
    if random is not None:
        random.seed()
    fresh = types.ModuleType(name)
    fresh.__dict__.update(__builtins__=builtins, __file__=f"{directory}/main.py")
    sys.modules[name] = fresh
    return fresh


def run_module(code: types.CodeType, directory: str, *, name: str) -> dict[str, Any]:
    """Executes a solution as an imported module; returns its namespace. Exceptions pass through."""
    module = _fresh_interpreter(directory, name=name)
    exec(code, module.__dict__)
    return module.__dict__


def run_script(code: types.CodeType, directory: str) -> NoReturn:
    """Executes a solution as the main program and ends the process the way the interpreter would."""
    standard_streams()
    module = _fresh_interpreter(directory, name="__main__")
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


def finish(status: int, *, wait: bool = True) -> NoReturn:
    """Waits for threads, runs exit handlers, flushes, and leaves without touching what was inherited."""
    try:
        if wait:
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
