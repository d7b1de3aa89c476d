"""The first stage: rows out of files, folders, wildcards, URLs and hub datasets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from factory.core import PROBLEM_SCHEMA, REJECTION_COLUMNS, DataError, Flow, PipelineError, SourceStage, Split
from factory.core.paths import DataPath
from factory.stages.source import (
    OURS,
    BadRecord,
    DataFile,
    HubDataset,
    Mark,
    Record,
    Scan,
    absent,
    hub_dataset,
    listed,
    problem_row,
    records,
    scan,
)

__all__ = ["Input", "Source"]

_SPLIT_SHARDS = 8
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


class Source(SourceStage):
    """Reads problems from files or datasets; a line that cannot become a row is rejected as `bad_line`."""

    version: ClassVar[int] = 2
    type: Literal["source"] = "source"
    minimal: ClassVar[Mapping[str, Any]] = {"inputs": [{"files": "problems.jsonl"}]}
    inputs: Annotated[list[Input], Field(min_length=1)]
    """What is read, in this order."""
    shard_rows: Annotated[int, Field(ge=1)] = 1000
    """Rows of a shard, the unit of work; a shard never spans two files."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Rows read of each input, the first ones; null: every row."""
    max_line_mb: Annotated[float, Field(gt=0)] = 8.0
    """Longest record read, in megabytes of 10^6 bytes; a longer one is a bad line."""

    def provides(self) -> pa.Schema:
        """The problem schema."""
        return PROBLEM_SCHEMA

    def identity(self) -> dict[str, Any]:
        """Fields with the digest of each file's content in place of its path."""
        plain = self.model_dump(mode="json", exclude={"name"})
        for one, fields in zip(self.inputs, plain["inputs"], strict=True):
            found = one.hub()
            if found is not None:
                fields["revision"] = found.revision
            else:
                fields["files"] = [[f.name, self._scan(f).sha256] for f in one.data_files()]
        return plain

    def splits(self) -> Sequence[Split]:
        """Runs of shards that can be read apart; raises for an input missing, empty or without a column."""
        splits: list[Split] = []
        for index, one in enumerate(self.inputs):
            self._require_rows(one)
            left = self._limit(one)
            for where, rows, marks, per_split in self._parts(one, index):
                taken = rows if left is None else min(rows, left)
                left = None if left is None else left - taken
                splits += self._runs(where, taken, marks, per_split, splits[-1] if splits else None)
        return splits

    def read(self, split: Split) -> Iterator[Flow]:
        """Reads a run of shards; DataError when the file is no longer what was scanned."""
        where = split.where
        one = self.inputs[where["input"]]
        if "dataset" in where:
            found = HubDataset(**where["dataset"])
            stream, name, stem = found.records(start=where["line"] - 1), found.name, found.name
        else:
            file = DataFile(**where["file"])
            file.require_unchanged()
            start = Mark(where["offset"], where["line"]) if where["line"] > 1 else None
            stream, name, stem = records(file, max_bytes=self._max_bytes, start=start), file.name, file.stem
        left = int(where["rows"])
        while left:
            batch = list(islice(stream, min(left, self.shard_rows)))
            if not batch:
                raise DataError(f"{one.label()} ends {left} rows before its scan said; start the run again")
            left -= len(batch)
            yield _flow(batch, one, name=name, source=one.source or stem)

    def row_count(self) -> int:
        """Rows of all inputs within their limits, lines that cannot be read among them."""
        return sum(self._input_rows())

    def preview(self, rows: int) -> Source:
        """The first rows of each input, in its share of all."""
        counts = self._input_rows()
        shares = [max(1, round(rows * count / max(1, sum(counts)))) for count in counts]
        pairs = zip(self.inputs, shares, strict=True)
        return self.model_copy(
            update={"inputs": [one.model_copy(update={"limit": share}) for one, share in pairs]}
        )

    def _input_rows(self) -> list[int]:
        counts = []
        for index, one in enumerate(self.inputs):
            held, most = sum(part[1] for part in self._parts(one, index)), self._limit(one)
            counts.append(held if most is None else min(held, most))
        return counts

    def _limit(self, one: Input) -> int | None:
        return min((most for most in (one.limit, self.limit) if most is not None), default=None)

    @property
    def _max_bytes(self) -> int:
        return int(self.max_line_mb * 1e6)

    def _scan(self, file: DataFile) -> Scan:
        return scan(file, shard_rows=self.shard_rows, max_bytes=self._max_bytes)

    def _require_rows(self, one: Input) -> None:
        found = one.hub()
        files = one.data_files()
        if not (found.rows if found else any(self._scan(f).rows for f in files)):
            raise DataError(
                f"{one.label()} holds no rows; wanted at least one, check `files` in the source stage"
            )
        parts = [found.records()] if found else [records(f, max_bytes=self._max_bytes) for f in files]
        one.require_columns(record for part in parts for record in part)

    def _parts(self, one: Input, index: int) -> Iterator[tuple[dict[str, Any], int, tuple[Mark, ...], int]]:
        """Each file or dataset: where it is, its rows, its starting places, and shards per split."""
        found = one.hub()
        if found is not None:
            plain = {n: getattr(found, n) for n in HubDataset.__slots__}
            marks = tuple(Mark(row, row + 1) for row in range(0, found.rows, self.shard_rows))
            yield {"input": index, "dataset": plain}, found.rows, marks, _SPLIT_SHARDS
        for file in one.data_files():
            seen = self._scan(file)
            # A row group is decoded as a whole, so a split is never smaller than one.
            per_split = max(_SPLIT_SHARDS, -(-seen.group_rows // self.shard_rows))
            yield {"input": index, "file": file.plain()}, seen.rows, seen.marks, per_split

    def _runs(
        self, where: dict[str, Any], rows: int, marks: tuple[Mark, ...], per_split: int, last: Split | None
    ) -> Iterator[Split]:
        first = last.first_shard + last.shards if last else 0
        shards = -(-rows // self.shard_rows)
        step = per_split if marks else max(shards, 1)
        for shard in range(0, shards, step):
            count = min(step, shards - shard)
            mark = marks[shard] if marks else Mark(0, 1)
            part = min(rows - shard * self.shard_rows, count * self.shard_rows)
            place = {"offset": mark.offset, "line": mark.line, "rows": part}
            yield Split(first + shard, count, {**where, **place})


def _flow(batch: Sequence[Record], one: Input, *, name: str, source: str) -> Flow:
    kept, rejected = list[dict[str, Any]](), list[dict[str, Any]]()
    given = {"source": source, "license": one.license, "domain": one.domain}
    for record in batch:
        origin = f"{name}:{record.line}"
        try:
            if record.columns is None:
                raise BadRecord(record.error)
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
    )
