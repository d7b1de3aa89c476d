"""Asks a teacher for n completions of every problem; what was paid for once is never paid for again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from factory.core import (
    COMPLETION_COLUMNS,
    REJECTION_COLUMNS,
    STORED_SYSTEM,
    Apply,
    Flow,
    Site,
    completion_id,
    cut,
)
from factory.stages.sampling.extra_teacher import asked_beside
from factory.stages.sampling.sample_until import Asked, Rounds, Until
from factory.stages.sampling.teacher_stage import Drawing
from factory.stages.sampling.top_logprobs import TOP_LOGPROBS, TOP_LOGPROBS_SCHEMA, top_logprobs
from factory.stages.verification.verify import Verify
from factory.teachers import Completion, Request, Sampler, Sampling, Teacher, request_seed
from factory.teachers.alternatives import MOST_ALTERNATIVES
from factory.teachers.interpreter import Interpreted, Interpreter
from factory.teachers.journal import batch_group

__all__ = ["OPTIONAL_COLUMNS", "Sample"]

_LOGPROBS = pa.field("token_logprobs", pa.list_(pa.float32()))
_SEGMENTS = pa.field(
    "segments", pa.list_(pa.struct({"type": pa.string(), "text": pa.string(), "train": pa.bool_()}))
)
OPTIONAL_COLUMNS = pa.schema([_LOGPROBS, _SEGMENTS, STORED_SYSTEM])
"""What `sample` adds where it is asked for."""


class Shot(BaseModel):
    """One worked example for the teacher."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    user: str
    """The example's problem."""
    assistant: str
    """The answer as the teacher should give it."""


