"""What cannot be isolated is refused, in words that name the call, the errno and the cure."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sandbox import Limits, Sandbox, SandboxError, StdinTest
from sandbox.selftest import self_test
from sandbox.tiers import explain

ROOT = Path(__file__).resolve().parents[2]

# Runs in a process of its own, since a filter stays on for good.
UNDER_A_FILTER = """
import errno, sys
from sandbox import Sandbox, SandboxError, StdinTest
from sandbox.inside import filters, kernel
denied = [int(number) for number in sys.argv[2].split(",")]
program = filters.Program()
for number in denied:
    program.refuse(number, errno_=errno.EPERM)
program.allow(range(600))
kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
program.prepare().install()
try:
    with Sandbox(min_isolation=sys.argv[1]) as box:
        print(box.tier, box.run_stdin("print(1)", [StdinTest("", "1")]).verdict)
except SandboxError as error:
    print("refused:", error)
"""
UNSHARE, MOUNT, LANDLOCK, SECCOMP_PRCTL = 272, 165, 444, 157


def _under_a_filter(min_isolation: str, *denied: int) -> str:
    numbers = ",".join(str(number) for number in denied)
    done = subprocess.run(
        [sys.executable, "-c", UNDER_A_FILTER, min_isolation, numbers],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return done.stdout


def test_a_missing_tier_is_refused_with_the_call_and_the_cure() -> None:
    said = _under_a_filter("namespaces", UNSHARE)
    assert said.startswith("refused: tier 'namespaces' is not available: unshare("), said
    assert "Operation not permitted (EPERM)" in said
    assert "user.max_user_namespaces" in said, "the cure must be named"
    assert "Not tried: landlock" in said


def test_the_next_tier_is_taken_only_when_it_is_allowed() -> None:
    assert _under_a_filter("landlock", UNSHARE) == "landlock AC\n"


def test_every_tier_that_failed_is_named() -> None:
    said = _under_a_filter("landlock", UNSHARE, LANDLOCK)
    assert "'namespaces' is not available: unshare(" in said
    assert "'landlock' is not available: landlock_create_ruleset: Operation not permitted" in said


def test_a_mount_that_is_denied_is_named() -> None:
    said = _under_a_filter("namespaces", MOUNT)
    assert "is not available: mount(" in said, said


def test_no_isolation_needs_its_own_word() -> None:
    with pytest.raises(SandboxError, match="allow_unsafe_execution=True"):
        Sandbox(tier="rlimits")


def test_a_probe_that_gets_through_is_a_refusal(tmp_path: Path) -> None:
    directory = tempfile.mkdtemp(dir=tmp_path) if os.geteuid() else tempfile.mkdtemp(dir="/dev/shm")
    os.chmod(directory, 0o755)
    with Sandbox(tier="rlimits", allow_unsafe_execution=True, limits=Limits(cpu_s=5)) as box:
        assert box.run_stdin("print(1)", [StdinTest("", "1")]).verdict == "AC"
        with pytest.raises(SandboxError, match=r"the probes .*read_host_file.* got through"):
            self_test(box, directory)
    os.rmdir(directory)


def test_the_cure_of_an_unknown_failure_is_its_detail() -> None:
    assert "failed: boom" in explain("landlock", {"call": "start", "errno": 0, "detail": "boom"})


def test_a_language_without_a_tool_is_an_error_and_not_a_verdict(box: Sandbox) -> None:
    with pytest.raises(SandboxError, match="'cobol' is not available here; there are python"):
        box.run_stdin("DISPLAY 1.", [StdinTest("")], language="cobol")
