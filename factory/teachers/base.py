"""What a teacher is: a frozen identity that opens into something that completes one request at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from factory.core import Busy, Resources, storable
from factory.core.choice import draw
from factory.teachers.alternatives import Alternatives

__all__ = [
    "Completion",
    "Continuing",
    "FinishReason",
    "LiveTeacher",
    "Request",
    "Sampling",
    "Teacher",
    "TeacherDown",
    "TurnSegment",
    "request_seed",
    "split_reasoning",
]

FinishReason = Literal["stop", "length", "error"]


class TeacherDown(Busy):
    """The live teacher is dead: it has to be opened again before the request can be repeated."""


_TEXTS = ("content", "reasoning_content", "error", "detail", "stopped_by")
"""What a model, an endpoint or a program wrote of a completion, besides its segments."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen, and when a completion ends."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    """0: every token."""
    min_p: float = 0.0
    max_tokens: int | None = None
    """Tokens of one completion; null: until the model's context is full."""
    stop: tuple[str, ...] = ()
    structure: Mapping[str, Any] | None = None
    """One of `json_schema`, `regex` and `choice`: the only form that the text may have; null: any."""
    logprobs: bool = False
    """Whether the completion carries the log-probability of each of its tokens."""
    top_logprobs: int = 0
    """Likeliest tokens that it carries for each of its own; 0: none."""

    def identity(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Request:
    """One completion wanted: the sample_index-th answer to a problem."""

    problem: str
    sample_index: int
    messages: tuple[Mapping[str, str], ...]
    """The whole conversation, system turn first where there is one; `role` and `content` each."""
    sampling: Sampling
    seed: int | None = None
    """Seed of this request alone; whether it decided the text is in `Completion.seeded`."""
    prefix: str | None = None
    """What stands of the assistant's turn already. The completion's `content` is then all that the teacher
    wrote after it, its thinking not split off; null: a turn of its own, split."""


@dataclass(frozen=True, slots=True)
class TurnSegment:
    """A stretch of a turn that was written by more than the teacher."""

    type: Literal["text", "code", "output", "hint"]
    """`code` is a block that was run, fences included; `output` what it printed; `hint` a text put in."""
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", storable(self.text))

    @property
    def train(self) -> bool:
        """Whether the teacher wrote it, so that a student may learn to."""
        return self.type in ("text", "code")


@dataclass(frozen=True, slots=True)
class Completion:
    """One text that a teacher produced, or why it produced none."""

    teacher: str
    content: str
    finish_reason: FinishReason
    reasoning_content: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seeded: bool = False
    """Whether the request's seed decided the text."""
    paid: bool = True
    """Whether tokens were spent on it now; what existed before is free and not journalled."""
    error: str | None = None
    """Why there is no text: `teacher_error` or `no_completion`. Set when `finish_reason` is `error`."""
    detail: Mapping[str, Any] | None = None
    """JSON values that prove the error."""
    logprobs: tuple[float, ...] | None = None
    """Natural log-probability of each token in order, thinking included; null: not asked for."""
    alternatives: Alternatives | None = None
    """The likeliest tokens beside each of its own; null: not asked for."""
    stopped_by: str | None = None
    """The stop text that ended it and is left out of it; null: none did. Not journalled."""
    segments: tuple[TurnSegment, ...] | None = None
    """The whole turn in order, where others than the teacher wrote parts of it; null: it is all its own."""
    reread_tokens: int | None = None
    """Prompt tokens beyond `prompt_tokens` that later requests of the same turn cost; null: none."""

    def __post_init__(self) -> None:
        for name in _TEXTS:
            object.__setattr__(self, name, storable(getattr(self, name)))

    @property
    def all_prompt_tokens(self) -> int:
        """Prompt tokens of all requests that the turn took; 0 where the teacher counts none."""
        return (self.prompt_tokens or 0) + (self.reread_tokens or 0)


class LiveTeacher(Protocol):
    """An opened teacher. All calls come from one event loop."""

    slots: int
    """Requests worth having under way at once, so that no place in the teacher stays empty."""

    async def complete(self, request: Request) -> Completion:
        """Answer one request; returns the moment the completion is finished.

        A request that can never be answered gives a Completion whose finish_reason is `error`.
        A teacher behind an endpoint keeps the time limit of one request, `Resources.timeout_s`, itself.
        Raises Busy when the same request may be tried again, TeacherDown when the teacher must be opened
        again first, and Refused when the teacher takes no requests from us at all.
        """
        ...


class Continuing(LiveTeacher, Protocol):
    """A live teacher that goes on with a turn: it takes requests with a `prefix`."""

    def split(self, turn: str, request: Request) -> tuple[str | None, str]:
        """Thinking and answer of a whole turn, as `complete` splits one that it wrote alone."""
        ...


class Teacher(BaseModel, ABC):
    """Who answers. The fields are the identity of the model; where and how it runs is `Resources`."""

    continues: ClassVar[bool] = True
    """Whether it opens into a teacher that goes on with a turn."""
    gives_alternatives: ClassVar[bool] = False
    """Whether it gives the likeliest tokens beside each that it chose."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    type: str
    """Kind of teacher."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name that completions carry in the column `teacher`."""

    @property
    def most_requests(self) -> int:
        """Requests that one completion takes at most."""
        return 1

    def lacks(self, resources: Resources) -> str | None:
        """What it cannot be opened without and does not have here, and what to do; null: nothing."""
        return None

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """All that can change a text, as JSON values: digests in place of paths, no address, no key."""

    @abstractmethod
    def open(self, resources: Resources) -> AbstractAsyncContextManager[LiveTeacher]:
        """Load the model, or connect, for as long as the context lasts; Continuing where `continues`."""


def request_seed(seed: int | None, problem: str, sample_index: int) -> int | None:
    """Seed of one request, 31 bits, whatever its place and worker. Null when the pipeline has none."""
    if seed is None:
        return None
    return draw(seed, f"{problem}:{sample_index}") >> 33


def split_reasoning(
    text: str, *, tags: tuple[str, str] = ("<think>", "</think>"), opened: bool = False
) -> tuple[str | None, str]:
    """Thinking and answer of a text: (null, text) when it holds no thinking.

    `opened` says that the prompt itself ends in the opening tag. Thinking that was never closed, because the
    completion was cut, is all reasoning and leaves an empty answer.
    """
    start, end = tags
    body = text.lstrip()
    starts = body.startswith(start)
    if starts:
        body = body[len(start) :]
    if end in body:
        reasoning, _, content = body.partition(end)
        return reasoning.strip("\n"), content.lstrip("\n")
    if starts or opened:
        return body.strip("\n"), ""
    return None, text
