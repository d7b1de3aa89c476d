"""What a stage is: one frozen configuration that turns a batch of rows into kept and rejected rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from factory.core.options import Resources
from factory.core.rows import REJECTION_COLUMNS, REVIEW

__all__ = [
    "Apply",
    "Filter",
    "Flow",
    "GlobalStage",
    "Role",
    "Site",
    "SourceStage",
    "Split",
    "Spread",
    "Stage",
    "Survey",
    "cut",
]


@dataclass(frozen=True, slots=True)
class Flow:
    """What leaves a stage. Nothing vanishes: `expected` rows = kept rows + rejected rows."""

    kept: pa.Table
    rejected: pa.Table
    """The kept rows' columns (null where not computed) and `reason`, `evidence`."""
    expected: int | None = None
    """Rows that must leave where only the stage can know (adaptive sampling); null: `Stage.fan_out`."""
    spent: Mapping[str, int] | None = None
    """What the shard cost, for its receipt: `completions_drawn`, `completions_reused`, tokens."""
    side_tables: Mapping[str, pa.Table] = field(default_factory=dict)
    """What is too large to travel with the kept rows, by the names of `Stage.side_tables`."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a stage is opened. Nothing in it can change a byte of the output."""

    resources: Resources
    cache_url: str
    """Folder for what is costly to make and keyed by content; outlives the run."""
    journal_url: str
    """Folder for what is paid for and must outlive a crash."""
    run_id: str = ""
    """Name of the run: workers of one run share it, a later run has another."""
    lease_url: str = ""
    """Folder that the run holds; empty: there is no run, and nobody to be overtaken by."""
    generation: int = 0
    """Number of the run among those that held the folder; a later one has a higher number."""
    step: str = ""
    """Fingerprint of the step, so that what is counted for it is not taken for another's."""


Role = Literal["rows", "teacher", "decontamination"]
"""What a stage is to a reader of the release: it asks a teacher, it removes benchmarks, or neither."""
Apply = Callable[[pa.Table], Flow]
Survey = Callable[[pa.Table], pa.Table]
Spread = Callable[[Callable[..., Any], Sequence[tuple[Any, ...]]], Iterator[Any]]
"""Runs a pure function over argument tuples, results in order: in this process, or as tasks of a cluster."""


