"""Runs the code blocks of a turn in the sandbox, one after another, as the cells of a notebook are run.

No process lives between two blocks. A block is run at the end of a program that first runs all earlier ones
again with their output thrown away. Chance is the same in every run of a turn, by seeds for `random` and
numpy; what depends on a clock, or on the order of a set of texts, may differ from what was printed before.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

from factory.core import Busy, PipelineError
from sandbox import Limits, Result, Sandbox, SandboxError, StdinTest, TestResult, Tier
from verifiers.code.verifier import package_dirs

__all__ = ["Cells", "Ran", "shortened"]

_REPLAY_SLACK = 1.5
"""What the earlier blocks may take when they run again, as a multiple of what they took the last time."""

_PROGRAM = """
def _turn(blocks, chance, mark):
    import ast, os, random, sys, traceback
    space = globals()
    del space["_turn"]
    random.seed(chance)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(chance)
    say, end, write, name = print, os._exit, os.write, "<code>"

    def flush():
        for stream in (sys.stdout, sys.__stdout__):
            try:
                stream.flush()
            except BaseException:
                pass

    def run(block):
        try:
            tree = ast.parse(block, name)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, name, "exec"), space)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), name, "eval"), space)
                if value is not None:
                    say(repr(value))
        except BaseException as error:
            return "".join(traceback.format_exception_only(type(error), error)).strip()
        return ""

    out, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    for block in blocks[:-1]:
        run(block)
    flush()
    os.dup2(out, 1)
    error = run(blocks[-1])
    flush()
    last = (mark + error + mark).encode("utf-8", "replace")
    while last:
        last = last[write(1, last):]
    end(0)
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """How one block went."""

    text: str
    """What it printed, the value of its last expression, and the last lines of its traceback."""
    stays: bool
    """Whether its effects stay: not where it was stopped from outside or ended its own process."""
    cpu_s: float
    """CPU seconds of the block and of those before it."""


class Cells:
    """A sandbox for the blocks of many turns at the same time; opened on, and used from, one event loop."""

    def __init__(self, box: Sandbox, threads: ThreadPoolExecutor, *, cpu_s: float, memory_mb: int) -> None:
        """`cpu_s` CPU seconds for a block, `memory_mb` MiB for all of a turn together."""
        self._box, self._threads = box, threads
        self._cpu_s, self._memory_mb = cpu_s, memory_mb
        self._closing = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        slots: int,
        cpu_s: float,
        memory_mb: int,
        packages: Sequence[str],
        min_isolation: Tier,
        allow_unsafe_execution: bool,
    ) -> AsyncIterator[Cells]:
        """Raises PipelineError when this machine cannot isolate programs as asked, or lacks a package."""

        def start() -> Sandbox:
            return Sandbox(
                slots=slots,
                min_isolation=min_isolation,
                site_dirs=package_dirs(packages),
                preload=packages,
                allow_unsafe_execution=allow_unsafe_execution,
            )

        loop = asyncio.get_running_loop()
        # The threads stay until the sandbox is closed: its processes end with the thread that started them.
        with ThreadPoolExecutor(slots, "cells") as threads:
            try:
                box = await loop.run_in_executor(threads, start)
            except SandboxError as error:
                raise PipelineError(f"interpreter: code cannot be run here: {error}") from error
            cells = cls(box, threads, cpu_s=cpu_s, memory_mb=memory_mb)
            try:
                yield cells
            finally:
                cells._closing = True
                await asyncio.to_thread(box.close)

    async def run(self, blocks: Sequence[str], *, chance: int, earlier_cpu_s: float) -> Ran:
        """Run the last block after all others; `earlier_cpu_s` is what the others took the last time.

        Raises Busy when the sandbox fails: that says nothing of the block, which can be run again.
        """
        mark = f"\0{secrets.token_hex(16)}\0"
        # Spelt in ASCII: the program is text, and a block may hold anything.
        program = f"{_PROGRAM}\n_turn({list(blocks)!a}, {chance}, {mark!r})\n"
        limits = Limits(cpu_s=self._cpu_s + _REPLAY_SLACK * earlier_cpu_s, memory_mb=self._memory_mb)
        try:
            result = await asyncio.get_running_loop().run_in_executor(
                self._threads, lambda: self._run(program, limits)
            )
        except (SandboxError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not self._closing:
                raise
            raise Busy(f"interpreter: {error}") from error
        if not result.tests or result.tests[0].verdict == "INFRA":
            reason = result.tests[0].reason if result.tests else result.reason
            raise Busy(f"interpreter: the sandbox failed: {reason}")
        return self._read(result, mark)

    def _run(self, program: str, limits: Limits) -> Result:
        everything = int(limits.output_mb * (1 << 20))
        result = self._box.run_stdin(program, [StdinTest("")], limits=limits, keep_output=everything)
        if result.tests and result.tests[0].exit_code == -signal.SIGKILL and result.verdict == "RE":
            # By no limit: by a machine out of memory, which happens once, or by the code itself.
            result = self._box.run_stdin(program, [StdinTest("")], limits=limits, keep_output=everything)
        return result

    def _read(self, result: Result, mark: str) -> Ran:
        [test] = result.tests
        printed, ended, rest = test.stdout.partition(mark)
        error = rest.partition(mark)[0]
        stays = test.verdict == "AC" and bool(ended)
        if not stays:
            error = f"{self._end(test)}; nothing that it did remains"
        lines = [part for part in (printed.rstrip("\n"), error) if part]
        return Ran("\n".join(lines), stays, test.cpu_s)

    def _end(self, test: TestResult) -> str:
        """How code that did not come to its end was ended, in the words of a last line of a traceback."""
        known = {
            "AC": "SystemExit: the code ended its own process",
            "TLE": f"TimeoutError: the code took more than {self._cpu_s:g} s",
            "MLE": f"MemoryError: the code used more than {self._memory_mb} MiB",
            "OLE": "OSError: the code wrote too much",
        }
        return known.get(test.verdict, test.reason)


def shortened(text: str, *, most: int) -> str:
    """The text, or its start and its end in `most` characters with a line between them that says so."""
    if len(text) <= most:
        return text
    notice = f"\n... {len(text) - most:,} characters and more are left out ...\n"
    room = max(0, most - len(notice))
    return text[: room - room // 2] + notice + (text[-(room // 2) :] if room > 1 else "")
