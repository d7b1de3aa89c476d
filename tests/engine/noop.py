"""Stages that do next to nothing, so that a test sees the engine alone."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar, Literal

import pyarrow as pa

from factory.core import Apply, Filter, Flow, GlobalStage, Site, SourceStage, Split, Spread, Stage, cut

ID = pa.schema([("id", pa.int64())])


class Numbers(SourceStage):
    """Numbers 0 to rows-1."""

    type: Literal["numbers"] = "numbers"
    adds: ClassVar[pa.Schema] = ID
    rows: int = 100
    shard_rows: int = 10

    def splits(self) -> Sequence[Split]:
        shards = -(-self.rows // self.shard_rows)
        return [Split(first, min(2, shards - first), {}) for first in range(0, shards, 2)]

    def read(self, split: Split) -> Iterator[Flow]:
        for shard in range(split.first_shard, split.first_shard + split.shards):
            ids = range(shard * self.shard_rows, min(self.rows, (shard + 1) * self.shard_rows))
            kept = pa.table({"id": pa.array(ids, pa.int64())})
            yield Flow(kept, pa.table({"id": pa.array([], pa.int64())}), expected=kept.num_rows)


class Pass(Stage):
    """Keeps every row."""

    type: Literal["pass"] = "pass"

    def apply(self, batch: pa.Table) -> Flow:
        return Flow(batch, batch.slice(0, 0))


class Priced(Pass):
    """Wants a completion of each row."""

    type: Literal["priced"] = "priced"  # type: ignore[assignment]

    def cost(self, rows: int) -> Mapping[str, int]:
        return {"completions": rows}


class Multiples(Filter):
    """Rejects multiples of a number."""

    type: Literal["multiples"] = "multiples"
    of: int = 3

    def reject(self, batch: pa.Table) -> pa.Array:
        return pa.array([None if i % self.of else "multiple" for i in batch["id"].to_pylist()], pa.string())


class Swallow(Stage):
    """Loses the first row of each shard without a word."""

    type: Literal["swallow"] = "swallow"

    def apply(self, batch: pa.Table) -> Flow:
        return Flow(batch.slice(1), batch.slice(0, 0))


class Broken(Stage):
    """Raises on one shard."""

    type: Literal["broken"] = "broken"
    at: int = 30

    def apply(self, batch: pa.Table) -> Flow:
        if self.at in batch["id"].to_pylist():
            raise ZeroDivisionError("no such quotient")
        return Flow(batch, batch.slice(0, 0))


class Beside(Stage):
    """Writes the square of each number beside it, under its own name or another."""

    type: Literal["beside"] = "beside"
    given: str = "squares"

    def side_tables(self) -> Mapping[str, pa.Schema]:
        return {"squares": pa.schema([("completion_id", pa.string()), ("square", pa.int64())])}

    def apply(self, batch: pa.Table) -> Flow:
        ids = batch["id"].to_pylist()
        squares = pa.table({"completion_id": [str(i) for i in ids], "square": [i * i for i in ids]})
        flow = cut(batch, pa.nulls(batch.num_rows, pa.string()))
        return replace(flow, side_tables={self.given: squares})


class SandboxError(Exception):
    """By name what the sandbox raises when it fails itself."""


class Moody(Stage):
    """Fails once on one shard by the fault of the machine."""

    type: Literal["moody"] = "moody"
    flag: str = ""

    def apply(self, batch: pa.Table) -> Flow:
        if 30 in batch["id"].to_pylist() and not os.path.exists(self.flag):
            open(self.flag, "w").close()
            raise SandboxError("no namespace to be had")
        return Flow(batch, batch.slice(0, 0))


class Doubtful(Stage):
    """Refuses itself as a whole while no file says that its machine is mended; fails some rows until then."""

    type: Literal["doubtful"] = "doubtful"
    mended: str = ""

    def apply(self, batch: pa.Table) -> Flow:
        flow = cut(batch, pa.nulls(batch.num_rows, pa.string()))
        return replace(flow, spent={} if os.path.exists(self.mended) else {"failed": batch.num_rows})

    def fault(self, spent: Mapping[str, int], kept: Iterator[pa.Table]) -> str | None:
        rows = sum(batch.num_rows for batch in kept)
        return f"{spent['failed']} of {rows} rows failed" if spent.get("failed") else None


class Held(Stage):
    """Holds a file open and appends one line per shard; dies at one shard, once, if told to."""

    type: Literal["held"] = "held"
    concurrency: ClassVar[int] = 2
    log: str = ""
    dies_at: int | None = None

    @contextmanager
    def open(self, site: Site) -> Iterator[Apply]:
        with open(self.log, "a") as log:
            log.write("open\n")
            log.flush()

            def apply(batch: pa.Table) -> Flow:
                flag = self.log + ".died"
                if self.dies_at in batch["id"].to_pylist() and not os.path.exists(flag):
                    open(flag, "w").close()
                    os.kill(os.getpid(), signal.SIGKILL)
                log.write(f"{batch['id'][0]}\n")
                log.flush()
                return Flow(batch, batch.slice(0, 0))

            yield apply
            log.write("close\n")


class OncePerDigit(GlobalStage):
    """Keeps the first number of each last digit over the whole source."""

    type: Literal["once-per-digit"] = "once-per-digit"

    def survey(self, batch: pa.Table) -> pa.Table:
        return pa.table({"digit": pa.array([i % 10 for i in batch["id"].to_pylist()], pa.int64())})

    def decide(self, surveys: Sequence[pa.Table], *, site: Site, spread: Spread) -> pa.Table:
        seen: Counter[int] = Counter()
        rows = []
        for shard, digits in enumerate(spread(_digits, [(s,) for s in surveys])):
            for row, digit in enumerate(digits):
                if seen[digit]:
                    rows.append((shard, row, "seen", json.dumps({"digit": digit})))
                seen[digit] += 1
        columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
        return pa.table(
            {
                "shard": pa.array(columns[0], pa.int32()),
                "row": pa.array(columns[1], pa.int32()),
                "reason": pa.array(columns[2], pa.string()),
                "evidence": pa.array(columns[3], pa.string()),
            }
        ).replace_schema_metadata({"report": json.dumps({"digits": len(seen)})})


def _digits(survey: pa.Table) -> list[int]:
    return list(survey["digit"].to_pylist())
