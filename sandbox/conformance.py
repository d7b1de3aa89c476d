"""`python -m sandbox.conformance DIR`: runs a folder of hostile programs and says which ones were not
contained.

The folder holds a `manifest.json` with a default problem and a list of programs, each with its mode (stdin,
call, assert, pytest) and the verdicts allowed. A run also fails when a program reports success, leaves a
marker, a process or a changed /tmp on the host, touches a canary, or when a correct program no longer passes
after it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from sandbox.canaries import Canaries
from sandbox.driver import Sandbox
from sandbox.model import CallTest, Limits, Result, SandboxError, StdinTest, Tier
from sandbox.slot_dir import base_interpreter

__all__ = ["Program", "check", "load", "main"]

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
_LANGUAGES = {".py": "python", ".cpp": "cpp", ".js": "javascript", ".java": "java", ".rs": "rust"}


@dataclass(frozen=True, slots=True)
class Program:
    """One hostile program and what may become of it."""

    path: Path
    mode: str
    expect: frozenset[str]
    tests: Any

    @property
    def language(self) -> str:
        """By the ending of the file's name."""
        return _LANGUAGES[self.path.suffix]


def load(folder: Path) -> list[Program]:
    """The programs of a folder; those of `cpp/` that the manifest leaves out are read from their first
    comments."""
    manifest = json.loads((folder / "manifest.json").read_text())
    problem = manifest["problem"]
    programs = []
    for entry in manifest["programs"]:
        tests = entry["tests"] or _tests_of(problem, entry["mode"])
        programs.append(Program(folder / entry["file"], entry["mode"], frozenset(entry["expect"]), tests))
    listed = {program.path for program in programs}
    for path in sorted((folder / "cpp").glob("*.cpp")):
        if path not in listed:
            words = path.read_text(errors="replace").replace("\n", " ").split()
            mode = words[words.index("mode:") + 1]
            expect = frozenset(words[words.index("expect:") + 1].split("|"))
            programs.append(Program(path, mode, expect, _tests_of(problem, mode)))
    return programs


def _tests_of(problem: dict[str, Any], mode: str) -> Any:
    return {
        "stdin": {"stdin": problem["stdin"]},
        "call": problem["call"],
        "assert": {"entry": problem["call"]["entry"], "code": problem["assert_"]},
        "pytest": problem["call"],
    }[mode]


def _run(box: Sandbox, program: Program) -> Result:
    code = program.path.read_text(errors="surrogateescape")
    tests = program.tests
    if program.mode == "stdin":
        pairs = [StdinTest(stdin, expected) for stdin, expected in tests["stdin"]]
        return box.run_stdin(code, pairs, language=program.language)
    if program.mode == "assert":
        # A C++ program of this mode holds its own tests in main.
        test_code = (tests.get("code") or _asserts(tests)) if program.language == "python" else ""
        return box.run_asserts(code, test_code, entry=tests["entry"], language=program.language)
    entry, calls = tests["entry"], list(zip(tests["args"], tests["expected"], strict=True))
    if program.mode == "call":
        return box.run_calls(code, [CallTest(args, expected) for args, expected in calls], entry=entry)
    lines = [f"from solution import {entry}"]
    for place, (args, expected) in enumerate(calls):
        lines += [f"def test_{place}():", f"    assert {entry}(*{args!r}) == {expected!r}"]
    return box.run_pytest(code, "\n".join(lines))


def _asserts(tests: dict[str, Any]) -> str:
    calls = zip(tests["args"], tests["expected"], strict=True)
    return "\n".join(f"assert {tests['entry']}(*{args!r}) == {expected!r}" for args, expected in calls)


def check(box: Sandbox, program: Program, canaries: Canaries) -> list[str]:
    """Runs one program; returns what is wrong, nothing when it was contained."""
    before = _tmp_state(box.uid)
    result = _run(box, program)
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
    options = parser.parse_args(arguments)
    programs = [
        program for program in load(options.folder) if not options.only or options.only in program.path.name
    ]
    if options.user and os.geteuid() == 0:
        _restart_as_user(65534, sys.argv[1:] if arguments is None else list(arguments))
    tier: Tier | None = options.tier
    try:
        with Sandbox(slots=1, tier=tier, limits=_LIMITS) as box, Canaries() as canaries:
            failed = _run_all(box, programs, canaries)
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(programs) - failed} passed, {failed} failed  (tier {box.tier}, uid {os.geteuid()})")
    return 1 if failed else 0


def _run_all(box: Sandbox, programs: Sequence[Program], canaries: Canaries) -> int:
    known = box.languages()
    failed = 0
    for program in programs:
        wrong = (
            [f"no tool for {program.language}"]
            if program.language not in known
            else check(box, program, canaries)
        )
        if wrong:
            failed += 1
            print(f"FAILED {program.path.name}: {'; '.join(wrong)}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
