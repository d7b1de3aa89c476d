"""From the record of a run to verdicts: the only place where an outcome gets its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from sandbox.compare import values_equal
from sandbox.inside.codec import CodecError
from sandbox.inside.decoder import decode
from sandbox.inside.test_report import read
from sandbox.model import Limits, TestResult, Verdict

__all__ = [
    "KEEP_BYTES",
    "call_result",
    "doubt",
    "overall",
    "resource_verdict",
    "stdin_result",
    "trial_results",
]

_SIGNALS = {4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 31: "SIGSYS"}
_OUT_OF_MEMORY = ("MemoryError", "std::bad_alloc", "java.lang.OutOfMemoryError", "heap out of memory")
_SIGXCPU, _SIGXFSZ = 24, 25
KEEP_BYTES = 10_000
"""How much of an output a result keeps unless told otherwise."""

_NEAR = 0.2
"""A time-out within this share of the limit may be the machine's doing and is measured again, alone."""


def resource_verdict(head: dict[str, Any], err: bytes, limits: Limits) -> tuple[Verdict | None, str]:
    """The limit that ended a run, if one did, and a sentence about it."""
    killed, cpu_s = head["killed"], head["cpu_s"]
    if head["flooded"] or head["signal"] == _SIGXFSZ:
        return "OLE", f"more than {limits.output_mb:g} MB of output"
    if killed == "memory":
        return "MLE", f"more than {limits.memory_mb} MB in use"
    if killed == "cpu" or head["signal"] == _SIGXCPU or cpu_s > limits.cpu_s:
        return "TLE", f"{cpu_s:.2f} s of CPU, limit {limits.cpu_s:g} s"
    if killed == "wall":
        return "TLE", f"{head['wall_s']:.2f} s of wall time, limit {limits.effective_wall_s():g} s"
    if killed == "idle":
        return "TLE", f"the tests up to this one were idle for more than {limits.effective_idle_s():g} s"
    if killed == "files":
        return (
            "OLE",
            f"more than {limits.scratch_files} files or {limits.scratch_mb} MB in the scratch directory",
        )
    if killed == "threads":
        return "RE", f"more than {limits.threads} threads"
    last = err.decode(errors="replace").strip().rpartition("\n")[2]
    if (head["exit"] or head["signal"]) and any(mark in last for mark in _OUT_OF_MEMORY):
        return "MLE", f"out of memory: {last[:200]}"
    return None, ""


Doubt = Literal["near", "idle"]
"""Why a time-out may be the machine's doing: close to the limit, or hardly any CPU used when the wall limit
came."""


def doubt(result: TestResult, limits: Limits) -> Doubt | None:
    """Why a result should be measured again; None when it stands.

    What is near the limit is measured without other runs beside it; what was idle, waiting for the machine's
    disk or asleep by its own choice, may run beside others, so that sleepers do not stop everyone.
    """
    if result.verdict != "TLE":
        return None
    if (1 - _NEAR) * limits.cpu_s <= result.cpu_s <= (1 + _NEAR) * limits.cpu_s:
        return "near"
    return "idle" if result.cpu_s < (1 - _NEAR) * limits.cpu_s else None


def overall(tests: Sequence[TestResult]) -> Verdict:
    """That of the first test that did not pass, else AC."""
    return next((test.verdict for test in tests if test.verdict != "AC"), "AC")


def _ended(
    head: dict[str, Any],
    out: bytes,
    err: bytes,
    verdict: Verdict,
    reason: str,
    *,
    name: str = "",
    keep: int = KEEP_BYTES,
) -> TestResult:
    signal_number = head["signal"]
    return TestResult(
        verdict=verdict,
        cpu_s=round(head["cpu_s"], 4),
        wall_s=round(head["wall_s"], 4),
        rss_mb=round(head["rss_bytes"] / (1 << 20), 1),
        reason=reason,
        stdout=out[-keep:].decode(errors="replace"),
        stderr=err[-4_000:].decode(errors="replace"),
        name=name,
        exit_code=-signal_number if signal_number else head["exit"],
    )


