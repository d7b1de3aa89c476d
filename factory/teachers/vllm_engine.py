"""A teacher on a vLLM engine: prompts by its template, requests, what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from factory.core import PipelineError, TeacherError
from factory.models.vllm_process import final_output
from factory.teachers.alternatives import Alternatives, byte_ends, tail_mass, vocabulary_digest
from factory.teachers.base import Completion, Request, Sampling, TeacherDown, split_reasoning

if TYPE_CHECKING:
    from factory.teachers.vllm import Vllm

__all__ = ["Engine", "structured_output"]

_WAITING_PER_SLOT = 2
"""Requests held per sequence that the engine runs: the second waits inside, so no place is ever empty."""


class Engine:
    """A loaded model: one request in, one completion out."""

    def __init__(self, teacher: Vllm, engine: Any) -> None:
        """`engine` is an `AsyncLLM` that was loaded for the teacher."""
        from vllm.platforms import current_platform

        self._teacher = teacher
        self._engine = engine
        self._tokenizer = engine.get_tokenizer()
        self._context = int(engine.model_config.max_model_len)
        self._lora = _adapter(teacher)
        self._number = 0
        self._parser = self._reasoning_parser()
        self._prompt = lru_cache(maxsize=256)(self._render)
        # A generator of its own crashes the processor's sampler.
        self._can_seed = not current_platform.is_cpu()
        self.slots = _WAITING_PER_SLOT * int(engine.vllm_config.scheduler_config.max_num_seqs)
        teacher.require_template(self._tokenizer)

    async def complete(self, request: Request) -> Completion:
        """One completion; a prompt that the template or the context refuses is an error completion."""
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            tokens, opened = self._prompt(tuple((m["role"], m["content"]) for m in request.messages))
        except Exception as error:  # a template is a program that came with the model: it may raise anything
            return self._refused({"message": f"the chat template refuses the prompt: {error}"[:500]})
        if request.prefix:
            tokens = (*tokens, *self._tokenizer.encode(request.prefix, add_special_tokens=False))
        if len(tokens) >= self._context:
            return self._refused(
                {"message": "prompt over the context", "prompt_tokens": len(tokens), "context": self._context}
            )
        self._number += 1
        try:
            output = await self._generate(tokens, request, f"{self._number}")
        except EngineDeadError as error:
            raise TeacherDown(f"the engine of teacher '{self._teacher.name}' died") from error
        except VLLMClientError as error:
            return self._refused({"message": str(error)[:500], "prompt_tokens": len(tokens)})
        completion = self._completion(output, prompt=tokens, how=request.sampling)
        if request.prefix is None:
            reasoning, content = self._parser(completion.content, opened)
            completion = replace(completion, reasoning_content=reasoning, content=content)
        return replace(completion, seeded=self._can_seed and request.seed is not None)

    def split(self, turn: str, request: Request) -> tuple[str | None, str]:
        """Thinking and answer of a whole turn."""
        _, opened = self._prompt(tuple((m["role"], m["content"]) for m in request.messages))
        parts: tuple[str | None, str] = self._parser(turn, opened)
        return parts

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
            # Zero alternatives: the chosen token's own.
            logprobs=how.top_logprobs if how.logprobs or how.top_logprobs else None,
            flat_logprobs=True,
            structured_outputs=structured_output(how.structure),
        )
        (prompt,) = self._engine.renderer.render_cmpl([TokensPrompt(prompt_token_ids=list(tokens))])
        return await final_output(self._engine.generate(prompt, params, number, lora_request=self._lora))

    def _completion(self, output: Any, *, prompt: Sequence[int], how: Sampling) -> Completion:
        made = output.outputs[0]
        if made.finish_reason not in ("stop", "length"):
            raise TeacherError(f"vLLM ended a request with the unknown finish reason '{made.finish_reason}'")
        return Completion(
            teacher=self._teacher.name,
            content=made.text,
            finish_reason=made.finish_reason,
            prompt_tokens=len(prompt),
            completion_tokens=len(made.token_ids),
            logprobs=_chosen(made, how) if how.logprobs else None,
            alternatives=self._alternatives(made, prompt, how) if how.top_logprobs else None,
            # A token that ends a completion is no text.
            stopped_by=made.stop_reason if isinstance(made.stop_reason, str) else None,
        )

    def _alternatives(self, made: Any, prompt: Sequence[int], how: Sampling) -> Alternatives:
        tokens, logprobs = _at_each_place(made, k=how.top_logprobs)
        return Alternatives(
            text=made.text,
            tokenizer=self._vocabulary,
            token_ids=tokens[:, 0],
            byte_ends=byte_ends(self._tokenizer, prompt, made.token_ids, made.text),
            logprobs=logprobs[:, 0],
            top_token_ids=tokens[:, 1:],
            top_logprobs=logprobs[:, 1:].astype(np.float16),
            tail_mass=tail_mass(logprobs[:, 1:]),
        )

    @cached_property
    def _vocabulary(self) -> str:
        return vocabulary_digest(self._tokenizer)

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
        messages = [{"role": role, "content": content} for role, content in turns]
        text = self._teacher.rendered(self._tokenizer, messages)
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


def structured_output(structure: Mapping[str, Any] | None) -> Any:
    """vLLM's form of a structure of the sampling; null for none."""
    if structure is None:
        return None
    from vllm.sampling_params import StructuredOutputsParams

    [(form, value)] = structure.items()
    return StructuredOutputsParams(**{"json" if form == "json_schema" else form: value})


def _adapter(teacher: Vllm) -> Any:
    if teacher.lora is None:
        return None
    from vllm.lora.request import LoRARequest

    return LoRARequest("adapter", 1, teacher.lora)


def _at_each_place(made: Any, *, k: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Token ids and log probabilities, shape (n, 1 + k) each: the chosen token, then the k likeliest."""
    places = len(made.token_ids)
    tokens = np.array(made.logprobs.token_ids, np.int32).reshape(-1, 1 + k)[:places]
    if tokens[:, 0].tolist() != list(made.token_ids):
        raise TeacherError("vLLM reports the log probabilities of other tokens than those that it wrote")
    return tokens, np.array(made.logprobs.logprobs, np.float32).reshape(-1, 1 + k)[:places]


def _chosen(made: Any, how: Sampling) -> tuple[float, ...]:
    return tuple(_at_each_place(made, k=how.top_logprobs)[1][:, 0].tolist())
