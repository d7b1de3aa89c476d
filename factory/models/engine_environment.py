"""The environment in which an engine's processes are started."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from factory.models.resolve import ModelFolder

__all__ = ["engine_environment"]

_THREAD_CAPS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Set for every worker of a cluster. On a processor the engine pins one thread to each of its cores itself; a
cap above their number makes two threads wait for each other on one core: five times slower."""


@contextmanager
def engine_environment(folder: ModelFolder) -> Iterator[None]:
    """Sets what an engine over this model wants for as long as the context lasts."""
    variables = _variables(folder)
    before = {name: os.environ.get(name) for name in variables}
    _set(variables)
    try:
        yield
    finally:
        _set(before)


def _variables(folder: ModelFolder) -> dict[str, str | None]:
    """Environment of the engine, null for a variable to unset; what else the user has set stays."""
    wanted = {
        # Gibibytes for the attention cache on a processor; of no meaning on a GPU.
        "VLLM_CPU_KVCACHE_SPACE": "2",
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_NO_USAGE_STATS": "1",
        # A forked engine would hold the guardian's pipe open, and not outlive a loaded GPU context.
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
        # A process title written over the environment would hide the guardian's mark.
        "SPT_NOENV": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    if folder.path is not None:
        wanted |= {"HF_HUB_OFFLINE": "1"}
    return {name: os.environ.get(name, value) for name, value in wanted.items()} | dict.fromkeys(_THREAD_CAPS)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
