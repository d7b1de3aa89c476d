"""The teacher in this process: vLLM's asynchronous engine, and what identifies it."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from factory.core import PipelineError, Resources
from factory.core.paths import DataPath, ModelName
from factory.models.engine_environment import engine_environment
from factory.models.engine_watchdog import children, end, watched
from factory.models.orphan_reaper import guarded
from factory.models.resolve import ModelFolder, resolve
from factory.models.vllm_engine import Engine
from factory.teachers.alternatives import MOST_ALTERNATIVES
from factory.teachers.base import LiveTeacher, Teacher
from factory.teachers.completion_files import content_digest

__all__ = ["Vllm"]

_IDENTITY_ARGUMENTS = frozenset(
    {"model", "tokenizer", "revision", "tokenizer_revision", "dtype", "quantization", "max_model_len", "seed"}
)
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks that vLLM allows as `max_lora_rank`."""

_SHUTDOWN_S = 20.0
"""Time for the engine to end by itself, in seconds, before it is killed."""


class Vllm(Teacher):
    """A model folder, a packaged model or a Hugging Face id, run by vLLM in the worker itself."""

    gives_alternatives: ClassVar[bool] = True

    type: Literal["vllm"] = "vllm"
    model: ModelName
    """Packaged name, folder in Hugging Face form, or id on the Hugging Face hub."""
    revision: str | None = None
    """Commit on the hub; of no meaning for a folder."""
    label: str | None = None
    """Name that completions carry; null: the model's name, or the last part of its folder."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """Number type of weights and activations; `auto`: the one that the model is stored in."""
    quantization: str | None = None
    """vLLM's name of a quantisation; null: what the model's configuration says."""
    max_model_len: Annotated[int, Field(ge=1)] | None = None
    """Tokens of prompt and completion together; null: the model's own limit."""
    chat_template: str | None = None
    """Jinja template in place of the tokenizer's."""
    chat_template_kwargs: Mapping[str, Any] = Field(default_factory=dict)
    """More variables for the chat template, e.g. `{enable_thinking: true}`."""
    reasoning: str = "tags"
    """How thinking is told from the answer: `tags`, `none`, or the name of a vLLM reasoning parser."""
    reasoning_tags: tuple[str, str] = ("<think>", "</think>")
    """Opening and closing tag for `tags`."""
    lora: DataPath | None = None
    """Folder of a LoRA adapter in PEFT form that is laid over the model; null: none."""

    @property
    def name(self) -> str:
        """The label, or the model's own name: never a path."""
        return self.label or (Path(self.model).name if Path(self.model).is_dir() else self.model)

    def identity(self) -> dict[str, Any]:
        """The fields, with the digest of weights, tokenizer and chat template in place of where they lie."""
        fields = self.model_dump(mode="json", exclude={"model", "revision", "label", "lora"})
        adapter = {} if self.lora is None else {"lora": content_digest(_adapter_files(self.lora))}
        return {**fields, "model": self._folder().digest, **adapter}

    @asynccontextmanager
    async def open(self, resources: Resources) -> AsyncIterator[LiveTeacher]:
        """Load the model: on a processor 40 s and more. Engine processes never outlive this one.

        An engine that gives no sign of life is killed, and its requests raise TeacherDown.
        """
        _refuse_identity(resources.engine_args)
        folder, others = self._folder(), children()
        with guarded(), engine_environment(folder):
            from vllm.v1.engine.async_llm import AsyncLLM

            engine = AsyncLLM.from_engine_args(self._engine_args(folder, resources))
        try:
            live = Engine(self, engine)
            own = children() - others
            async with watched(engine.is_sleeping, patience_s=resources.health_s, stop=lambda: end(own)):
                yield live
        finally:
            engine.shutdown(timeout=_SHUTDOWN_S)

    def require_template(self, tokenizer: Any) -> None:
        """Raises PipelineError when neither the teacher nor its tokenizer has a chat template."""
        if self.chat_template is None and not getattr(tokenizer, "chat_template", None):
            raise PipelineError(
                f"model '{self.name}' has no chat template; set `chat_template` of the teacher"
            )

    def rendered(self, tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> str:
        """The conversation as text by the chat template, up to where the answer begins.

        The text holds its special tokens already. Raises whatever the template raises: it is a program.
        """
        return str(
            tokenizer.apply_chat_template(
                [dict(message) for message in messages],
                tokenize=False,
                add_generation_prompt=True,
                chat_template=self.chat_template,
                **self.chat_template_kwargs,
            )
        )

    def _folder(self) -> ModelFolder:
        return resolve(self.model, revision=self.revision)

    def _engine_args(self, folder: ModelFolder, resources: Resources) -> Any:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.platforms import current_platform

        arguments: dict[str, Any] = {
            "model": folder.source,
            "revision": self.revision if folder.path is None else None,
            "dtype": self._dtype(folder),
            "quantization": self.quantization,
            "max_model_len": self.max_model_len,
            "tensor_parallel_size": resources.tensor_parallel_size,
            "enable_prefix_caching": True,
            "max_logprobs": MOST_ALTERNATIVES,
            "disable_log_stats": True,
            # Where requests cannot have seeds of their own, a fixed seed would make an engine that is started
            # again repeat the draws of its first life.
            "seed": secrets.randbits(31),
        }
        if current_platform.is_cpu():
            arguments["enforce_eager"] = True
        if self.lora is not None:
            arguments |= {"enable_lora": True, "max_lora_rank": _rank(self.lora)}
        try:
            return AsyncEngineArgs(**arguments | resources.engine_args)
        except TypeError as error:
            raise PipelineError(f"engine_args: {error}; see vLLM's engine arguments") from error

    def _dtype(self, folder: ModelFolder) -> str:
        # vLLM's own `auto` turns float32 into whatever 16 bits the machine likes: another text per machine.
        if self.dtype != "auto" or folder.path is None:
            return self.dtype
        config = json.loads((folder.path / "config.json").read_text(encoding="utf-8"))
        return str(config.get("dtype") or config.get("torch_dtype") or "auto")


def _refuse_identity(engine_args: Mapping[str, Any]) -> None:
    fixed = sorted(_IDENTITY_ARGUMENTS & engine_args.keys())
    if fixed:
        raise PipelineError(
            f"engine_args must not hold {fixed}: they can change the text; set fields of the teacher"
        )


def _adapter_files(folder: str) -> list[str]:
    """Raises PipelineError when the folder holds no adapter."""
    files = [os.path.join(folder, name) for name in ("adapter_config.json", "adapter_model.safetensors")]
    for file in files:
        if not os.path.isfile(file):
            raise PipelineError(f"lora: {file} is not there; wanted a folder as PEFT saves it")
    return files


def _rank(folder: str) -> int:
    """The smallest rank that vLLM makes room for and that the adapter fits into."""
    wanted = json.loads(Path(_adapter_files(folder)[0]).read_text(encoding="utf-8"))["r"]
    return next((rank for rank in _RANKS if rank >= wanted), _RANKS[-1])
