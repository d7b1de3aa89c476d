"""Runs per second in full isolation against a fresh interpreter per test; 1,000 solutions without a leak."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

# A script's folder comes first on the path, where its neighbours would stand in for packages of their names.
sys.path[0] = str(Path(__file__).resolve().parents[2])

from sandbox import Sandbox, StdinTest  # noqa: E402
from sandbox.slot_dir import base_interpreter  # noqa: E402
from tests.bench._report import figure, finish  # noqa: E402

TESTS = 10
ROUNDS = 30
SOLUTIONS = 1_000

PROGRAM = """import sys, math, heapq, collections, re
values = list(map(int, sys.stdin.read().split()))
heapq.heapify(values)
print(sum(heapq.nsmallest(3, values)) + math.gcd(*values))
"""


def _input(number: int) -> str:
    return " ".join(str((number * 7919 + place * 104_729) % 1000 + 1) for place in range(200)) + "\n"


def _fresh(executable: str, inputs: list[str]) -> list[str]:
    return [
        subprocess.run(
            [executable, "-I", "-S", "-c", PROGRAM], input=text, capture_output=True, text=True, check=True
        ).stdout
        for text in inputs
    ]


def _undisturbed(seconds: list[float]) -> float:
    """The median of the faster quarter: what else the machine does only ever adds to a time."""
    return statistics.median(sorted(seconds)[: max(1, len(seconds) // 4)])


def throughput(box: Sandbox) -> None:
    """Alternates the two ways on the same solution and inputs, so that both see the same machine."""
    executable = base_interpreter().executable
    inputs = [_input(number) for number in range(TESTS)]
    wanted = _fresh(executable, inputs)
    tests = [StdinTest(text, expected) for text, expected in zip(inputs, wanted, strict=True)]
    ours, theirs = [], []
    for number in range(ROUNDS):
        start = time.perf_counter()
        _fresh(executable, inputs)
        theirs.append(time.perf_counter() - start)
        start = time.perf_counter()
        result = box.run_stdin(f"{PROGRAM}# solution {number}\n", tests)
        ours.append(time.perf_counter() - start)
        assert result.verdict == "AC", result
    rate, base = TESTS / _undisturbed(ours), TESTS / _undisturbed(theirs)
    figure("sandbox runs", round(rate, 1), unit="runs/s", baseline=round(base, 1), bar=None, holds=True)
    figure(
        f"sandbox runs per second, {TESTS} tests a solution, tier {box.tier}, against a fresh interpreter",
        round(rate / base, 2),
        unit="times the fresh interpreter's rate",
        baseline=round(base, 1),
        bar=8.0,
        holds=rate / base >= 8.0,
    )


def _held() -> tuple[int, int, int]:
    """(descriptors, resident KiB, children) of this process."""
    fds = len(os.listdir("/proc/self/fd"))
    status = Path("/proc/self/status").read_text()
    resident = int(status.partition("VmRSS:")[2].split()[0])
    me = str(os.getpid())
    children = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                children += Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1] == me
            except OSError:
                continue
    return fds, resident, children


def _zygote_kib(box: Sandbox) -> int:
    total = 0
    for pid in box.processes():
        text = Path(f"/proc/{pid}/status").read_text()
        total += int(text.partition("VmRSS:")[2].split()[0])
    return total


def leaks(box: Sandbox) -> None:
    """Runs many solutions, some hostile, and compares what is held before and after."""
    littering = "open('left', 'w').write('x' * 1000)\nimport threading\nprint(int(input()) + 1)"
    kinds = ["print(int(input()) + 1)", littering, "import os\nos._exit(3)", "print('x" + "y" * 5000 + "')"]
    for code in kinds * 5:
        box.run_stdin(code, [StdinTest("1\n", "2\n")])
    before, zygote_before = _held(), _zygote_kib(box)
    memory_before = _shared_memory_kib()
    start = time.perf_counter()
    for number in range(SOLUTIONS):
        box.run_stdin(kinds[number % len(kinds)] + f"\n# {number}", [StdinTest("1\n", "2\n")])
    seconds = time.perf_counter() - start
    after = _held()
    growth = {
        "open descriptors": after[0] - before[0],
        "child processes": after[2] - before[2],
        "sandbox processes": max(0, len(box.processes()) - box.resting_processes),
    }
    for name, value in growth.items():
        figure(
            f"{name} left after {SOLUTIONS} solutions", value, unit="", baseline=0, bar=0, holds=value == 0
        )
    sizes = {
        "driver memory": after[1] - before[1],
        "zygote memory": _zygote_kib(box) - zygote_before,
        "tmpfs and memory files": _shared_memory_kib() - memory_before,
    }
    for name, value in sizes.items():
        figure(
            f"growth of {name} over {SOLUTIONS} solutions ({seconds:.0f} s)",
            value,
            unit="KiB",
            baseline=0,
            bar=4096,
            holds=value <= 4096,
        )


def _shared_memory_kib() -> int:
    return int(Path("/proc/meminfo").read_text().partition("Shmem:")[2].split()[0])


if __name__ == "__main__":
    with Sandbox(slots=1, min_isolation="landlock") as sandbox:
        throughput(sandbox)
        leaks(sandbox)
    finish()
