"""`python -m sandbox.conformance DIR`: runs a folder of hostile programs and says which ones were not
contained.

`sandbox.hostile` says how the folder is laid out. A program also fails when it reports success, leaves a
marker, a process or a changed /tmp on the host, touches a canary, when a correct program no longer passes
after it, or when it cannot be run; the run goes on behind it. A program in a language that the sandbox does
not offer here is named and counted as not run. Exit status: 0 none failed, 1 some failed, 2 none was run.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from sandbox.canaries import Canaries
from sandbox.driver import Sandbox
from sandbox.hostile import Program, load, run
from sandbox.languages import LANGUAGES
from sandbox.model import Limits, Result, SandboxError, StdinTest, Tier
from sandbox.slot_dir import base_interpreter

__all__ = ["check", "main"]

_LIMITS = Limits(cpu_s=1.0, memory_mb=256, output_mb=4.0, compile_cpu_s=6.0)
_CONTROL = "print(int(input()) + 1)"
_SUCCESS = "HOSTILE_SUCCESS"
_MARKER_PLACES = (
    "/",
    "/tmp",
    "/root",
    "/home",
    "/usr/lib",
    "/usr/local/lib",
    "/etc",
    "/var/tmp",
    "/dev/shm",
    "/work",
)


def check(box: Sandbox, program: Program, canaries: Canaries) -> list[str]:
    """Runs one program; returns what is wrong, nothing when it was contained."""
    before = _tmp_state(box.uid)
    result = run(box, program)
    wrong = []
    if result.verdict not in program.expect:
        wrong.append(f"expected {'|'.join(sorted(program.expect))}, got {result.verdict} ({_why(result)})")
    if any(_SUCCESS in test.stdout for test in result.tests):
        wrong.append(
            f"it reports success: {next(t.stdout for t in result.tests if _SUCCESS in t.stdout)[:200]!r}"
        )
    wrong += canaries.check()
    wrong += [f"it left {path}" for path in _markers()]
    after = _tmp_state(box.uid)
    if after != before:
        wrong.append(f"/tmp changed: {sorted(after ^ before)[:5]}")
    wrong += [f"process {pid} survives" for pid in _survivors(box)]
    control = box.run_stdin(_CONTROL, [StdinTest("1\n", "2\n")])
    if control.verdict != "AC":
        wrong.append(f"the next correct program got {control.verdict} ({_why(control)})")
    return wrong


def _why(result: Result) -> str:
    return next((test.reason for test in result.tests if test.verdict != "AC"), result.reason)[:300]


def _markers() -> Iterator[str]:
    for place in _MARKER_PLACES:
        with contextlib.suppress(OSError):
            yield from (str(path) for path in Path(place).glob("hostile_marker_*"))


def _tmp_state(uid: int) -> set[tuple[str, int]]:
    """What the user that programs run as owns in /tmp; others write there at any time."""
    state = set()
    for entry in os.scandir("/tmp"):
        with contextlib.suppress(OSError):
            found = entry.stat(follow_symlinks=False)
            if found.st_uid == uid:
                state.add((entry.name, found.st_mode))
    return state


def _survivors(box: Sandbox) -> list[int]:
    """Processes below the sandbox's own, after a moment for them to end."""
    deadline = time.monotonic() + 2.0
    while True:
        found = box.processes()
        if len(found) <= box.resting_processes or time.monotonic() > deadline:
            return found[box.resting_processes :]
        time.sleep(0.02)


def _restart_as_user(uid: int, arguments: list[str]) -> NoReturn:
    """Gives up root for good and starts again, with an interpreter that an ordinary user can read."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    executable = base_interpreter().executable
    package = str(Path(__file__).resolve().parent.parent)
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "PYTHONPATH": package}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    os.execve(executable, [executable, "-m", "sandbox.conformance", *arguments], environment)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.conformance", description=__doc__.splitlines()[0]
    )
    parser.add_argument("folder", type=Path, help="folder with manifest.json and the programs")
    parser.add_argument(
        "--tier", choices=["namespaces", "landlock"], help="exactly this tier; default: the strongest"
    )
    parser.add_argument(
        "--user", action="store_true", help="run as an ordinary user (uid 65534) when started as root"
    )
    parser.add_argument("--only", help="run only the programs whose name contains this text")
    parser.add_argument("--verbose", action="store_true", help="name each program before it is run")
    options = parser.parse_args(arguments)
    try:
        programs = load(options.folder)
    except (OSError, ValueError, LookupError, TypeError) as error:
        print(f"{options.folder}/manifest.json cannot be read: {error!r}", file=sys.stderr)
        return 2
    programs = [program for program in programs if not options.only or options.only in program.path.name]
    if not programs:
        print(f"no program of {options.folder} has {options.only!r} in its name", file=sys.stderr)
        return 2
    if options.user and os.geteuid() == 0:
        _restart_as_user(65534, sys.argv[1:] if arguments is None else list(arguments))
    tier: Tier | None = options.tier
    try:
        with Sandbox(slots=1, tier=tier, limits=_LIMITS) as box, Canaries() as canaries:
            failed, not_run = _run_all(box, programs, canaries, verbose=options.verbose)
    except (SandboxError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    ran = len(programs) - not_run
    left = f", {not_run} not run" if not_run else ""
    print(f"{ran - failed} passed, {failed} failed{left}  (tier {box.tier}, uid {os.geteuid()})")
    return 2 if not ran else int(failed > 0)


def _run_all(
    box: Sandbox, programs: Sequence[Program], canaries: Canaries, *, verbose: bool
) -> tuple[int, int]:
    """How many programs failed, and how many are in a language that is not offered here."""
    absent = set(LANGUAGES) - set(box.languages())
    failed = not_run = 0
    for program in programs:
        if program.language in absent:
            not_run += 1
            print(f"NOT RUN {program.path.name}: no tool for {program.language} in this tier", flush=True)
            continue
        if verbose:
            print(program.path.name, flush=True)
        try:
            wrong = check(box, program, canaries)
        except Exception as error:  # whatever one program does to its runner, the others are run
            wrong = [f"cannot be run: {type(error).__name__}: {error}"[:1000]]
        if wrong:
            failed += 1
            print(f"FAILED {program.path.name}: {'; '.join(wrong)}", flush=True)
    return failed, not_run


if __name__ == "__main__":
    sys.exit(main())
