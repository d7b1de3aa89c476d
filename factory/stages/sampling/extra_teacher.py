"""A further teacher's completions beside those that the rows hold already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from factory.core import COMPLETION_COLUMNS, Flow, PipelineError

__all__ = ["asked_beside"]

_FIRST, *_ = COMPLETION_COLUMNS.names


def asked_beside(batch: pa.Table, ask: Callable[[pa.Table], Flow]) -> Flow:
    """The rows of the batch, and behind each problem's own those that asking it once more gives.

    `ask` gets one row per problem with the columns that stand before the completion's. What later steps found
    out about an earlier completion is null in a new row. Raises PipelineError when a completion is there
    already: the same teacher was asked the same way.
    """
    first_rows: dict[str, int] = {}
    for row, problem in enumerate(batch["id"].to_pylist()):
        first_rows.setdefault(problem, row)
    own = batch.column_names[: batch.column_names.index(_FIRST)]
    drawn = ask(batch.select(own).take(pa.array(first_rows.values(), pa.int64())))
    twice = set(batch[_FIRST].to_pylist()) & set(drawn.kept[_FIRST].to_pylist())
    if twice:
        raise PipelineError(
            f"completion {min(twice)} is drawn by an earlier step already; ask someone else, or another way"
        )
    added = pa.table(
        [
            drawn.kept[field.name]
            if field.name in drawn.kept.column_names
            else pa.nulls(drawn.kept.num_rows, field.type)
            for field in batch.schema
        ],
        schema=batch.schema,
    )
    every = pa.concat_tables([batch, added])
    places = pa.array([first_rows[problem] for problem in every["id"].to_pylist()], pa.int64())
    keys = pa.table({"place": places, "row": pa.array(range(every.num_rows), pa.int64())})
    order = pc.sort_indices(keys, sort_keys=[("place", "ascending"), ("row", "ascending")])
    return replace(drawn, kept=every.take(order))
