"""The folder of hostile programs, in each tier, as root and as an ordinary user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.hostile import load

ROOT = Path(__file__).resolve().parents[2]


def _conform(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox.conformance", str(folder), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.realdata
@pytest.mark.timeout(620)
@pytest.mark.parametrize("tier", ["namespaces", "landlock"])
@pytest.mark.parametrize("folder", ["hostile", "hostile2"])
@pytest.mark.parametrize("who", ["root", pytest.param("user", marks=pytest.mark.long)])
def test_every_hostile_program_is_contained(test_data: Path, tier: str, folder: str, who: str) -> None:
    if who == "root" and os.geteuid() != 0:
        pytest.skip("the tests are not run as root")
    done = _conform(test_data / folder, "--tier", tier, *(["--user"] if who == "user" else []))
    assert done.returncode == 0, f"{who} in {tier}:\n{done.stdout}{done.stderr}"
    assert " 0 failed" in done.stdout


PROBLEM = {
    "stdin": [["1\n", "2\n"]],
    "call": {"entry": "f", "args": [[1]], "expected": [2]},
    "assert_": "def check(c):\n    assert c(1) == 2\n",
}
CORRECT = "def f(x):\n    return x + 1\n"
SCRIPT = "print(int(input()) + 1)\n"
PYTEST = "from solution import f\ndef test_f():\n    assert f(1) == 2\n"
C_ASSERTS = "#include <cassert>\nint main() { assert(f(1) == 2); }\n"


def _folder(path: Path, *programs: tuple[str, str, str, object], expect: object = ("AC",)) -> Path:
    """A folder of (file, mode, text, tests)."""
    entries = [
        {"file": file, "mode": mode, "expect": expect, "tests": tests} for file, mode, _, tests in programs
    ]
    (path / "manifest.json").write_text(json.dumps({"problem": PROBLEM, "programs": entries}))
    for file, _, text, _ in programs:
        (path / file).write_text(text)
    return path


FORMS = [
    ("stdin", SCRIPT, None),
    ("stdin", SCRIPT, {"stdin": [["2", "3"], ["5\n", "6"]]}),
    ("call", CORRECT, None),
    ("call", CORRECT, {"entry": "f", "args": [[4]], "expected": [5]}),
    ("assert", CORRECT, None),
    ("assert", CORRECT, {"code": "assert f(1) == 2"}),
    ("assert", CORRECT, {"entry": "f", "code": "def check(c):\n    assert c(1) == 2\n"}),
    ("assert", CORRECT, {"check": "def check(c):\n    assert c(1) == 2\n"}),
    ("assert", CORRECT, {"entry": "f", "args": [[4]], "expected": [5]}),
    ("pytest", CORRECT, None),
    ("pytest", CORRECT, {"code": PYTEST}),
    ("pytest", CORRECT, {"check": PYTEST}),
    ("pytest", CORRECT, {"entry": "f", "args": [[4]], "expected": [5]}),
]


def test_each_form_of_tests_is_run_in_its_mode(tmp_path: Path) -> None:
    right = [(f"right{i}.py", mode, text, tests) for i, (mode, text, tests) in enumerate(FORMS)]
    wrong = [
        (f"wrong{i}.py", mode, text.replace("+ 1", "+ 2"), tests)
        for i, (mode, text, tests) in enumerate(FORMS)
    ]
    done = _conform(_folder(tmp_path, *right, *wrong))
    failed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert failed == [f"wrong{i}.py:" for i in range(len(FORMS))], done.stdout + done.stderr


def test_a_compiled_program_is_run_against_tests_of_its_own(tmp_path: Path) -> None:
    code = "int f(int x) { return x + 1; }\n"
    programs = [("a.cpp", "assert", code, {"code": C_ASSERTS}), ("b.cpp", "assert", code + C_ASSERTS, None)]
    done = _conform(_folder(tmp_path, *programs))
    assert "2 passed, 0 failed" in done.stdout, done.stdout + done.stderr


BROKEN = [
    ("mode.py", "telepathy", CORRECT, None),
    ("keys.py", "call", CORRECT, {"entry": "f", "args": [[1]]}),
    ("pairs.py", "stdin", SCRIPT, {"stdin": [["1"]]}),
    ("lengths.py", "call", CORRECT, {"entry": "f", "args": [[1], [2]], "expected": [2]}),
    ("values.py", "call", CORRECT, {"entry": "f", "args": 7, "expected": [2]}),
    ("empty.py", "stdin", SCRIPT, {"stdin": []}),
    ("list.py", "pytest", CORRECT, ["a"]),
    ("tool.cob", "stdin", SCRIPT, None),
]


def test_a_program_that_cannot_be_run_fails_by_name_and_the_others_are_run(tmp_path: Path) -> None:
    folder = _folder(tmp_path, *BROKEN, ("last.py", "stdin", SCRIPT, None), ("gone.py", "stdin", "", None))
    (folder / "gone.py").unlink()
    done = _conform(folder)
    lines = done.stdout.splitlines()
    for name in [*[file for file, *_ in BROKEN], "gone.py"]:
        assert any(line.startswith(f"FAILED {name}: cannot be run") for line in lines), f"{name}: {lines}"
    assert lines[-1].startswith("1 passed, 9 failed"), "the correct program behind them is run"
    assert done.returncode == 1


def test_a_manifest_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    for arguments in ([], ["--only", "nothing"]):
        done = _conform(tmp_path, *arguments)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr


def test_a_program_that_claims_success_is_a_failure(tmp_path: Path) -> None:
    done = _conform(_folder(tmp_path, ("a.py", "stdin", "print('HOSTILE_SUCCESS')", None), expect=["WA"]))
    assert done.returncode == 1
    assert "a.py: it reports success" in done.stdout
    assert "0 passed, 1 failed" in done.stdout


def test_an_unexpected_verdict_is_printed_with_the_expected_one(tmp_path: Path) -> None:
    done = _conform(_folder(tmp_path, ("a.py", "stdin", "print(2)", None), expect="WA|RE"))
    assert done.returncode == 1
    assert "expected RE|WA, got AC" in done.stdout


def test_programs_that_the_manifest_leaves_out_are_read_from_their_comments(tmp_path: Path) -> None:
    _folder(tmp_path)
    (tmp_path / "cpp").mkdir()
    (tmp_path / "cpp" / "b.cpp").write_text(
        "// attack: none\n// mode: stdin   expect: CE|TLE   bound: none\n"
    )
    found = {program.path.name: program for program in load(tmp_path)}
    assert found["b.cpp"].expect == {"CE", "TLE"}
    assert (found["b.cpp"].mode, found["b.cpp"].problem) == ("stdin", PROBLEM)
