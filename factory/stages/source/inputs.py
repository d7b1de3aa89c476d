"""One input of a pipeline: which files or dataset, what their columns are, and the rows made of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from factory.core import PROBLEM_SCHEMA, REJECTION_COLUMNS, Flow, PipelineError
from factory.core.paths import DataPath
from factory.stages.source import (
    OURS,
    BadRecord,
    DataFile,
    HubDataset,
    Record,
    absent,
    hub_dataset,
    listed,
    problem_row,
)

__all__ = ["Input", "problem_flow"]

_CHECKED_COLUMNS = 100_000


class Input(BaseModel):
    """One set of files, or one dataset, with what its rows are."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    files: DataPath | list[DataPath] | None = None
    """File, folder, wildcard or fsspec URL, or a list of them; relative to the pipeline file."""
    dataset: str | None = None
    """Name of a dataset on the hub, in place of `files`."""
    config: str | None = None
    """Configuration of the dataset."""
    split: str = "train"
    """Split of the dataset."""
    revision: str | None = None
    """Branch, tag or commit of the dataset; null: the main branch. The commit is part of the identity."""
    columns: dict[str, str] | None = None
    """Our column (prompt, reference, tests, domain, source, license): their column, dots reach into objects.

    `prompt` may be a text (one user turn) or a list of messages. Null: columns that have our names.
    """
    answer_pattern: str | None = None
    """Regular expression with one group; the group of its last match in `reference` becomes the reference."""
    references: Literal["one", "list"] = "one"
    """Whether `reference` holds one answer, or may hold a list of accepted ones, kept as a JSON list for
    verifiers that take one; what is neither text nor number is rejected as `reference_...`."""
    blank_reference: Literal["reject", "none"] = "reject"
    """Whether a row with an empty reference, as tables without nulls have, is rejected or has none."""
    source: str | None = None
    """Value of the column `source`; null: the file's name without suffix, or the dataset's name."""
    license: str | None = None
    """Value of the column `license`, an SPDX id."""
    domain: str = Field(default="other", min_length=1)
    """Value of the column `domain`: math, code, science, chat, instruct, other."""

    limit: Annotated[int, Field(ge=1)] | None = None
    """Rows read of this input, the first ones; null: as the stage says."""

    @model_validator(mode="after")
    def _check(self) -> Input:
        if (self.files is None) == (self.dataset is None):
            raise ValueError("an input has either `files` or `dataset`")
        if self.columns is not None:
            unknown = sorted(set(self.columns) - set(OURS))
            if unknown:
                raise ValueError(
                    f"unknown column {unknown[0]!r} in `columns`; wanted ours: theirs with {', '.join(OURS)}"
                )
            if "prompt" not in self.columns:
                raise ValueError("`columns` must map `prompt`")
        self._check_pattern()
        return self

    def _check_pattern(self) -> None:
        if self.answer_pattern is None:
            return
        try:
            groups = re.compile(self.answer_pattern).groups
        except re.error as error:
            raise ValueError(f"answer_pattern is no regular expression: {error}") from error
        if groups != 1:
            raise ValueError(f"answer_pattern has {groups} groups; wanted exactly one")
        if self.columns is not None and "reference" not in self.columns:
            raise ValueError("answer_pattern needs `reference` in `columns`")

    def data_files(self) -> list[DataFile]:
        """The files named; empty for a dataset."""
        if self.files is None:
            return []
        return listed([self.files] if isinstance(self.files, str) else self.files)

    def hub(self) -> HubDataset | None:
        """The dataset named; null for files."""
        if self.dataset is None:
            return None
        return hub_dataset(self.dataset, config=self.config, split=self.split, revision=self.revision)

    def mapping(self, record: Mapping[str, Any]) -> dict[str, str]:
        """The column map for one record."""
        if self.columns is not None:
            return self.columns
        return {"prompt": "prompt"} | {ours: ours for ours in OURS if ours in record}

    def require_columns(self, records: Iterator[Record]) -> None:
        """PipelineError when a mapped column is in no record at all; reads until each was seen once."""
        wanted = set((self.columns or {"prompt": "prompt"}).values())
        there: dict[str, None] = {}
        for record in records:
            if record.columns is None:
                continue
            wanted = {path for path in wanted if absent(record.columns, path)}
            if not wanted:
                return
            if len(there) < _CHECKED_COLUMNS:
                there |= dict.fromkeys(record.columns)
        if there:
            shown = ", ".join(list(there)[:30])
            raise PipelineError(
                f"column '{sorted(wanted)[0]}' is in no row of {self.label()}; its columns are: {shown}; "
                "correct `columns` (ours: theirs)"
            )

    def label(self) -> str:
        """How messages name the input."""
        if self.dataset is not None:
            return f"dataset '{self.dataset}'"
        return f"'{self.files if isinstance(self.files, str) else ', '.join(self.files or ())}'"


def problem_flow(batch: Sequence[Record], one: Input, *, name: str, source: str) -> Flow:
    """Rows of the problem schema; a record that cannot become one is rejected with cause, file and line."""
    kept, rejected = list[dict[str, Any]](), list[dict[str, Any]]()
    given = {"source": source, "license": one.license, "domain": one.domain}
    for record in batch:
        origin = f"{name}:{record.line}"
        try:
            if record.columns is None:
                raise BadRecord(record.error, reason=record.reason)
            columns = one.mapping(record.columns)
            kept.append(
                problem_row(
                    record.columns,
                    columns=columns,
                    given=given,
                    answer_pattern=one.answer_pattern,
                    references=one.references,
                    blank_reference=one.blank_reference,
                    origin=origin,
                )
            )
        except BadRecord as error:
            evidence = {"file": name, "line": record.line, "error": str(error)}
            if record.text:
                evidence["text"] = record.text
            text = json.dumps(evidence, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
            rejected.append({**given, "origin": origin, "reason": error.reason, "evidence": text})
    schema = pa.schema([*PROBLEM_SCHEMA, *REJECTION_COLUMNS])
    return Flow(
        kept=pa.Table.from_pylist(kept, PROBLEM_SCHEMA),
        rejected=pa.Table.from_pylist(rejected, schema),
        expected=len(batch),
        spent={"lines": len(batch), **Counter(f"bad_{row['reason']}" for row in rejected)},
    )
