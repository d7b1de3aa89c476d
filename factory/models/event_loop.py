"""An event loop in a thread of its own, for callers that have none: worker threads, Ray actors, tests."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine, Iterable
from contextlib import ExitStack, suppress
from typing import Any, TypeVar

from factory.core import BudgetSpent, Busy, Interrupted
from factory.core.interrupts import on_interrupt

__all__ = ["LoopThread", "all_or_first_fatal"]

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for any number of threads on one loop, which lives while the context lasts.

    When the run is interrupted, all that is under way is cancelled and nothing new is begun.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._interrupted = False
        self._stack = ExitStack()

    def __enter__(self) -> LoopThread:
        self._thread.start()
        self._stack.enter_context(on_interrupt(self._interrupt))
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()
        self.close_with(_cancel_rest())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end and return its result; an interrupted caller cancels it.

        Raises Interrupted once the run has been interrupted.
        """
        if self._interrupted:
            work.close()
            raise Interrupted("the run was interrupted; run again to resume")
        try:
            return self.close_with(work)
        except concurrent.futures.CancelledError as error:
            raise Interrupted("the run was interrupted; run again to resume") from error

    def close_with(self, work: Coroutine[Any, Any, T]) -> T:
        """Run what frees resources, also after an interrupt."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _interrupt(self) -> None:
        self._interrupted = True
        with suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._cancel_all)

    def _cancel_all(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()


async def _cancel_rest() -> None:
    rest = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


async def all_or_first_fatal(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Wait for all tasks; what cannot be cured by a retry ends the wait at once.

    Raises the first error: a Busy or BudgetSpent once all others have ended too, so that what is paid for
    is not lost.
    """
    waiting, first = set(tasks), None
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
        for error in (t.exception() for t in done):
            if error is not None and not isinstance(error, (Busy, BudgetSpent)):
                raise error
            first = first or error
    if first is not None:
        raise first