class Stage(BaseModel):
    """One kind of operation. The fields are its identity; state lives only inside `open`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    version: ClassVar[int] = 1
    """Bumped by hand whenever the same input and fields could give other output."""
    requires: ClassVar[frozenset[str]] = frozenset()
    adds: ClassVar[pa.Schema] = pa.schema([])
    concurrency: ClassVar[int] = 1
    """Shards that one opened worker takes at the same time, each in a thread of its own."""
    role: ClassVar[Role] = "rows"
    """What a release says of the step beside its counts and settings."""
    minimal: ClassVar[Mapping[str, Any]] = {}
    """The fewest fields that make a valid stage; used by contract tests and by the golden fingerprints."""

    type: str
    """Name of the stage in a pipeline file."""
    name: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_-]*$")
    """Name of the step; wanted only where a pipeline has the same stage twice."""

    @property
    def step_name(self) -> str:
        """The name a step goes by: its own, or its type."""
        return self.name or self.type

    @property
    def light(self) -> bool:
        """Whether each CPU may hold what `open` holds: an index or a table, no model and no connection."""
        return False

    def needs(self) -> frozenset[str]:
        """Columns that this configuration reads."""
        return self.requires

    def provides(self) -> pa.Schema:
        """Typed columns that this configuration adds."""
        return self.adds

    def side_tables(self) -> Mapping[str, pa.Schema]:
        """Tables that this configuration writes beside its kept rows, each with a `completion_id`.

        Later steps do not see them; a release holds their part for the rows that are released.
        """
        return {}

    def identity(self) -> dict[str, Any]:
        """All that can change a byte of output, as JSON values: fields, and digests in place of paths."""
        return self.model_dump(mode="json", exclude={"name"})

    def schema_out(self, schema: pa.Schema) -> pa.Schema:
        """Schema of the kept rows for a given input schema; `review` is one column, whoever adds to it."""
        shared = {REVIEW.name} & set(schema.names)
        return pa.schema([*schema, *(field for field in self.provides() if field.name not in shared)])

    def fan_out(self, batch: pa.Table) -> int:
        """Rows that must leave for this batch, kept and rejected together."""
        return int(batch.num_rows)

    def cost(self, rows: int) -> Mapping[str, int]:
        """At most what so many rows cost: `completions`, `completion_tokens`. Empty: nothing."""
        return {}

    def estimate(self, rows: int, *, site: Site, per_row: float | None = None) -> Mapping[str, float]:
        """What so many rows will likely cost more, by what was drawn before: `cost`'s counts, `seconds`,
        `dollars`. `per_row` completions are wanted of a row; null: the most. Empty: nothing is known."""
        return {}

    def lacks(self, site: Site) -> str | None:
        """What it cannot run without and does not have here (a package, an address, a key), and what to do.

        Asked before a run starts, so that nothing is paid for first; null: nothing that can be told so soon.
        """
        return None

    def watch(self, site: Site) -> Callable[[], Mapping[str, int]] | None:
        """Counts what is finished inside shards under way since the call, for the progress display alone."""
        return None

    def report(self, site: Site) -> Mapping[str, Any] | None:
        """What the manifest says of the step beside its counts; asked for once, when the step is done."""
        return None

    def fault(self, spent: Mapping[str, int], kept: Iterator[pa.Table]) -> str | None:
        """Why the finished step is no result, and what to do; null where it is one.

        Asked once, when every shard is done, with the sum of what the shards cost; `kept` reads their rows. A
        step with a fault is not sealed: the run stops, and the next one does it again.
        """
        return None

    def apply(self, batch: pa.Table) -> Flow:
        """Runs the stage on one batch. Stages that hold something costly override `open` instead."""
        raise NotImplementedError

    @contextmanager
    def open(self, site: Site) -> Iterator[Apply]:
        """Holds what is costly while batches pass; the callable must be thread-safe if `concurrency` > 1."""
        yield self.apply


@dataclass(frozen=True, slots=True)
class Split:
    """A part of a source that one worker reads from its start; it becomes one or more whole shards."""

    first_shard: int
    shards: int
    where: Mapping[str, Any]
    """What `read` needs to find it: plain values only."""


class SourceStage(Stage):
    """The first stage of a pipeline: it has no rows in, and knows its number of shards before it is read."""

    def splits(self) -> Sequence[Split]:
        """All parts of the source; together they are shards 0 to N-1, each once."""
        raise NotImplementedError

    def row_count(self) -> int:
        """Rows in all parts together."""
        raise NotImplementedError

    def preview(self, rows: int) -> SourceStage:
        """The same source with about so many of its rows, each input in its share and with one at least."""
        raise NotImplementedError

    def read(self, split: Split) -> Iterator[Flow]:
        """Reads one part: one Flow per shard, in order; `expected` is the number of rows read for it."""
        raise NotImplementedError


class Filter(Stage):
    """A stage that only cuts rows: implement `reject`."""

    examples: ClassVar[Sequence[tuple[Any, str | None]]] = ()
    """Pairs of a row (dict of columns, or the one required column's value) and its reason (null: kept)."""

    def reject(self, batch: pa.Table) -> pa.Array:
        """One value per row: null keeps it, a word cuts it and says why."""
        raise NotImplementedError

    def apply(self, batch: pa.Table) -> Flow:
        """Splits the batch by `reject`."""
        return cut(batch, self.reject(batch))


class GlobalStage(Stage):
    """A stage that must see every row before it cuts one: survey each shard, decide once, settle each."""

    def survey(self, batch: pa.Table) -> pa.Table:
        """What the decision needs to know of a shard; usually one row per row, in order."""
        raise NotImplementedError

    @contextmanager
    def open_survey(self, site: Site) -> Iterator[Survey]:
        """Holds what is costly (an embedder) while shards are surveyed."""
        yield self.survey

    def decide(self, surveys: Sequence[pa.Table], *, site: Site, spread: Spread) -> pa.Table:
        """Decides over all surveys (index = shard number), each read from disk when it is asked for.

        Returns the rejected rows: `shard` int32, `row` int32 (position in the shard), `reason` and
        `evidence` strings. May hold a JSON object under the schema metadata key `report`.
        """
        raise NotImplementedError

    def settle(self, batch: pa.Table, decision: pa.Table) -> Flow:
        """Cuts one shard by its part of the decision (`row`, `reason`, `evidence`)."""
        rows = decision["row"].to_pylist()
        reasons: list[str | None] = [None] * batch.num_rows
        evidence: list[str | None] = [None] * batch.num_rows
        for row, reason, proof in zip(
            rows, decision["reason"].to_pylist(), decision["evidence"].to_pylist(), strict=True
        ):
            reasons[row], evidence[row] = reason, proof
        return cut(batch, pa.array(reasons, pa.string()), evidence=pa.array(evidence, pa.string()))


def cut(batch: pa.Table, reasons: pa.Array, *, evidence: pa.Array | None = None) -> Flow:
    """Splits a batch: rows whose reason is null are kept, the others rejected with reason and evidence."""
    if evidence is None:
        evidence = pa.nulls(batch.num_rows, pa.string())
    keep = pc.is_null(reasons)
    marked = batch.append_column(REJECTION_COLUMNS.field("reason"), reasons).append_column(
        REJECTION_COLUMNS.field("evidence"), evidence
    )
    return Flow(kept=batch.filter(keep), rejected=marked.filter(pc.invert(keep)))
