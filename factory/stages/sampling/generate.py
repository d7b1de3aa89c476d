"""One link of a chain: a template over earlier columns asks a teacher, the answer is a column of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from factory.core import MESSAGE, Apply, Flow, Site, cut, problem_id, storable
from factory.stages.sampling.prompt_template import RowTemplate, TemplateFailure
from factory.stages.sampling.teacher_stage import Drawing
from factory.teachers import Completion, Request, Sampler, request_seed
from factory.teachers.journal import batch_group

__all__ = ["Generate"]

_KINDS = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "json": pa.string()}
_SHOWN = 300
"""Characters of an unusable answer in its evidence."""

Kind = Literal["text", "integer", "number", "json"]


class Generate(Drawing):
    """Asks a teacher once per row, with a prompt made of the row's columns, and keeps the answer as a column.

    Several of these make a chain: each reads what those before it wrote. Answers that are cut, or are not of
    the column's type, reject their row. Two rows with the same prompt share one draw.
    """

    minimal: ClassVar[Mapping[str, Any]] = {
        "teacher": {"type": "http", "model": "teacher"},
        "column": "plan",
        "template": "Plan how to solve: {{ prompt }}",
    }

    type: Literal["generate"] = "generate"
    column: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """Name of the column that the answer becomes."""
    template: str
    """Jinja template of the user turn. Columns are variables; `prompt` is the text of its user turns; the
    filter `from_json` parses a column such as `meta`. Printing an empty column rejects the row."""
    kind: Kind = "text"
    """What the answer must be, and the column's type; `json` is kept as text."""
    extract: str | None = None
    """Regular expression: the first group of its last match (or all of that) is the answer; null: all is."""
    replaces_prompt: bool = False
    """Whether the answer becomes the prompt: the row has a new `id` then, and the old one in `parent_id`."""

    @field_validator("template")
    @classmethod
    def _readable(cls, template: str) -> str:
        RowTemplate(template)
        return template

    @field_validator("extract")
    @classmethod
    def _compiles(cls, extract: str | None) -> str | None:
        try:
            re.compile(extract or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return extract

    @model_validator(mode="after")
    def _text_for_a_prompt(self) -> Generate:
        if self.replaces_prompt and self.kind != "text":
            raise ValueError("a prompt is text; set kind: text, or replaces_prompt: false")
        return self

    def needs(self) -> frozenset[str]:
        """The columns that the template names."""
        own = {"id", "prompt", "domain"} if self.replaces_prompt else {"id"}
        return RowTemplate(self.template).columns | own

    def provides(self) -> pa.Schema:
        """The answer's column, and the parent's id where the prompt is replaced."""
        parent = [pa.field("parent_id", pa.string())] if self.replaces_prompt else []
        return pa.schema([pa.field(self.column, _KINDS[self.kind]), *parent])

    @contextmanager
    def open(self, site: Site) -> Iterator[Apply]:
        """Opens the journal; the teacher is loaded when the first answer is missing."""
        template = RowTemplate(self.template)
        with self.sampler(site) as sampler:
            yield lambda batch: self._generate(batch, sampler, template)

    def _generate(self, batch: pa.Table, sampler: Sampler, template: RowTemplate) -> Flow:
        columns = sorted(template.columns | {"id"})
        prompts = [_rendered(template, row) for row in batch.select(columns).to_pylist()]
        requests = {p: self._request(p) for p in prompts if isinstance(p, str)}
        drawn = sampler.draw(list(requests.values()), group=batch_group(batch["id"].to_pylist()))
        answers = dict(zip(requests, drawn.completions, strict=True))
        read = [p if isinstance(p, _Unfit) else self._read(answers[p]) for p in prompts]
        values = [None if isinstance(r, _Unfit) else r for r in read]
        unfit = [r if isinstance(r, _Unfit) else None for r in read]
        rows = self._with_answers(batch, values)
        reasons = pa.array([u.reason if u else None for u in unfit], pa.string())
        evidence = pa.array([u.evidence if u else None for u in unfit], pa.string())
        flow = cut(rows, reasons, evidence=evidence)
        return Flow(flow.kept, flow.rejected, spent=drawn.spent)

    def _request(self, prompt: str) -> Request:
        turns = [{"role": "user", "content": prompt}]
        if self.system is not None:
            turns.insert(0, {"role": "system", "content": self.system})
        key = blake2b(prompt.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        return Request(key, 0, tuple(turns), self.sampling(), request_seed(self.seed, key, 0))

    def _read(self, completion: Completion) -> Any:
        if completion.error is not None:
            return _Unfit(completion.error, completion.detail)
        if completion.finish_reason == "length":
            return _Unfit("truncated", {"completion_tokens": completion.completion_tokens})
        text: str | None = completion.content.strip()
        if self.extract is not None:
            found = list(re.finditer(self.extract, completion.content))
            text = found[-1][1 if found[-1].re.groups else 0] if found else None
        try:
            return storable(_typed(text or "", self.kind))
        except ValueError as error:
            return _Unfit("unparsed", {"error": str(error)[:_SHOWN], "content": completion.content[:_SHOWN]})

    def _with_answers(self, batch: pa.Table, values: Sequence[Any]) -> pa.Table:
        added = self.provides()
        rows = batch.append_column(added.field(self.column), pa.array(values, added.field(self.column).type))
        if not self.replaces_prompt:
            return rows
        rows = rows.append_column(added.field("parent_id"), batch["id"])
        old = zip(
            batch["prompt"].to_pylist(), batch["domain"].to_pylist(), batch["id"].to_pylist(), strict=True
        )
        prompts, ids = [], []
        for value, (prompt, domain, identity) in zip(values, old, strict=True):
            new = prompt if value is None else [{"role": "user", "content": value}]
            prompts.append(new)
            ids.append(identity if value is None else problem_id(new, domain or ""))
        schema = rows.schema
        rows = rows.set_column(schema.get_field_index("id"), schema.field("id"), pa.array(ids, pa.string()))
        place = schema.get_field_index("prompt")
        return rows.set_column(place, schema.field("prompt"), pa.array(prompts, pa.list_(MESSAGE)))


class _Unfit:
    """Why a row has no answer."""

    def __init__(self, reason: str, evidence: Mapping[str, Any] | None) -> None:
        self.reason = reason
        self.evidence = None if evidence is None else json.dumps(storable(evidence), ensure_ascii=False)


def _rendered(template: RowTemplate, row: Mapping[str, Any]) -> str | _Unfit:
    try:
        return template.render(row)
    except TemplateFailure as error:
        return _Unfit("template_error", {"error": str(error)[:_SHOWN]})


def _typed(text: str, kind: Kind) -> Any:
    """The answer as a value of the column. Raises ValueError."""
    if not text:
        raise ValueError("the answer is empty")
    if kind == "integer":
        value = int(text.replace(",", ""))
        if not -(2**63) <= value < 2**63:
            raise ValueError("more than 64 bits")
        return value
    if kind == "number":
        return float(text.replace(",", ""))
    if kind == "json":
        json.loads(text)
    return text
