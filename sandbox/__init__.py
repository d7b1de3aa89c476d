"""Runs untrusted programs against tests, and says for each how it ended.

    with Sandbox(slots=2) as box:
        result = box.run_stdin("print(int(input()) + 1)", [StdinTest("41\\n", "42\\n")])

Expected outputs never enter the sandbox. A failure of the sandbox is the verdict INFRA or an exception, never
a wrong answer.
"""

from sandbox.driver import Sandbox
from sandbox.model import CallTest, Limits, Result, SandboxError, StdinTest, TestResult, Tier, Verdict

__all__ = [
    "CallTest",
    "Limits",
    "Result",
    "Sandbox",
    "SandboxError",
    "StdinTest",
    "TestResult",
    "Tier",
    "Verdict",
]
