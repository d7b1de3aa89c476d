"""Asks a teacher for n completions of every problem; what was paid for once is never paid for again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from factory.core import COMPLETION_COLUMNS, Apply, Flow, Site, Stage, completion_id, cut, digest
from factory.teachers import AnyTeacher, Completion, Journal, Request, Sampler, Sampling, request_seed
from factory.teachers.journal_watch import JournalWatch
from factory.teachers.writers import sole_run

__all__ = ["Sample"]


class Shot(BaseModel):
    """One worked example for the teacher."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    user: str
    """The example's problem."""
    assistant: str
    """The answer as the teacher should give it."""


class Sample(Stage):
    """Draws n completions per problem, each written to the journal the moment it is finished.

    A completion is known by the teacher, the system text, the sampling parameters, the seed, the problem and
    its sample index: asking for more samples, or changing what happens upstream, draws only what is missing.
    A completion cut by `max_tokens` is kept with finish_reason `length`; a problem that the teacher cannot
    answer is rejected.
    """

    requires: ClassVar[frozenset[str]] = frozenset({"id", "prompt"})
    adds: ClassVar[pa.Schema] = COMPLETION_COLUMNS
    # A straggler holds back its own shard alone: the others keep the teacher's places filled.
    concurrency: ClassVar[int] = 8
    minimal: ClassVar[Mapping[str, Any]] = {"teacher": {"type": "http", "model": "teacher"}}

    type: Literal["sample"] = "sample"
    teacher: AnyTeacher
    """Who answers."""
    system: str | None = None
    """System turn that the teacher sees, in place of the prompt's own; null: the prompt as it is."""
    shots: tuple[Shot, ...] = ()
    """Worked examples that the teacher sees before the problem; not stored for training."""
    stored_system: str | None = None
    """System turn that is stored for training with the completion; null: none."""
    n: Annotated[int, Field(ge=1, le=4096)] = 1
    """Completions per problem."""
    temperature: Annotated[float, Field(ge=0)] = 0.6
    """0 takes the likeliest token every time."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Share of probability that the likeliest tokens must hold together to be drawn from."""
    top_k: Annotated[int, Field(ge=0)] = 0
    """Tokens drawn from, the likeliest ones; 0: all."""
    min_p: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Least probability of a token, as a share of the likeliest one's."""
    max_tokens: Annotated[int, Field(ge=1)] | None = 4096
    """Tokens of one completion; null: until the teacher's context is full."""
    stop: tuple[str, ...] = ()
    """Texts that end a completion and are left out of it."""
    seed: int | None = None
    """Seed from which each request's own is made; null: the pipeline's."""

    @model_validator(mode="after")
    def _differing_samples(self) -> Sample:
        if self.n > 1 and self.temperature == 0:
            raise ValueError(
                "n > 1 at temperature 0 gives the same text n times; set temperature > 0, or n: 1"
            )
        return self

    def identity(self) -> dict[str, Any]:
        """The fields, with the teacher's identity in place of where it is found."""
        fields = self.model_dump(mode="json", exclude={"name", "teacher"})
        return {**fields, "teacher": {**self.teacher.identity(), "name": self.teacher.name}}

    def draw_identity(self) -> str:
        """64 hex digits over all that decides a text: not n, nothing stored beside it, no upstream."""
        return digest(self._draw_fields())

    def fan_out(self, batch: pa.Table) -> int:
        """n rows for every problem."""
        return self.n * int(batch.num_rows)

    def cost(self, rows: int) -> dict[str, int]:
        """n completions a problem, each at its longest; fewer where the journal has some already."""
        completions = self.n * rows
        return {"completions": completions, "completion_tokens": completions * (self.max_tokens or 0)}

    def watch(self, site: Site) -> Callable[[], Mapping[str, int]]:
        """Counts the completions that come into the journal."""
        return JournalWatch(self._journal_url(site))

    @contextmanager
    def open(self, site: Site) -> Iterator[Apply]:
        """Opens the journal; the teacher is loaded when the first completion is missing."""
        draw = self.draw_identity()
        url = self._journal_url(site)
        with (
            sole_run(site.journal_url, site.run_id),
            Journal(url, about=self._draw_fields()) as journal,
            Sampler(
                self.teacher,
                resources=site.resources,
                journal=journal,
                token_budget=site.resources.token_budget,
            ) as sampler,
        ):
            yield lambda batch: self._sample(batch, sampler, draw)

    def _journal_url(self, site: Site) -> str:
        return f"{site.journal_url.rstrip('/')}/{self.draw_identity()[:32]}"

    def _draw_fields(self) -> dict[str, Any]:
        return {
            "teacher": self.teacher.identity(),
            "system": self.system,
            "shots": [shot.model_dump() for shot in self.shots],
            "sampling": asdict(self._sampling()),
            "seed": self.seed,
            "version": self.version,
        }

    def _sampling(self) -> Sampling:
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            min_p=self.min_p,
            max_tokens=self.max_tokens,
            stop=self.stop,
        )

    def _sample(self, batch: pa.Table, sampler: Sampler, draw: str) -> Flow:
        drawn = sampler.draw(self._requests(batch))
        rows = batch.take(pa.array(np.repeat(np.arange(batch.num_rows), self.n)))
        problems = rows["id"].to_pylist()
        values = [
            _values(completion, problem, draw, place % self.n)
            for place, (problem, completion) in enumerate(zip(problems, drawn.completions, strict=True))
        ]
        for field in COMPLETION_COLUMNS:
            column = pa.array([v[field.name] for v in values], field.type)
            rows = rows.append_column(field, column)
        reasons = pa.array([c.error for c in drawn.completions], pa.string())
        evidence = pa.array([_evidence(c) for c in drawn.completions], pa.string())
        flow = cut(rows, reasons, evidence=evidence)
        return Flow(kept=flow.kept, rejected=flow.rejected, spent=drawn.spent)

    def _requests(self, batch: pa.Table) -> list[Request]:
        sampling = self._sampling()
        requests = []
        for problem, prompt in zip(batch["id"].to_pylist(), batch["prompt"].to_pylist(), strict=True):
            messages = self._messages(prompt or ())
            requests += [
                Request(problem, index, messages, sampling, request_seed(self.seed, problem, index))
                for index in range(self.n)
            ]
        return requests

    def _messages(self, prompt: Any) -> tuple[Mapping[str, str], ...]:
        turns = tuple({"role": m["role"] or "user", "content": m["content"] or ""} for m in prompt)
        shown = [
            {"role": role, "content": text}
            for shot in self.shots
            for role, text in (("user", shot.user), ("assistant", shot.assistant))
        ]
        own = [t for t in turns if t["role"] == "system"]
        system = own if self.system is None else [{"role": "system", "content": self.system}]
        return (*system, *shown, *(t for t in turns if t["role"] != "system"))


def _values(completion: Completion, problem: str, draw: str, sample_index: int) -> dict[str, Any]:
    return {
        "completion_id": completion_id(problem, draw, sample_index),
        "teacher": completion.teacher,
        "sample_index": sample_index,
        "reasoning_content": completion.reasoning_content,
        "content": completion.content,
        "finish_reason": completion.finish_reason,
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
    }


def _evidence(completion: Completion) -> str | None:
    if completion.detail is None:
        return None
    return json.dumps(completion.detail, ensure_ascii=False)
