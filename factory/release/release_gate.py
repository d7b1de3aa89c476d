"""Which of the pipeline's last rows a release takes, and why it holds the others back."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc

from factory.core import PipelineError
from factory.release.layouts import LAYOUTS
from factory.release.spec import ReleaseSpec

__all__ = ["check_columns", "data_schema", "hold_back", "is_truncated", "is_unanswered"]


def check_columns(spec: ReleaseSpec, schema: pa.Schema) -> None:
    """Raises PipelineError when the last step's columns cannot make the layout."""
    if spec.columns is not None and spec.layout != "rows":
        raise PipelineError(f"release.columns: is for the layout 'rows', not '{spec.layout}'; drop it")
    wanted = spec.columns if spec.layout == "rows" else ["prompt", "content"]
    missing = [name for name in wanted or [] if name not in schema.names]
    if missing:
        raise PipelineError(
            f"release: layout '{spec.layout}' needs {missing}; the last step provides {schema.names}"
        )


def data_schema(spec: ReleaseSpec, schema: pa.Schema) -> pa.Schema:
    """Schema of the files in `data/`."""
    if spec.layout != "rows":
        return LAYOUTS[spec.layout].schema
    return schema if spec.columns is None else pa.schema([schema.field(name) for name in spec.columns])


def is_truncated(table: pa.Table) -> pa.Array:
    """Per row: whether the completion ran into the token limit."""
    if "finish_reason" not in table.column_names:
        return pa.array([False] * table.num_rows)
    return pc.fill_null(pc.equal(table["finish_reason"], "length"), False).combine_chunks()


def is_unanswered(table: pa.Table) -> pa.Array:
    """Per row: whether there is a completion without an answer (null, blank, or a failed request)."""
    if "content" not in table.column_names:
        return pa.array([False] * table.num_rows)
    blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(pc.fill_null(table["content"], ""))), 0)
    if "finish_reason" in table.column_names:
        blank = pc.or_(blank, pc.fill_null(pc.equal(table["finish_reason"], "error"), False))
    return blank.combine_chunks() if isinstance(blank, pa.ChunkedArray) else blank


def hold_back(table: pa.Table, spec: ReleaseSpec) -> tuple[pa.Array, pa.Array]:
    """Reason and evidence per row; a null reason admits the row.

    Reasons: `truncated` (unless the spec allows it), `no_answer`, and `layout_unfit` for a prompt that the
    layout cannot hold without loss, such as a system turn in a layout of two messages.
    """
    truncated, unanswered = is_truncated(table).to_pylist(), is_unanswered(table).to_pylist()
    layout = LAYOUTS.get(spec.layout)
    prompts = table["prompt"].to_pylist() if layout and "prompt" in table.column_names else []
    reasons: list[str | None] = []
    evidence: list[str | None] = []
    for row, (cut_short, empty) in enumerate(zip(truncated, unanswered, strict=True)):
        reason, proof = None, None
        if cut_short and not spec.allow_truncated:
            reason = "truncated"
        elif empty and not cut_short:
            reason = "no_answer"
        elif layout and not layout.fits(prompts[row] or ()):
            roles = [turn["role"] for turn in prompts[row] or ()]
            reason, proof = "layout_unfit", json.dumps({"layout": spec.layout, "roles": roles})
        reasons.append(reason)
        evidence.append(proof)
    return pa.array(reasons, pa.string()), pa.array(evidence, pa.string())
