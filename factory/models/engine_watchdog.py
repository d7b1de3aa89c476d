"""Notices an engine that is there and does nothing any more, and ends it, so that it can be started again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import psutil

__all__ = ["children", "end", "watched"]

_BEATS = 4
"""Signs of life that are asked for in the time that one may take."""


@asynccontextmanager
async def watched(
    ask: Callable[[], Awaitable[Any]], *, patience_s: float, stop: Callable[[], None]
) -> AsyncIterator[None]:
    """Calls `stop` once when `ask` has no answer within `patience_s` seconds.

    What `ask` raises ends the watch: an engine that knows that it is dead tells its requests itself.
    """
    watch = asyncio.create_task(_watch(ask, patience_s=patience_s, stop=stop))
    try:
        yield
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch


async def _watch(ask: Callable[[], Awaitable[Any]], *, patience_s: float, stop: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(patience_s / _BEATS)
        try:
            async with asyncio.timeout(patience_s):
                await ask()
        except TimeoutError:
            stop()
            return
        except Exception:
            return


def children() -> set[psutil.Process]:
    """All processes below this one."""
    return set(psutil.Process().children(recursive=True))


def end(processes: Iterable[psutil.Process]) -> None:
    """Kills those that are still there, stopped ones too."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
