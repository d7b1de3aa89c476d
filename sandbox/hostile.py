"""A folder of hostile programs: what its manifest says of each, and how a sandbox runs one.

`manifest.json` holds a default `problem` and a list of `programs`, each with its file, mode and the verdicts
allowed. `tests` of a program are null (the default problem in the program's mode) or one of
`{"stdin": [[input, output], ...]}`, `{"entry", "args": [[...], ...], "expected": [...]}` and
`{"entry"?, "code"}` with asserts, a `check(candidate)` or a pytest file; `check` is the same as `code`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.driver import Sandbox
from sandbox.model import CallTest, Result, StdinTest

__all__ = ["Program", "load", "run"]

_LANGUAGES = {".py": "python", ".cpp": "cpp", ".js": "javascript", ".java": "java", ".rs": "rust"}


@dataclass(frozen=True, slots=True)
class Program:
    """One hostile program and what may become of it."""

    path: Path
    mode: str
    expect: frozenset[str]
    tests: Any
    """As the manifest has them; null means the default problem."""
    problem: Any
    """The manifest's default problem."""

    @property
    def language(self) -> str:
        """By the ending of the file's name, which stands for itself where it is not known."""
        return _LANGUAGES.get(self.path.suffix, self.path.suffix.removeprefix("."))


def load(folder: Path) -> list[Program]:
    """The programs of a folder; those of `cpp/` that the manifest leaves out are read from their first
    comments.

    An entry that makes no sense is found when its program is run, so that the others are run all the same.
    """
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    problem = manifest.get("problem")
    programs = []
    for entry in manifest["programs"]:
        expect = entry.get("expect", [])
        verdicts = frozenset(expect.split("|") if isinstance(expect, str) else expect)
        path = folder / entry["file"]
        programs.append(Program(path, str(entry.get("mode")), verdicts, entry.get("tests"), problem))
    listed = {program.path for program in programs}
    for path in sorted((folder / "cpp").glob("*.cpp")):
        if path not in listed:
            words = path.read_text(encoding="utf-8", errors="replace").replace("\n", " ").split()
            mode, expect = (_word_after(words, name) for name in ("mode:", "expect:"))
            programs.append(Program(path, mode, frozenset(expect.split("|")), None, problem))
    return programs


def _word_after(words: list[str], name: str) -> str:
    place = words.index(name) + 1 if name in words else len(words)
    return words[place] if place < len(words) else ""


def run(box: Sandbox, program: Program) -> Result:
    """Runs one program against its tests.

    Raises:
        ValueError: the manifest's entry makes no sense.
        OSError: its file cannot be read.
        SandboxError: its language has no tool here.
    """
    code = program.path.read_text(encoding="utf-8", errors="surrogateescape")
    runners = {"stdin": _stdin, "call": _calls, "assert": _asserts, "pytest": _pytest}
    if program.mode not in runners:
        raise ValueError(f"mode {program.mode!r} is none of {', '.join(runners)}")
    try:
        return runners[program.mode](box, program, code)
    except (LookupError, TypeError) as error:
        raise ValueError(
            f"tests {str(program.tests)[:200]!r} do not fit mode {program.mode!r}: {error!r}"
        ) from error


def _stdin(box: Sandbox, program: Program, code: str) -> Result:
    tests = program.tests or program.problem
    pairs = [StdinTest(stdin, expected) for stdin, expected in tests["stdin"]]
    return box.run_stdin(code, pairs, language=program.language)


def _calls(box: Sandbox, program: Program, code: str) -> Result:
    tests = program.tests or program.problem["call"]
    if "args" not in tests:
        return _asserts(box, program, code)
    calls = [CallTest(args, expected) for args, expected in _pairs(tests)]
    return box.run_calls(code, calls, entry=tests["entry"])


def _asserts(box: Sandbox, program: Program, code: str) -> Result:
    tests = program.tests or {"code": program.problem["assert_"]}
    entry = tests.get("entry") or program.problem["call"]["entry"]
    text = _code(tests)
    if text is None:
        text = "\n".join(_assertion(entry, args, expected) for args, expected in _pairs(tests))
    if program.language != "python" and program.tests is None:
        text = ""  # a compiled program holds the tests of the default problem in its own `main`
    return box.run_asserts(code, text, entry=entry, language=program.language)


def _pytest(box: Sandbox, program: Program, code: str) -> Result:
    tests = program.tests or program.problem["call"]
    text = _code(tests)
    if text is None:
        entry = tests["entry"]
        lines = [f"from solution import {entry}"]
        for place, (args, expected) in enumerate(_pairs(tests)):
            lines += [f"def test_{place}():", f"    {_assertion(entry, args, expected)}"]
        text = "\n".join(lines)
    return box.run_pytest(code, text)


def _code(tests: dict[str, Any]) -> str | None:
    return tests.get("code", tests.get("check"))


def _pairs(tests: dict[str, Any]) -> list[tuple[Any, Any]]:
    return list(zip(tests["args"], tests["expected"], strict=True))


def _assertion(entry: str, args: Any, expected: Any) -> str:
    return f"assert {entry}(*{args!r}) == {expected!r}"
