"""The teacher on a vLLM engine of its own, and what identifies it."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from factory.core import PipelineError, Resources
from factory.core.extras import lacking
from factory.core.paths import DataPath, ModelName
from factory.models.resolve import ModelFolder, resolve
from factory.models.vllm_process import BatchEngine, batch_engine, opened_engine, stored_dtype
from factory.teachers.alternatives import MOST_ALTERNATIVES
from factory.teachers.base import LiveTeacher, Teacher
from factory.teachers.completion_files import content_digest
from factory.teachers.vllm_engine import Engine

__all__ = ["Vllm"]

_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks that vLLM allows as `max_lora_rank`."""


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

    def lacks(self, resources: Resources) -> str | None:
        """vLLM, in the build for this machine."""
        missing = lacking("vllm", "vllm")
        return None if missing is None else f"teacher '{self.name}' {missing} (without a GPU: [cpu])"

    @asynccontextmanager
    async def open(self, resources: Resources) -> AsyncIterator[LiveTeacher]:
        """Load the model: on a processor 40 s and more. Engine processes never outlive this one.

        An engine that gives no sign of life is killed, and its requests raise TeacherDown.
        """
        folder = self._folder()
        lora = {} if self.lora is None else {"enable_lora": True, "max_lora_rank": _rank(self.lora)}
        async with opened_engine(
            folder,
            resources=resources,
            revision=self.revision,
            defaults={"enable_prefix_caching": True, **lora},
            max_logprobs=MOST_ALTERNATIVES,
            # Where requests cannot have seeds of their own, a fixed seed would make an engine that is started
            # again repeat the draws of its first life.
            seed=secrets.randbits(31),
            **self._model_arguments(folder),
        ) as engine:
            yield Engine(self, engine)

    def batch_engine(
        self, *, resources: Resources, defaults: Mapping[str, Any] | None = None, **fixed: Any
    ) -> AbstractContextManager[BatchEngine]:
        """The model for whole batches, without its adapter; arguments and errors as of `opened_engine`."""
        folder = self._folder()
        return batch_engine(
            folder,
            resources=resources,
            revision=self.revision,
            defaults=defaults,
            **self._model_arguments(folder),
            **fixed,
        )

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

    def _model_arguments(self, folder: ModelFolder) -> dict[str, Any]:
        dtype: str = self.dtype
        return {
            "dtype": stored_dtype(folder, revision=self.revision) if dtype == "auto" else dtype,
            "quantization": self.quantization,
            "max_model_len": self.max_model_len,
        }


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
