"""The first stage: rows out of files, folders, wildcards, URLs and hub datasets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from factory.core import PROBLEM_SCHEMA, DataError, Flow, SourceStage, Split
from factory.stages.source import (
    DataFile,
    HubDataset,
    Mark,
    Scan,
    records,
    scan,
)
from factory.stages.source.inputs import Input, problem_flow

__all__ = ["Source"]

_SPLIT_SHARDS = 8


class Source(SourceStage):
    """Reads problems from files or datasets; a line that cannot become a row is rejected with its cause."""

    version: ClassVar[int] = 2
    type: Literal["source"] = "source"
    minimal: ClassVar[Mapping[str, Any]] = {"inputs": [{"files": "problems.jsonl"}]}
    inputs: Annotated[list[Input], Field(min_length=1)]
    """What is read, in this order."""
    shard_rows: Annotated[int, Field(ge=1)] = 1000
    """Rows of a shard, the unit of work; a shard never spans two files."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Rows read of each input, the first ones; null: every row."""
    max_bad_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Largest share of lines that cannot become rows; above it the run stops and says why they cannot."""
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

    def fault(self, spent: Mapping[str, int], kept: Iterator[pa.Table]) -> str | None:
        """Whether too many lines are no rows, and for which causes."""
        bad = {key.removeprefix("bad_"): count for key, count in spent.items() if key.startswith("bad_")}
        total = sum(bad.values())
        if total <= self.max_bad_share * spent.get("lines", 0) or total == spent.get("lines", 0):
            return None
        causes = ", ".join(f"{cause} {count:,}" for cause, count in sorted(bad.items()))
        return (
            f"{total:,} of {spent['lines']:,} lines are no rows ({causes}), above max_bad_share "
            f"{self.max_bad_share:g}; mend the file or `columns`, or raise it"
        )

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
            yield problem_flow(batch, one, name=name, source=one.source or stem)

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
