"""How likely a teacher finds texts that others wrote: log probabilities of given tokens, none generated."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from factory.core import Resources, TeacherError
from factory.models.vllm_process import BatchEngine
from factory.teachers.vllm import Vllm

__all__ = ["Passage", "Rescorer", "Score", "completion_start", "opened_rescorer", "written"]

_AT_ONCE = 256
"""Passages given to the engine together: of each token it holds some 150 bytes until all are done."""
_STEP_TOKENS = 2048
"""Tokens that the engine takes in one step unless the run options say otherwise. Each has a row of the whole
vocabulary in float32, for which the engine sets no memory aside: 1.2 GB at 150,000 words."""
_MOST_NATS = 700.0
"""Bound on the mean surprise of a token, so that a perplexity is always a number: e^700 is 1e304."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A completion with the conversation that it answers."""

    prompt: tuple[tuple[str, str], ...]
    """Pairs of role and text."""
    content: str
    reasoning: str | None = None
    """Thinking that is a part of the completion; null or empty: none."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a teacher makes of a passage, or why it says nothing of it."""

    status: Literal["scored", "too_long", "refused"]
    """`too_long`: over the model's context; `refused`: the chat template does not take the conversation."""
    logprob: float = 0.0
    """Natural log probability of all tokens of the completion together."""
    tokens: int = 0
    """Tokens of the completion that have a log probability."""
    detail: Mapping[str, Any] | None = None
    """What proves a status other than `scored`, as JSON values."""
    token_ids: npt.NDArray[np.int32] | None = None
    """The completion in the teacher's tokens; null: not asked for."""
    logprobs: npt.NDArray[np.float32] | None = None
    """Natural log probability of each of them; null: not asked for."""

    @property
    def perplexity(self) -> float | None:
        """exp(-mean log probability of a token), from 1 to e^700; null without a token that was scored."""
        if self.status != "scored" or not self.tokens:
            return None
        return math.exp(min(-self.logprob / self.tokens, _MOST_NATS))


Rescorer = Callable[[Sequence[Passage]], list[Score]]


@contextmanager
def opened_rescorer(teacher: Vllm, *, resources: Resources, with_tokens: bool = False) -> Iterator[Rescorer]:
    """Loads the teacher's model for as long as the context lasts: on a processor 40 s and more.

    Scores come in the order of the passages; `with_tokens` gives them `token_ids` and `logprobs`. Requests
    for the log probabilities of a prompt read nothing from vLLM's prefix cache, which lacks them: it is off.

    Raises:
        PipelineError: vLLM does not load the model, or it has no chat template.
        TeacherError: a log probability is not a number.
    """
    with teacher.batch_engine(
        resources=resources,
        defaults={"max_num_batched_tokens": _STEP_TOKENS},
        enable_prefix_caching=False,
        # Two options under which what vLLM reports is no log probability of the prompt.
        logprobs_mode="raw_logprobs",
        kv_sharing_fast_prefill=False,
    ) as engine:
        teacher.require_template(engine.tokenizer)

        def rescore(passages: Sequence[Passage]) -> list[Score]:
            scores: list[Score] = []
            for start in range(0, len(passages), _AT_ONCE):
                scores += _scores(
                    engine, teacher, passages[start : start + _AT_ONCE], with_tokens=with_tokens
                )
            return scores

        yield rescore


def written(rendered: str, passage: Passage, *, tags: tuple[str, str]) -> tuple[str, str]:
    """What the teacher reads before the completion, and the completion as it would write it.

    `rendered` is the prompt by the chat template. Thinking stands between the tags, a line each, then comes
    an empty line and the answer: the form of DeepSeek-R1 (2501.12948) and Qwen3 (2505.09388). Where there is
    no answer the thinking stays unclosed, as in a completion that was cut. Where the template opens the
    thinking itself, the opening tag belongs to the prompt; before an answer without thinking so do the empty
    thinking and its closing tag, Qwen3's form for not thinking.
    """
    opening, closing = tags
    opened = rendered.rstrip().endswith(opening)
    before = f"{rendered.rstrip()}\n" if opened else rendered
    if not passage.reasoning:
        return (f"{before}\n{closing}\n\n" if opened else before), passage.content
    thinking = passage.reasoning if opened else f"{opening}\n{passage.reasoning}"
    return before, f"{thinking}\n{closing}\n\n{passage.content}" if passage.content else thinking


