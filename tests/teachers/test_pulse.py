"""Signs of life: asked for again and again, missed once, and stopped with the engine."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from factory.models.engine_watchdog import children, end, watched


async def watch(answers: list[float | Exception], *, for_s: float) -> tuple[int, int]:
    """Asks an engine whose next answers take so long, or fail; the asks, and the stops."""
    asked = stopped = 0

    async def ask() -> None:
        nonlocal asked
        answer = answers[min(asked, len(answers) - 1)]
        asked += 1
        if isinstance(answer, Exception):
            raise answer
        await asyncio.sleep(answer)

    def stop() -> None:
        nonlocal stopped
        stopped += 1

    async with watched(ask, patience_s=0.2, stop=stop):
        await asyncio.sleep(for_s)
    return asked, stopped


def test_an_engine_that_answers_is_left_alone() -> None:
    asked, stopped = asyncio.run(watch([0.0], for_s=0.5))
    assert asked > 3
    assert stopped == 0


def test_one_that_is_slow_within_its_time_is_left_alone() -> None:
    assert asyncio.run(watch([0.1, 0.0], for_s=0.5))[1] == 0


def test_one_that_gives_no_sign_is_stopped_once() -> None:
    assert asyncio.run(watch([0.0, 60.0], for_s=1.0)) == (2, 1)


def test_one_that_knows_it_is_dead_is_asked_no_more() -> None:
    assert asyncio.run(watch([RuntimeError("dead")], for_s=0.5)) == (1, 0)


def test_an_error_inside_is_not_hidden() -> None:
    async def fail() -> None:
        async with watched(asyncio.Event().wait, patience_s=60, stop=lambda: None):
            raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        asyncio.run(fail())


def test_what_was_started_meanwhile_is_ended_and_nothing_else() -> None:
    nap = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(nap) as before:
        others = children()
        with subprocess.Popen(nap) as own:
            end(children() - others)
            assert own.wait(20) == -9
        assert before.poll() is None
        before.kill()
    end([])