class Sample(Drawing):
    """Draws n completions per problem, each written to the journal the moment it is finished.

    A completion is known by the teacher, the system text, the sampling parameters, the seed, the problem and
    its sample index: asking for more samples, or changing what happens upstream, draws only what is missing.
    A completion cut by `max_tokens` is kept with finish_reason `length`; a problem that the teacher cannot
    answer is rejected.
    """

    requires: ClassVar[frozenset[str]] = frozenset({"id", "prompt"})
    adds: ClassVar[pa.Schema] = COMPLETION_COLUMNS
    minimal: ClassVar[Mapping[str, Any]] = {"teacher": {"type": "http", "model": "teacher"}}

    type: Literal["sample"] = "sample"
    shots: tuple[Shot, ...] = ()
    """Worked examples that the teacher sees before the problem; not stored for training."""
    stored_system: str | None = None
    """System turn that students see: of the released rows, in place of the prompt's own, whatever the teacher
    was asked with. Adds it as a column; changing it draws nothing again. Null: the prompt's own."""
    n: Annotated[int, Field(ge=1, le=4096)] = 1
    """Completions per problem; with `until`, completions between two looks at the verdicts."""
    until: Until | None = None
    """Ask a problem only until enough is right, which adds `verdicts` and `verdict` as `verify` does; null: n
    times each, the rule where an unbiased pass rate is wanted."""
    logprobs: bool = False
    """Whether to add `token_logprobs`, the log-probability of each token that the teacher wrote."""
    top_logprobs: Annotated[int, Field(ge=0, le=MOST_ALTERNATIVES)] = 0
    """Likeliest tokens that are kept at each place of a completion, in a table of its own beside the rows
    (`top_logprobs`). Draws anew; `perplexity` scores what is drawn already. 0: none."""
    interpreter: Interpreter | None = None
    """Runs the code that the teacher writes, inside its turn; adds `segments`, the turn in parts of the type
    text, code, output and hint, each with whether a student trains on it. Null: code is text."""
    beside: bool = False
    """Whether the rows hold completions of an earlier step that stay: each problem is asked once more, and
    its new rows stand behind them. Both steps must add the same columns."""

    @model_validator(mode="after")
    def _differing_samples(self) -> Sample:
        most = self.n if self.until is None else self.until.max_n
        if most > 1 and self.temperature == 0:
            raise ValueError(
                f"{most} completions at temperature 0 are the same text n times; "
                "set temperature > 0, or n: 1 and no `until`"
            )
        if self.beside and self.until is not None:
            raise ValueError("`until` judges only its own completions; leave it out, or `beside`")
        if self.interpreter is not None and not self.teacher.continues:
            raise ValueError(
                f"teacher '{self.teacher.name}' has finished texts, in which no code can be run; leave out "
                "`interpreter`, or ask a teacher of type vllm or http"
            )
        if self.interpreter is not None and self.structure is not None:
            raise ValueError("`structure` holds a whole completion; leave it out, or `interpreter`")
        if self.top_logprobs and (self.interpreter is not None or not self.teacher.gives_alternatives):
            raise ValueError(
                "`top_logprobs` wants the tokens of a whole turn, which only a teacher of type vllm gives, "
                "without `interpreter`"
            )
        return self

    def needs(self) -> frozenset[str]:
        """What a request is made of, and what the verifiers of `until` read."""
        if self.beside:
            return self.requires | set(self._columns().names)
        if self.until is None:
            return self.requires
        return self.requires | (self.until.verify().requires - set(COMPLETION_COLUMNS.names))

    def provides(self) -> pa.Schema:
        """The completion's columns, and those that were asked for; beside others, none is new."""
        return pa.schema([]) if self.beside else self._columns()

    def _columns(self) -> pa.Schema:
        own = [_LOGPROBS] * self.logprobs + [_SEGMENTS] * (self.interpreter is not None)
        own += [STORED_SYSTEM] * (self.stored_system is not None)
        more = [] if self.until is None else [*Verify.adds]
        return pa.schema([*self.adds, *own, *more])

    def identity(self) -> dict[str, Any]:
        """The fields, with the identities of teacher and verifiers."""
        until = None if self.until is None else self.until.identity()
        return {**super().identity(), "until": until, "interpreter": self._code_run()}

    def lacks(self, site: Site) -> str | None:
        """What the teacher lacks, or a verifier of `until`."""
        judging = None if self.until is None else self.until.verify().lacks(site)
        return super().lacks(site) or judging

    def draw_fields(self) -> dict[str, Any]:
        """What decides a text: not n, nor when to stop."""
        shots = [shot.model_dump() for shot in self.shots]
        return {**super().draw_fields(), "shots": shots, "interpreter": self._code_run()}

    def _code_run(self) -> dict[str, Any] | None:
        return None if self.interpreter is None else self.interpreter.identity()

    def answering(self) -> Teacher:
        """The teacher, with the interpreter where there is one."""
        if self.interpreter is None:
            return self.teacher
        return Interpreted(teacher=self.teacher, interpreter=self.interpreter)

    def sampling(self) -> Sampling:
        """The fields as a teacher takes them."""
        return replace(super().sampling(), logprobs=self.logprobs, top_logprobs=self.top_logprobs)

    def side_tables(self) -> Mapping[str, pa.Schema]:
        """`top_logprobs`, where it is asked for."""
        return {TOP_LOGPROBS: TOP_LOGPROBS_SCHEMA} if self.top_logprobs else {}

    def completions(self, rows: int) -> int:
        """n a problem, or the most that `until` allows."""
        return rows * (self.n if self.until is None else self.until.max_n)

    def fan_out(self, batch: pa.Table) -> int:
        """n rows for every problem; with `until` the batch itself says how many."""
        if self.beside:
            return int(batch.num_rows) + self.n * len(batch["id"].unique())
        return self.n * int(batch.num_rows)

    def report(self, site: Site) -> Mapping[str, Any]:
        """Which rule decided the number of completions, and whether their share of right ones is unbiased."""
        if self.until is None:
            return {"samples": {"policy": "fixed", "n": self.n, "pass_rate_unbiased": True}}
        rule = {"policy": "until", "n": self.n, **self.until.model_dump(mode="json", exclude={"verifiers"})}
        judged = self.until.verify().report(site) or {}
        return {**judged, "samples": {**rule, "pass_rate_unbiased": False}}

    @contextmanager
    def open(self, site: Site) -> Iterator[Apply]:
        """Opens the journal, and the verifiers of `until`."""
        with self.sampler(site) as sampler:
            if self.beside:
                yield lambda batch: asked_beside(batch, lambda problems: self._sample(problems, sampler))
                return
            if self.until is None:
                yield lambda batch: self._sample(batch, sampler)
                return
            with Rounds.open(self.until, at_once=self.n, site=site) as rounds:
                yield lambda batch: self._sample_until(batch, sampler, rounds)

    def _sample(self, batch: pa.Table, sampler: Sampler) -> Flow:
        wanted = [(row, index) for row in range(batch.num_rows) for index in range(self.n)]
        drawn = sampler.draw(self._requests(batch, wanted))
        return replace(self._flow(batch, wanted, drawn.completions), spent=drawn.spent)

    def _sample_until(self, batch: pa.Table, sampler: Sampler, rounds: Rounds) -> Flow:
        spent: Counter[str] = Counter()
        group = batch_group(batch["id"].to_pylist())

        def ask(wanted: Sequence[tuple[int, int]]) -> tuple[Completion, ...]:
            drawn = sampler.draw(self._requests(batch, wanted), group=group)
            spent.update(drawn.spent)
            return drawn.completions

        asked = Asked(batch, ask, group, spent)
        rounds.draw(asked)
        problems = asked.problems
        wanted = [(row, i) for row, p in enumerate(problems) for i in range(len(p.completions))]
        more = [
            pa.array([v for p in problems for v in p.verdicts], Verify.adds.field("verdicts").type),
            pa.array([v for p in problems for v in p.verdict], pa.string()),
        ]
        flow = self._flow(batch, wanted, [c for p in problems for c in p.completions], *more)
        unasked = batch.filter(pa.array([not p.completions for p in problems], pa.bool_()))
        reason = pa.array(["target_reached"] * unasked.num_rows, pa.string())
        unasked = unasked.append_column(REJECTION_COLUMNS.field("reason"), reason)
        rejected = pa.concat_tables([flow.rejected, unasked], promote_options="default")
        spent["problems_passed"] = sum(p.passed >= rounds.until.passed for p in problems)
        expected = len(wanted) + unasked.num_rows
        return replace(flow, rejected=rejected, expected=expected, spent=spent)

    def _flow(
        self,
        batch: pa.Table,
        wanted: Sequence[tuple[int, int]],
        completions: Sequence[Completion],
        *more: pa.Array,
    ) -> Flow:
        rows = batch.take(pa.array([row for row, _ in wanted], pa.int64()))
        draw = self.draw_identity()
        values = [
            {
                **_values(completion, problem, draw, index),
                STORED_SYSTEM.name: self.stored_system,
            }
            for problem, (_, index), completion in zip(
                rows["id"].to_pylist(), wanted, completions, strict=True
            )
        ]
        added = self._columns()
        for number, column in enumerate(added):
            judged = number - (len(added) - len(more))
            content = more[judged] if judged >= 0 else pa.array([v[column.name] for v in values], column.type)
            rows = rows.append_column(column, content)
        reasons = pa.array([c.error for c in completions], pa.string())
        flow = cut(rows, reasons, evidence=pa.array([_evidence(c) for c in completions], pa.string()))
        if not self.top_logprobs:
            return flow
        ids = [v["completion_id"] for v in values]
        return replace(flow, side_tables={TOP_LOGPROBS: top_logprobs(ids, completions)})

    def _requests(self, batch: pa.Table, wanted: Sequence[tuple[int, int]]) -> list[Request]:
        sampling = self.sampling()
        ids, prompts = batch["id"].to_pylist(), batch["prompt"].to_pylist()
        messages = {row: self._messages(prompts[row] or ()) for row in dict(wanted)}
        return [
            Request(ids[row], index, messages[row], sampling, request_seed(self.seed, ids[row], index))
            for row, index in wanted
        ]

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
        "token_logprobs": completion.logprobs,
        "segments": [{"type": s.type, "text": s.text, "train": s.train} for s in completion.segments or ()],
    }


def _evidence(completion: Completion) -> str | None:
    if completion.detail is None:
        return None
    return json.dumps(completion.detail, ensure_ascii=False)
