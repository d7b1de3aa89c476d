"""The table beside sampled rows that holds the likeliest tokens at each place of a completion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from factory.core import TeacherError
from factory.teachers import Completion
from factory.teachers.alternatives import Alternatives

__all__ = ["TOP_LOGPROBS", "TOP_LOGPROBS_SCHEMA", "top_logprobs"]

TOP_LOGPROBS = "top_logprobs"
"""Name of the table."""

TOP_LOGPROBS_SCHEMA = pa.schema(
    [
        ("completion_id", pa.string()),
        ("tokenizer", pa.string()),
        ("text", pa.string()),
        ("token_ids", pa.list_(pa.int32())),
        ("byte_ends", pa.list_(pa.int32())),
        ("logprobs", pa.list_(pa.float32())),
        ("top_token_ids", pa.list_(pa.list_(pa.int32()))),
        ("top_logprobs", pa.list_(pa.list_(pa.float16()))),
        ("tail_mass", pa.list_(pa.float32())),
    ]
)
"""One row per completion that was kept; the columns are the fields of `Alternatives`."""


def top_logprobs(ids: Sequence[str], completions: Sequence[Completion]) -> pa.Table:
    """The rows of all completions that are no errors, in order.

    Raises TeacherError when the teacher gave a text without the tokens that were asked for.
    """
    rows = []
    for completion_id, completion in zip(ids, completions, strict=True):
        if completion.error is not None:
            continue
        if completion.alternatives is None:
            raise TeacherError(f"completion {completion_id} came without the likeliest tokens at its places")
        rows.append((completion_id, completion.alternatives))
    columns = [pa.array([completion_id for completion_id, _ in rows], pa.string())]
    for field in list(TOP_LOGPROBS_SCHEMA)[1:]:
        columns.append(_column(field, [alternatives for _, alternatives in rows]))
    return pa.table(columns, schema=TOP_LOGPROBS_SCHEMA)


def _column(field: pa.Field, rows: Sequence[Alternatives]) -> pa.Array:
    values = [getattr(row, field.name) for row in rows]
    if not pa.types.is_list(field.type):
        return pa.array(values, field.type)
    places = pa.array(np.cumsum([0, *(0 if v is None else len(v) for v in values)]), pa.int32())
    mask = pa.array([value is None for value in values], pa.bool_())
    held = [value for value in values if value is not None]
    inner = field.type.value_type
    if not pa.types.is_list(inner):
        flat = pa.array(np.concatenate(held) if held else [], inner)
        return pa.ListArray.from_arrays(places, flat, mask=mask)
    flat = pa.array(np.concatenate([value.ravel() for value in held]) if held else [], inner.value_type)
    widths = [value.shape[1] for value in held for _ in range(len(value))]
    ends = pa.array(np.cumsum([0, *widths]), pa.int32())
    return pa.ListArray.from_arrays(places, pa.ListArray.from_arrays(ends, flat))
