"""The teacher in this process: vLLM's asynchronous engine. The only file that imports vllm."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from factory.core import PipelineError, Resources, TeacherError
from factory.core.paths import resolve_path
from factory.models import ModelFolder, resolve
from factory.teachers.base import (
    Completion,
    LiveTeacher,
    Request,
    Teacher,
    TeacherDown,
    split_reasoning,
    within,
)
from factory.teachers.guardian import guarded

__all__ = ["Vllm"]

_IDENTITY_ARGUMENTS = frozenset(
    {"model", "tokenizer", "revision", "tokenizer_revision", "dtype", "quantization", "max_model_len", "seed"}
)
_WAITING_PER_SLOT = 2
"""Requests held per sequence that the engine runs: the second waits inside, so no place is ever empty."""

_SHUTDOWN_S = 20.0
"""Time for the engine to end by itself, in seconds, before it is killed."""


class Vllm(Teacher):
    """A model folder, a packaged model or a Hugging Face id, run by vLLM in the worker itself."""

    type: Literal["vllm"] = "vllm"
    model: str
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

    @field_validator("model")
    @classmethod
    def _from_the_pipeline_file(cls, model: str, info: ValidationInfo) -> str:
        # What looks like a path is one; all else may be a packaged name or a hub id.
        if not model.startswith(("./", "../", "/", "~", "${")):
            return model
        return resolve_path(model, (info.context or {}).get("base", "."))

    @property
    def name(self) -> str:
        """The label, or the model's own name: never a path."""
        return self.label or (Path(self.model).name if Path(self.model).is_dir() else self.model)

    def identity(self) -> dict[str, Any]:
        """The fields, with the digest of weights, tokenizer and chat template in place of where they lie."""
        fields = self.model_dump(mode="json", exclude={"model", "revision", "label"})
        return {**fields, "model": self._folder().digest}

    @asynccontextmanager
    async def open(self, resources: Resources) -> AsyncIterator[LiveTeacher]:
        """Load the model: on a processor 40 s and more. Engine processes never outlive this one."""
        _refuse_identity(resources.engine_args)
        folder = self._folder()
        with guarded(), _environment(_variables(folder)):
            from vllm.v1.engine.async_llm import AsyncLLM

            engine = AsyncLLM.from_engine_args(self._engine_args(folder, resources))
        try:
            live = _Engine(self, engine, timeout_s=resources.timeout_s)
            yield live
        finally:
            engine.shutdown(timeout=_SHUTDOWN_S)

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
            "disable_log_stats": True,
            # Where requests cannot have seeds of their own, a fixed seed would make an engine that is started
            # again repeat the draws of its first life.
            "seed": secrets.randbits(31),
        }
        if current_platform.is_cpu():
            arguments["enforce_eager"] = True
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


