"""An engine for whole batches: answers in order, and a new engine after one that died."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from factory.core import Busy
from factory.models.event_loop import LoopThread
from factory.models.vllm_process import BatchEngine

pytestmark = pytest.mark.teacher


class Engine:
    """What vLLM's engine looks like to its holder; a later request is answered sooner."""

    def __init__(self, *, dies: bool) -> None:
        self.renderer = SimpleNamespace(render_cmpl=lambda prompts: prompts)
        self._dies = dies

    async def generate(self, prompt: Any, how: str, number: str) -> AsyncIterator[str]:
        from vllm.v1.engine.exceptions import EngineDeadError

        [token] = prompt["prompt_token_ids"]
        await asyncio.sleep(0.05 / token)
        yield "half of an answer"
        if self._dies and token == 3:
            raise EngineDeadError
        yield f"{how} {token}"


def test_a_batch_is_answered_in_order_and_an_engine_that_died_is_started_again() -> None:
    opened: list[str] = []

    @asynccontextmanager
    async def opening() -> AsyncIterator[Engine]:
        opened.append("opened")
        yield Engine(dies=len(opened) == 1)
        opened.append("closed")

    with LoopThread("test") as loop:
        engine = BatchEngine(opening, loop)
        assert engine.generate([[1], [2]], ["a", "b"]) == ["a 1", "b 2"]
        with pytest.raises(Busy, match="engine died"):
            engine.generate([[1], [3]], ["a", "b"])
        assert opened == ["opened", "closed"]
        assert engine.generate([[1], [3]], ["a", "b"]) == ["a 1", "b 3"]
        engine.close()
    assert opened == ["opened", "closed"] * 2
