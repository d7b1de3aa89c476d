"""A vLLM engine in processes below this one: which arguments it takes, its start, its watch and its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import Any

from factory.core import Busy, PipelineError, Resources
from factory.models.engine_environment import engine_environment
from factory.models.engine_watchdog import children, end, watched
from factory.models.event_loop import LoopThread
from factory.models.orphan_reaper import guarded
from factory.models.resolve import ModelFolder

__all__ = ["BatchEngine", "batch_engine", "final_output", "opened_engine", "stored_dtype"]

_IDENTITY_ARGUMENTS = frozenset(
    {
        *("model", "tokenizer", "revision", "tokenizer_revision", "dtype", "quantization", "max_model_len"),
        *("seed", "runner", "convert", "hf_overrides", "pooler_config"),
    }
)
"""What can change a text or a score: no run option."""
_SHUTDOWN_S = 20.0
"""Time for the engine to end by itself, in seconds, before it is killed."""


def stored_dtype(folder: ModelFolder, *, revision: str | None = None) -> str:
    """The number type a model is stored in, or `auto` where its configuration does not say.

    vLLM's own `auto` turns float32 into whatever 16 bits the machine likes: another text per machine.
    Raises PipelineError when there is no configuration that can be read.
    """
    from transformers import PretrainedConfig

    try:
        settings, _ = PretrainedConfig.get_config_dict(folder.source, revision=revision)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise PipelineError(f"model '{folder.name}': its configuration cannot be read ({reason})") from error
    return str(settings.get("dtype") or settings.get("torch_dtype") or "auto").removeprefix("torch.")


@asynccontextmanager
async def opened_engine(
    folder: ModelFolder,
    *,
    resources: Resources,
    revision: str | None = None,
    defaults: Mapping[str, Any] | None = None,
    **fixed: Any,
) -> AsyncIterator[Any]:
    """An `AsyncLLM` over a model: on a processor 40 s and more. Its processes never outlive this one.

    `fixed` are arguments of the engine that stand, `defaults` those that the run options may change. An
    engine that gives no sign of life for `health_s` is killed, and its requests raise vLLM's EngineDeadError.

    Raises:
        PipelineError: `engine_args` of the step hold what can change an answer, or what vLLM refuses.
    """
    _refuse(resources.engine_args.keys() & (_IDENTITY_ARGUMENTS | fixed.keys()))
    arguments = {
        "model": folder.source,
        "revision": revision if folder.path is None else None,
        "tensor_parallel_size": resources.tensor_parallel_size,
        "disable_log_stats": True,
        **(defaults or {}),
        **fixed,
        **resources.engine_args,
    }
    others = children()
    with guarded(), engine_environment(folder):
        engine = _started(folder, arguments)
    try:
        own = children() - others
        async with watched(engine.is_sleeping, patience_s=resources.health_s, stop=lambda: end(own)):
            yield engine
    finally:
        engine.shutdown(timeout=_SHUTDOWN_S)


def _refuse(arguments: Set[str]) -> None:
    if arguments:
        raise PipelineError(
            f"engine_args must not hold {sorted(arguments)}: they can change what the model says; set fields "
            "of the teacher"
        )


def _started(folder: ModelFolder, arguments: Mapping[str, Any]) -> Any:
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.platforms import current_platform
    from vllm.v1.engine.async_llm import AsyncLLM

    eager = {"enforce_eager": True} if current_platform.is_cpu() else {}
    try:
        return AsyncLLM.from_engine_args(AsyncEngineArgs(**eager | dict(arguments)))
    except (TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise PipelineError(
            f"model '{folder.name}': vLLM does not load it with these engine_args ({reason})"
        ) from error


async def final_output(outputs: Any) -> Any:
    """The last of what a request gives."""
    last = None
    async for output in outputs:
        last = output
    return last


class BatchEngine:
    """An engine for callers that wait for whole batches; one that died is started again by the next batch."""

    def __init__(self, opening: Callable[[], AbstractAsyncContextManager[Any]], loop: LoopThread) -> None:
        self._opening, self._loop = opening, loop
        self._context: AbstractAsyncContextManager[Any] | None = None
        self._number = 0
        self._engine: Any = None
        self._open()

    @property
    def tokenizer(self) -> Any:
        """The model's tokenizer."""
        return self._engine.get_tokenizer()

    @property
    def context(self) -> int:
        """Tokens of prompt and answer together."""
        return int(self._engine.model_config.max_model_len)

    def generate(self, prompts: Sequence[Sequence[int]], how: Sequence[Any]) -> list[Any]:
        """vLLM's outputs for prompts of token ids, in order; `how` are their SamplingParams.

        Raises Busy when the engine died: the same batch may be asked again.
        """
        return self._all("generate", prompts, how)

    def encode(self, prompts: Sequence[Sequence[int]], how: Any) -> list[Any]:
        """The same of a pooling model, with one PoolingParams for all."""
        return self._all("encode", prompts, [how] * len(prompts))

    def close(self) -> None:
        """End the engine."""
        context, self._context, self._engine = self._context, None, None
        if context is not None:
            self._loop.close_with(_left(context))

    def _open(self) -> None:
        context = self._opening()
        self._engine = self._loop.run(_entered(context))
        self._context = context

    def _all(self, method: str, prompts: Sequence[Sequence[int]], how: Sequence[Any]) -> list[Any]:
        from vllm.v1.engine.exceptions import EngineDeadError

        if self._context is None:
            self._open()
        try:
            return self._loop.run(self._asked(getattr(self._engine, method), prompts, how))
        except EngineDeadError as error:
            self.close()
            raise Busy("the vLLM engine died; the batch is asked again") from error

    async def _asked(self, ask: Any, prompts: Sequence[Sequence[int]], how: Sequence[Any]) -> list[Any]:
        from vllm import TokensPrompt

        given = self._engine.renderer.render_cmpl([TokensPrompt(prompt_token_ids=list(p)) for p in prompts])
        first, self._number = self._number, self._number + len(given)
        tasks = [
            asyncio.create_task(final_output(ask(prompt, one, f"{first + place}")))
            for place, (prompt, one) in enumerate(zip(given, how, strict=True))
        ]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()


@contextmanager
def batch_engine(
    folder: ModelFolder,
    *,
    resources: Resources,
    revision: str | None = None,
    defaults: Mapping[str, Any] | None = None,
    **fixed: Any,
) -> Iterator[BatchEngine]:
    """An engine over a model as `opened_engine` opens it, with its errors."""

    def opening() -> AbstractAsyncContextManager[Any]:
        return opened_engine(folder, resources=resources, revision=revision, defaults=defaults, **fixed)

    with LoopThread("vllm") as loop:
        engine = BatchEngine(opening, loop)
        try:
            yield engine
        finally:
            engine.close()


async def _entered(context: AbstractAsyncContextManager[Any]) -> Any:
    return await context.__aenter__()


async def _left(context: AbstractAsyncContextManager[Any]) -> None:
    with suppress(asyncio.CancelledError):
        await context.__aexit__(None, None, None)