class _Engine:
    """A loaded model."""

    def __init__(self, teacher: Vllm, engine: Any, *, timeout_s: float | None) -> None:
        from vllm.platforms import current_platform

        self._teacher = teacher
        self._engine = engine
        self._tokenizer = engine.get_tokenizer()
        self._context = int(engine.model_config.max_model_len)
        self._number = 0
        self._timeout_s = timeout_s
        self._parser = self._reasoning_parser()
        self._prompt = lru_cache(maxsize=256)(self._render)
        # A generator of its own crashes the processor's sampler.
        self._can_seed = not current_platform.is_cpu()
        self.slots = _WAITING_PER_SLOT * int(engine.vllm_config.scheduler_config.max_num_seqs)
        if teacher.chat_template is None and not getattr(self._tokenizer, "chat_template", None):
            raise PipelineError(
                f"model '{teacher.name}' has no chat template; set `chat_template` of the teacher"
            )

    async def complete(self, request: Request) -> Completion:
        """One completion; a prompt that the template or the context refuses is an error completion."""
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            tokens, opened = self._prompt(tuple((m["role"], m["content"]) for m in request.messages))
        except Exception as error:  # a template is a program that came with the model: it may raise anything
            return self._refused({"message": f"the chat template refuses the prompt: {error}"[:500]})
        if len(tokens) >= self._context:
            return self._refused(
                {"message": "prompt over the context", "prompt_tokens": len(tokens), "context": self._context}
            )
        self._number += 1
        try:
            work = self._generate(tokens, request, f"{self._number}")
            output = await within(self._timeout_s, work, who=self._teacher.name)
        except EngineDeadError as error:
            raise TeacherDown(f"the engine of teacher '{self._teacher.name}' died") from error
        except VLLMClientError as error:
            return self._refused({"message": str(error)[:500], "prompt_tokens": len(tokens)})
        completion = self._completion(output, prompt_tokens=len(tokens), opened=opened)
        return replace(completion, seeded=self._can_seed and request.seed is not None)

    async def _generate(self, tokens: tuple[int, ...], request: Request, number: str) -> Any:
        from vllm import SamplingParams, TokensPrompt
        from vllm.sampling_params import RequestOutputKind

        how = request.sampling
        params = SamplingParams(
            temperature=how.temperature,
            top_p=how.top_p,
            top_k=how.top_k,
            min_p=how.min_p,
            max_tokens=how.max_tokens or self._context - len(tokens),
            stop=list(how.stop),
            seed=request.seed if self._can_seed else None,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        (prompt,) = self._engine.renderer.render_cmpl([TokensPrompt(prompt_token_ids=list(tokens))])
        last = None
        async for output in self._engine.generate(prompt, params, number):
            last = output
        return last

    def _completion(self, output: Any, *, prompt_tokens: int, opened: bool) -> Completion:
        made = output.outputs[0]
        if made.finish_reason not in ("stop", "length"):
            raise TeacherError(f"vLLM ended a request with the unknown finish reason '{made.finish_reason}'")
        reasoning, content = self._parser(made.text, opened)
        return Completion(
            teacher=self._teacher.name,
            reasoning_content=reasoning,
            content=content,
            finish_reason=made.finish_reason,
            prompt_tokens=prompt_tokens,
            completion_tokens=len(made.token_ids),
        )

    def _refused(self, detail: Mapping[str, Any]) -> Completion:
        return Completion(
            teacher=self._teacher.name,
            content="",
            finish_reason="error",
            paid=False,
            error="teacher_error",
            detail=detail,
        )

    def _render(self, turns: tuple[tuple[str, str], ...]) -> tuple[tuple[int, ...], bool]:
        text = self._tokenizer.apply_chat_template(
            [{"role": role, "content": content} for role, content in turns],
            tokenize=False,
            add_generation_prompt=True,
            chat_template=self._teacher.chat_template,
            **self._teacher.chat_template_kwargs,
        )
        # The template has put the special tokens into the text already.
        tokens = self._tokenizer.encode(text, add_special_tokens=False)
        return tuple(tokens), text.rstrip().endswith(self._teacher.reasoning_tags[0])

    def _reasoning_parser(self) -> Any:
        if self._teacher.reasoning == "none":
            return lambda text, opened: (None, text)
        if self._teacher.reasoning == "tags":
            tags = self._teacher.reasoning_tags
            return lambda text, opened: split_reasoning(text, tags=tags, opened=opened)
        from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
        from vllm.reasoning import ReasoningParserManager

        try:
            parser = ReasoningParserManager.get_reasoning_parser(self._teacher.reasoning)(self._tokenizer)
        except (KeyError, RuntimeError) as error:
            raise PipelineError(f"reasoning: vLLM's parser '{self._teacher.reasoning}': {error}") from error
        asked = ChatCompletionRequest(messages=[{"role": "user", "content": ""}])

        def parse(text: str, opened: bool) -> tuple[str | None, str]:
            reasoning, content = parser.extract_reasoning(text, asked)
            return reasoning, content or ""

        return parse


def _refuse_identity(engine_args: Mapping[str, Any]) -> None:
    fixed = sorted(_IDENTITY_ARGUMENTS & engine_args.keys())
    if fixed:
        raise PipelineError(
            f"engine_args must not hold {fixed}: they can change the text; set fields of the teacher"
        )


def _variables(folder: ModelFolder) -> dict[str, str]:
    """Environment of the engine; what the user has set already stays."""
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
    return {name: os.environ.get(name, value) for name, value in wanted.items()}


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
