"""Keeps completions that a teacher finds neither too likely nor too unlikely."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from factory.core import Apply, Filter, Flow, Site, cut, digest, storable
from factory.storage.lease import fence
from factory.teachers.alternatives import packed, unpacked
from factory.teachers.answer_cache import Form, Remembering, remembering
from factory.teachers.rescoring import Passage, Score, opened_rescorer
from factory.teachers.vllm import Vllm

__all__ = ["PERPLEXITY_COLUMNS", "Perplexity"]

Part = Literal["answer", "all"]

_PERPLEXITY = pa.field("perplexity", pa.float64())
_TOKENS = (
    pa.field("rescored_logprobs", pa.list_(pa.float32())),
    pa.field("rescored_token_ids", pa.list_(pa.int32())),
)
PERPLEXITY_COLUMNS = pa.schema([_PERPLEXITY, *_TOKENS])
"""What `perplexity` adds, where it is asked for all."""
_REASONS = {"too_long": "too_long_for_teacher", "refused": "refused_by_template"}


class Perplexity(Filter):
    """Adds `perplexity`, how surprised a teacher is by a completion, and rejects what is out of bounds.

    It is exp(-mean log p(token | rendered prompt and the tokens before it)) over the teacher's tokens of the
    completion, whoever wrote it; the token that ends the turn does not count. A lower bound cuts what teaches
    nothing, an upper one what the teacher would not say; with neither, columns are added and nothing is cut
    by perplexity. A completion without text has none: its perplexity is null and the row is kept. A
    conversation that does not fit into the teacher's context, or that its chat template refuses, is rejected.

    Scores are kept by content, so other bounds, or a run after a crash, score nothing again and load no model
    for it.
    """

    type: Literal["perplexity"] = "perplexity"
    requires: ClassVar[frozenset[str]] = frozenset({"prompt", "content"})
    minimal: ClassVar[Mapping[str, Any]] = {
        "teacher": {"type": "vllm", "model": "org/teacher"},
        "min": 1.5,
        "max": 20.0,
    }
    examples: ClassVar[Sequence[tuple[Any, str | None]]] = (
        ({"perplexity": 1.5}, None),
        ({"perplexity": 20.0}, None),
        ({"perplexity": None}, None),
        ({"perplexity": 1.25}, "perplexity_too_low"),
        ({"perplexity": 20.5}, "perplexity_too_high"),
    )
    teacher: Vllm
    """The model that scores, in this process; its own chat template renders the prompt."""
    system: str | None = None
    """System turn that the teacher sees, in place of the prompt's own; null: the prompt as it is. What was
    sampled with a system turn is scored as it was asked for only with the same one."""
    part: Part = "all"
    """What is scored: the `answer`, as if nothing was thought before it, or `all`, thinking and answer in the
    form that the teacher's `reasoning_tags` give."""
    min: Annotated[float, Field(ge=1)] | None = None
    """Smallest perplexity kept, 1 being what the teacher is sure of; null: no bound."""
    max: Annotated[float, Field(ge=1)] | None = None
    """Largest perplexity kept; null: no bound."""
    token_logprobs: bool = False
    """Whether to add `rescored_logprobs` and `rescored_token_ids`, the scored completion token by token, as
    distillation on a student's own texts wants it (DistillSpec, 2310.08461)."""

    @field_validator("teacher")
    @classmethod
    def _is_one_model(cls, teacher: Vllm) -> Vllm:
        if teacher.lora is not None:
            raise ValueError(
                "a teacher that scores takes no `lora`; merge the adapter into the model's folder"
            )
        return teacher

    @model_validator(mode="after")
    def _check(self) -> Perplexity:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self

    def needs(self) -> frozenset[str]:
        """The conversation, and the thinking where it counts."""
        return self.requires | ({"reasoning_content"} if self.part == "all" else set())

    def provides(self) -> pa.Schema:
        """`perplexity`, and the tokens that were asked for."""
        return pa.schema([_PERPLEXITY, *(_TOKENS if self.token_logprobs else ())])

    def identity(self) -> dict[str, Any]:
        """Fields, with the identity of the teacher in place of where it is found."""
        plain = self.model_dump(mode="json", exclude={"name", "teacher"})
        return plain | {"teacher": self.teacher.identity()}

    def lacks(self, site: Site) -> str | None:
        """What the teacher lacks."""
        return self.teacher.lacks(site.resources)

    @contextmanager
    def open(self, site: Site) -> Iterator[Apply]:
        """Holds the kept scores; the model is loaded when one is missing."""

        def model() -> AbstractContextManager[Callable[[Sequence[Any]], Sequence[Any]]]:
            return opened_rescorer(self.teacher, resources=site.resources, with_tokens=self.token_logprobs)

        url = f"{site.cache_url.rstrip('/')}/rescored/{digest(self.teacher.identity())}"
        with remembering(
            url, _scores(with_tokens=self.token_logprobs), model=model, fence=fence(site)
        ) as ask:
            yield lambda batch: self._cut(batch, ask)

    def reject(self, batch: pa.Table) -> pa.Array:
        """One of perplexity_too_low, perplexity_too_high, by the column `perplexity`."""
        return pa.array([self._bound(p)[0] for p in batch["perplexity"].to_pylist()], pa.string())

    def _bound(self, perplexity: float | None) -> tuple[str | None, float | None]:
        if perplexity is not None and self.min is not None and perplexity < self.min:
            return "perplexity_too_low", self.min
        if perplexity is not None and self.max is not None and perplexity > self.max:
            return "perplexity_too_high", self.max
        return None, None

    def _cut(self, batch: pa.Table, ask: Remembering[Passage, Score]) -> Flow:
        scores = self._asked(batch, ask)
        found = [self._ruling(score) for score in scores]
        columns = {_PERPLEXITY: [None if score is None else score.perplexity for score in scores]}
        if self.token_logprobs:
            columns |= {
                _TOKENS[0]: [None if score is None else score.logprobs for score in scores],
                _TOKENS[1]: [None if score is None else score.token_ids for score in scores],
            }
        for field, values in columns.items():
            batch = batch.append_column(field, pa.array(values, field.type))
        proofs = [
            None if proof is None else json.dumps(storable(proof), ensure_ascii=False) for _, proof in found
        ]
        flow = cut(
            batch,
            pa.array([reason for reason, _ in found], pa.string()),
            evidence=pa.array(proofs, pa.string()),
        )
        counts = Counter(perplexity_asked=ask.asked, perplexity_remembered=ask.remembered)
        ask.asked = ask.remembered = 0
        return Flow(flow.kept, flow.rejected, spent=dict(+counts))

    def _asked(self, batch: pa.Table, ask: Remembering[Passage, Score]) -> list[Score | None]:
        rows = batch.select(sorted(self.needs())).to_pylist()
        passages = [self._passage(row) for row in rows]
        try:
            scored = iter(ask([passage for passage in passages if passage is not None]))
        finally:
            ask.raise_failure()
        return [None if passage is None else next(scored) for passage in passages]

    def _passage(self, row: Mapping[str, Any]) -> Passage | None:
        """What is scored of a row; null where there is no text."""
        content, reasoning = row["content"] or "", row.get("reasoning_content")
        if not content and not reasoning:
            return None
        prompt = tuple((turn["role"], turn["content"] or "") for turn in row["prompt"] or ())
        if self.system is not None:
            prompt = (("system", self.system), *(turn for turn in prompt if turn[0] != "system"))
        return Passage(prompt, content, reasoning or None)

    def _ruling(self, score: Score | None) -> tuple[str | None, Mapping[str, Any] | None]:
        """Reason and evidence; nulls for a row that is kept."""
        if score is None:
            return None, None
        if score.status != "scored":
            return _REASONS[score.status], score.detail
        reason, bound = self._bound(score.perplexity)
        return reason, None if reason is None else {"perplexity": score.perplexity, "bound": bound}


def _scores(*, with_tokens: bool) -> Form[Passage, Score]:
    """How scores are kept; those with tokens apart from those without, which take little room."""

    def key(passage: Passage) -> str:
        return json.dumps(
            [passage.prompt, passage.reasoning, passage.content, with_tokens], ensure_ascii=False
        )

    return Form(key=key, dump=_dumped, load=_loaded)


def _dumped(score: Score) -> str:
    lists = [packed(score.token_ids, "<i4"), packed(score.logprobs, "<f4")]
    return json.dumps([score.status, score.logprob, score.tokens, score.detail, *lists], ensure_ascii=False)


def _loaded(text: str) -> Score:
    status, logprob, tokens, detail, ids, logprobs = json.loads(text)
    return Score(
        status,
        logprob=logprob,
        tokens=tokens,
        detail=detail,
        token_ids=unpacked(ids, "<i4"),
        logprobs=unpacked(logprobs, "<f4"),
    )