def _crash(head: dict[str, Any], err: bytes) -> str:
    if head["signal"]:
        return f"killed by {_SIGNALS.get(head['signal'], head['signal'])}"
    last = err.decode(errors="replace").strip().rpartition("\n")[2]
    return f"exit status {head['exit']}: {last[:300]}".rstrip(": ")


def stdin_result(
    head: dict[str, Any], parts: list[bytes], limits: Limits, accept: Any, *, keep: int = KEEP_BYTES
) -> TestResult:
    """The result of one stdin test; `accept` judges the output text, null accepts any."""
    out, err = parts
    verdict, reason = resource_verdict(head, err, limits)
    if verdict is None and (head["signal"] or head["exit"]):
        verdict, reason = "RE", _crash(head, err)
    if verdict is None:
        text = out.decode("utf-8", "replace")
        accepted = accept is None or accept(text)
        verdict, reason = ("AC", "") if accepted else ("WA", "the output differs from the one expected")
    return _ended(head, out, err, verdict, reason, keep=keep)


def call_result(
    head: dict[str, Any], parts: list[bytes], limits: Limits, expected: Any, same: Any
) -> TestResult:
    """The result of one call test; the returned value is decoded and compared here."""
    out, err, returned = parts
    verdict, reason = resource_verdict(head, err, limits)
    if verdict is None and (head["signal"] or head["exit"]):
        verdict, reason = "RE", _crash(head, err)
    if verdict is None and not returned:
        verdict, reason = "RE", "the process ended before the call returned"
    if verdict is None and returned.startswith(b"!"):
        too_large = b"large" in returned
        verdict, reason = (
            ("OLE" if too_large else "WA"),
            "the result cannot be compared: " + _line(returned[1:]),
        )
    if verdict is None:
        try:
            value = decode(returned)
            accepted = bool((same or values_equal)(value, expected))
            verdict, reason = ("AC", "") if accepted else ("WA", f"returned {_short(value)}")
        except (CodecError, RecursionError) as error:
            verdict, reason = "WA", f"the result cannot be compared: {error}"
    return _ended(head, out, err, verdict, reason)


def _line(text: bytes) -> str:
    return text[:200].decode(errors="replace")


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:
        text = "a very large number"
    return text if len(text) <= 200 else text[:200] + "..."


def trial_results(head: dict[str, Any], parts: list[bytes], limits: Limits) -> tuple[list[TestResult], bool]:
    """The results of an assert or pytest run, and whether its harness was weak."""
    report, out, err, judge_err = parts
    told = read(report)
    if told.error is not None:
        return [_ended(head, out, err, "RE", told.error)], False
    verdict, reason = resource_verdict(head, err, limits)
    if verdict is None and head["judge"]["killed"] in ("cpu", "wall", "memory"):
        verdict, reason = "TLE", "the tests did not end in time"
    tests = told.tests
    if not told.closed:
        tests = [*tests, {"name": told.under_way, "outcome": "died", "reason": ""}]
        if verdict is None:
            verdict, reason = "RE", "the tests ended their own process: " + _line(judge_err[-200:])
    # Killed because the tests were over: how the solution's process ended means nothing then.
    elif verdict is None and any(test["outcome"] == "died" for test in tests):
        verdict, reason = "RE", _crash(head, err)
    results = []
    for test in tests:
        if test["outcome"] == "skipped":
            continue
        named, why = _named(test, verdict, reason)
        ended = _ended(head, out, err, named, why, name=test["name"])
        results.append(replace(ended, undecided=test.get("undecided", "")))
    if not results:
        results.append(_ended(head, out, err, "WA", "every test was skipped"))
    return results, told.weak


def _named(test: dict[str, Any], verdict: Verdict | None, reason: str) -> tuple[Verdict, str]:
    outcome = test["outcome"]
    if outcome == "passed":
        return "AC", ""
    if outcome == "died":
        return verdict or "RE", reason or test["reason"]
    return ("RE" if outcome == "error" else "WA"), test["reason"]
