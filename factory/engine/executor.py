"""What runs units: the protocol, and the executor on this machine without Ray."""

from __future__ import annotations

import os
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any, Protocol

from factory.core import Apply, Survey
from factory.core.interrupts import interrupt
from factory.engine.steps import Step
from factory.engine.worker import (
    Done,
    Failed,
    Phase,
    Unit,
    failed,
    holds,
    needs_own_worker,
    open_for,
    run_unit,
)

__all__ = ["Executor", "Holder", "LocalExecutor", "Lost", "Outcome", "run_in_worker"]


class Lost:
    """A unit whose worker or node died: nobody's fault but the machine's."""

    def __init__(self, why: str) -> None:
        self.why = why


Outcome = Done | Failed | Lost


class Executor(Protocol):
    """Takes units and gives outcomes in the order of their finishing."""

    def room(self, step: Step, phase: Phase) -> int:
        """How many more units of this step and phase may be submitted now."""

    def submit(self, step: Step, unit: Unit) -> None:
        """Starts a unit."""

    def wait(self, timeout_s: float) -> list[tuple[Unit, Outcome]]:
        """Outcomes that came in; empty when none did in time."""

    def close_step(self, step: Step) -> None:
        """Ends the workers of a sealed step, so that their memory and GPUs are free."""

    def close(self, *, early: bool = False) -> None:
        """Ends all workers; `early`: the run is broken off, so nothing more may be paid for."""


class Holder:
    """One worker of a step: opens the stage at its first unit and holds it open."""

    def __init__(self, step: Step, phase: Phase) -> None:
        self._step, self._phase = step, phase
        self._stack = ExitStack()
        self._opened: Apply | Survey | None = None
        self._lock = threading.Lock()

    def run(self, unit: Unit) -> Done | Failed:
        """Runs one unit; safe to call from as many threads as the stage's `concurrency`."""
        try:
            with self._lock:
                if self._opened is None:
                    self._opened = self._stack.enter_context(open_for(self._step, self._phase))
        except Exception as error:
            return failed(self._step, unit, error)
        return run_unit(self._step, unit, opened=self._opened)

    def close(self) -> None:
        """Closes what is open."""
        with self._lock:
            self._stack.close()
            self._opened = None


class LocalExecutor:
    """Runs units on this machine; same worker code, no Ray.

    What holds a model or a connection runs in threads of this process. All else is Python that one process
    would run on one CPU: with `processes` it runs in as many worker processes.
    """

    def __init__(self, *, processes: int = 0) -> None:
        self._processes = _worker_processes(processes) if processes > 1 else None
        self._outcomes: queue.Queue[tuple[Unit, Outcome]] = queue.Queue()
        self._pools: dict[int, ThreadPoolExecutor] = {}
        self._holders: dict[tuple[int, Phase], Holder] = {}
        self._flying: Counter[int] = Counter()

    def _capacity(self, step: Step, phase: Phase) -> int:
        if needs_own_worker(step, phase):
            return step.stage.concurrency
        return step.site.resources.workers or os.cpu_count() or 1

    def room(self, step: Step, phase: Phase) -> int:
        """Free threads of the step."""
        return self._capacity(step, phase) - self._flying[step.index]

    def submit(self, step: Step, unit: Unit) -> None:
        """Hands the unit to a thread."""
        pool = self._pools.setdefault(
            step.index,
            ThreadPoolExecutor(max_workers=max(self._capacity(step, p) for p in ("apply", "survey"))),
        )
        self._flying[step.index] += 1
        future: Future[Any] = pool.submit(self._run, step, unit)
        future.add_done_callback(lambda f: None if f.cancelled() else self._outcomes.put((unit, f.result())))

    def _run(self, step: Step, unit: Unit) -> Outcome:
        if needs_own_worker(step, unit.phase) or (holds(step, unit.phase) and not self._processes):
            return self._holders.setdefault((step.index, unit.phase), Holder(step, unit.phase)).run(unit)
        if self._processes is None or unit.phase == "decide":
            return run_unit(step, unit, spread=partial(_spread, pool=self._processes))
        try:
            outcome: Outcome = self._processes.submit(run_in_worker, step, unit).result()
        except (BrokenExecutor, CancelledError) as error:
            return Lost(f"a worker process died: {error}")
        return outcome

    def wait(self, timeout_s: float) -> list[tuple[Unit, Outcome]]:
        """Blocks until one outcome is there, then takes all that are."""
        found: list[tuple[Unit, Outcome]] = []
        try:
            found.append(self._outcomes.get(timeout=timeout_s))
            while True:
                found.append(self._outcomes.get_nowait())
        except queue.Empty:
            pass
        for unit, _ in found:
            self._flying[unit.step] -= 1
        return found

    def close_step(self, step: Step) -> None:
        """Closes what the step holds open."""
        for key in [k for k in self._holders if k[0] == step.index]:
            self._holders.pop(key).close()
        pool = self._pools.pop(step.index, None)
        if pool:
            pool.shutdown(wait=True)

    def close(self, *, early: bool = False) -> None:
        """Waits for units under way, then closes all; where it is `early`, they ask for no more."""
        if early:
            interrupt()
            if self._processes:
                self._processes.shutdown(wait=True, kill_workers=True)
        for pool in self._pools.values():
            pool.shutdown(wait=True, cancel_futures=True)
        if self._processes:
            self._processes.shutdown(wait=True)
        for holder in self._holders.values():
            holder.close()


def _worker_processes(count: int) -> Any:
    """Worker processes that import no main module, so that a caller's script needs no guard."""
    from loky import ProcessPoolExecutor

    return ProcessPoolExecutor(max_workers=count)


def _spread(function: Callable[..., Any], arguments: Any, *, pool: Any = None) -> Iterator[Any]:
    """Runs the calls, a few per CPU pending so that arguments are made when they are wanted."""
    workers = os.cpu_count() or 1
    with ExitStack() as stack:
        runs = pool or stack.enter_context(ThreadPoolExecutor(max_workers=workers))
        pending: deque[Future[Any]] = deque()
        for given in arguments:
            pending.append(runs.submit(function, *given))
            if len(pending) >= 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


_opened_here: dict[tuple[str, Phase], Holder] = {}


def run_in_worker(step: Step, unit: Unit) -> Done | Failed:
    """Runs a unit in a process that takes units of any step; what a light stage opens stays open in it."""
    if not holds(step, unit.phase):
        return run_unit(step, unit)
    return _opened_here.setdefault((step.fingerprint, unit.phase), Holder(step, unit.phase)).run(unit)
