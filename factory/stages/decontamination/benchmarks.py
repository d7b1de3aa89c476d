"""Evaluation sets that training data must not overlap with: how they are declared and read."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from factory.core import DataError, PipelineError
from factory.core.paths import DataPath
from factory.stages.source import (
    DataFile,
    HubDataset,
    Record,
    Scan,
    absent,
    hub_dataset,
    listed,
    records,
    scan,
    value_at,
)
from factory.storage.files import read_bytes

__all__ = ["Benchmark", "BenchmarkItem", "declared"]

_MAX_ITEM_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class BenchmarkItem:
    """One item of a benchmark: what a model is asked in an evaluation."""

    benchmark: str
    item: str
    text: str


class Benchmark(BaseModel):
    """One evaluation set."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: Annotated[str, Field(min_length=1)]
    """Name in evidence and reports."""
    files: DataPath | list[DataPath] | None = None
    """Files that hold the items, in any form that the source stage reads."""
    dataset: str | None = None
    """Name of a dataset on the hub, in place of `files`."""
    config: str | None = None
    """Configuration of the dataset."""
    split: str = "test"
    """Split of the dataset."""
    revision: str | None = None
    """Branch, tag or commit of the dataset, or the edition of the files."""
    columns: dict[str, str] = {"text": "question"}
    """`text`: their column that holds the item; `id`: their column that names it, else file and line do."""
    license: str | None = None
    """SPDX id of the set."""

    @model_validator(mode="after")
    def _check(self) -> Benchmark:
        if (self.files is None) == (self.dataset is None):
            raise ValueError(f"benchmark '{self.name}' has either `files` or `dataset`")
        if "text" not in self.columns or set(self.columns) - {"text", "id"}:
            raise ValueError(f"`columns` of benchmark '{self.name}' maps `text`, and `id` if there is one")
        return self

    def identity(self) -> dict[str, Any]:
        """Fields with content digests in place of paths."""
        plain = self.model_dump(mode="json")
        if self.files is not None:
            plain["files"] = [[f.name, _scanned(f).sha256] for f in self._files()]
        else:
            plain["revision"] = self._hub().revision
        return plain

    def items(self) -> list[BenchmarkItem]:
        """All items; DataError for one that cannot be read, since a set read in part proves nothing."""
        if self.files is None:
            return [self._item(self._hub().name, record) for record in self._hub().records()]
        found = [
            self._item(file.name, record)
            for file in self._files()
            for record in records(file, max_bytes=_MAX_ITEM_BYTES)
        ]
        if not found:
            raise DataError(f"benchmark '{self.name}' holds no items; check its `files`")
        return found

    def _files(self) -> list[DataFile]:
        return listed([self.files] if isinstance(self.files, str) else list(self.files or ()))

    def _hub(self) -> HubDataset:
        return hub_dataset(str(self.dataset), config=self.config, split=self.split, revision=self.revision)

    def _item(self, place: str, record: Record) -> BenchmarkItem:
        where = f"{place}:{record.line}"
        if record.columns is None:
            raise DataError(f"benchmark '{self.name}', {where}: {record.error}; mend the file")
        for path in self.columns.values():
            if absent(record.columns, path):
                there = ", ".join(list(record.columns)[:30])
                raise PipelineError(
                    f"benchmark '{self.name}' has no column '{path}'; its columns are: {there}"
                )
        text = value_at(record.columns, self.columns["text"])
        if isinstance(text, list):
            text = "\n".join(str(m.get("content", m.get("value"))) for m in text if isinstance(m, dict))
        name = value_at(record.columns, self.columns["id"]) if "id" in self.columns else where
        clean = str(text or "").encode("utf-8", "replace").decode()
        return BenchmarkItem(self.name, str(name), clean)


def declared(benchmarks: str | Sequence[Benchmark]) -> list[Benchmark]:
    """The benchmarks of a stage: given inline, or a YAML file with a list under `benchmarks`.

    Paths in the file start at its folder. Raises PipelineError for a file that is missing or wrong.
    """
    if not isinstance(benchmarks, str):
        return list(benchmarks)
    try:
        plain = yaml.safe_load(read_bytes(benchmarks).decode("utf-8"))
    except FileNotFoundError:
        raise PipelineError(f"benchmarks file '{benchmarks}' does not exist; check `benchmarks`") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise PipelineError(f"benchmarks file '{benchmarks}' cannot be read ({reason})") from error
    entries = plain.get("benchmarks") if isinstance(plain, dict) else None
    if not isinstance(entries, list) or not entries:
        raise PipelineError(f"benchmarks file '{benchmarks}' holds no list `benchmarks`")
    base = {"base": posixpath.dirname(benchmarks)}
    try:
        return [Benchmark.model_validate(entry, context=base) for entry in entries]
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(map(str, first["loc"]))
        raise PipelineError(f"benchmarks file '{benchmarks}': {path}: {first['msg']}") from error


def _scanned(file: DataFile) -> Scan:
    return scan(file, shard_rows=1_000_000, max_bytes=_MAX_ITEM_BYTES)
