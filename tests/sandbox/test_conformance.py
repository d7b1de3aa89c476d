"""The folder of hostile programs, in each tier, as root and as an ordinary user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.conformance import load

ROOT = Path(__file__).resolve().parents[2]


def _conform(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox.conformance", str(folder), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.realdata
@pytest.mark.timeout(620)
@pytest.mark.parametrize("tier", ["namespaces", "landlock"])
@pytest.mark.parametrize("who", ["root", "user"])
def test_every_hostile_program_is_contained(test_data: Path, tier: str, who: str) -> None:
    if who == "root" and os.geteuid() != 0:
        pytest.skip("the tests are not run as root")
    done = _conform(test_data / "hostile", "--tier", tier, *(["--user"] if who == "user" else []))
    assert done.returncode == 0, f"{who} in {tier}:\n{done.stdout}{done.stderr}"
    assert " 0 failed" in done.stdout


def _folder(path: Path, code: str, expect: list[str]) -> Path:
    problem = {
        "stdin": [["1\n", "2\n"]],
        "call": {"entry": "f", "args": [[1]], "expected": [2]},
        "assert_": "",
    }
    program = {"file": "a.py", "mode": "stdin", "expect": expect, "tests": None}
    (path / "manifest.json").write_text(json.dumps({"problem": problem, "programs": [program]}))
    (path / "a.py").write_text(code)
    return path


def test_a_program_that_claims_success_is_a_failure(tmp_path: Path) -> None:
    done = _conform(_folder(tmp_path, "print('HOSTILE_SUCCESS')", ["WA"]))
    assert done.returncode == 1
    assert "a.py: it reports success" in done.stdout
    assert "0 passed, 1 failed" in done.stdout


def test_an_unexpected_verdict_is_printed_with_the_expected_one(tmp_path: Path) -> None:
    done = _conform(_folder(tmp_path, "print(2)", ["WA", "RE"]))
    assert done.returncode == 1
    assert "expected RE|WA, got AC" in done.stdout


def test_programs_that_the_manifest_leaves_out_are_read_from_their_comments(tmp_path: Path) -> None:
    _folder(tmp_path, "", ["WA"])
    (tmp_path / "cpp").mkdir()
    (tmp_path / "cpp" / "b.cpp").write_text(
        "// attack: none\n// mode: stdin   expect: CE|TLE   bound: none\n"
    )
    found = {program.path.name: program for program in load(tmp_path)}
    assert found["b.cpp"].expect == {"CE", "TLE"}
    assert found["b.cpp"].tests == {"stdin": [["1\n", "2\n"]]}