def completion_start(prompt: Sequence[int], whole: Sequence[int]) -> int:
    """Place in `whole` of the completion's first token that has a log probability.

    Both are token ids: of the prompt's text, and of prompt and completion as one text. The completion begins
    where the two first differ, so a token that holds the prompt's last and the completion's first letters
    counts as the completion's. The first token of all has no log probability: nothing stands before it.
    """
    common = 0
    for ours, theirs in zip(prompt, whole, strict=False):
        if ours != theirs:
            break
        common += 1
    return max(common, 1)


def _scores(
    engine: BatchEngine, teacher: Vllm, passages: Sequence[Passage], *, with_tokens: bool
) -> list[Score]:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    context, tokenizer = engine.context, engine.tokenizer
    read = [_read(tokenizer, teacher, passage, context=context) for passage in passages]
    asked = {place: found for place, found in enumerate(read) if not isinstance(found, Score)}
    scores = [found if isinstance(found, Score) else Score("scored") for found in read]
    if not asked:
        return scores
    # One token is the least that can be asked for. Zero alternatives: the given token's own.
    how = SamplingParams(
        temperature=0.0,
        max_tokens=1,
        prompt_logprobs=0,
        detokenize=False,
        flat_logprobs=True,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )
    outputs = engine.generate([tokens for tokens, _ in asked.values()], [how] * len(asked))
    for (place, (tokens, start)), output in zip(asked.items(), outputs, strict=True):
        logprobs = _reported(output, tokens, teacher)[start - 1 :]
        scores[place] = _score(tokens[start:], logprobs, with_tokens=with_tokens)
    return scores


def _read(tokenizer: Any, teacher: Vllm, passage: Passage, *, context: int) -> tuple[list[int], int] | Score:
    """Token ids of the whole conversation and the completion's start in them, or why there are none."""
    messages = [{"role": role, "content": text} for role, text in passage.prompt]
    try:
        rendered = teacher.rendered(tokenizer, messages)
    except Exception as error:  # a template is a program that came with the model: it may raise anything
        return Score("refused", detail={"message": str(error)[:500]})
    before, completion = written(rendered, passage, tags=teacher.reasoning_tags)
    # The template has put the special tokens into the text already.
    whole = list(tokenizer.encode(before + completion, add_special_tokens=False))
    if len(whole) >= context:  # vLLM wants room for the one token that it cannot help but generate
        return Score("too_long", detail={"tokens": len(whole), "context": context})
    start = completion_start(tokenizer.encode(before, add_special_tokens=False), whole)
    # A text that the tokenizer makes nothing of adds no token to the prompt's.
    return (whole, start) if start < len(whole) else Score("scored")


def _reported(output: Any, tokens: Sequence[int], teacher: Vllm) -> npt.NDArray[np.float32]:
    """Log probabilities of all tokens but the first."""
    found = output.prompt_logprobs
    if found.token_ids != tokens[1:]:
        raise TeacherError(f"vLLM reports other tokens than those that '{teacher.name}' was given")
    logprobs = np.array(found.logprobs, np.float32)
    if np.isnan(logprobs).any():
        raise TeacherError(
            f"teacher '{teacher.name}' gives log probabilities that are not numbers, as a model does whose "
            "number type is too narrow for it; set another `dtype`"
        )
    return logprobs


def _score(tokens: Sequence[int], logprobs: npt.NDArray[np.float32], *, with_tokens: bool) -> Score:
    return Score(
        "scored",
        logprob=float(logprobs.sum(dtype=np.float64)),
        tokens=len(tokens),
        token_ids=np.array(tokens, np.int32) if with_tokens else None,
        logprobs=logprobs if with_tokens else None,
    )
