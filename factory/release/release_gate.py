"""Which of the pipeline's last rows a release takes, and why it holds the others back."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from factory.core import PipelineError, Stage
from factory.release.layouts import LAYOUTS
from factory.release.spec import UNVERIFIED, ReleaseSpec
from factory.stages.answers.verdict_evidence import verdict_evidence

__all__ = [
    "check_columns",
    "check_stored_system",
    "check_verifiers",
    "data_schema",
    "hold_back",
    "is_truncated",
    "is_unanswered",
    "verdict_words",
]

_MEANT = "say that it is meant: `release: {verdicts: [unverified]}`"


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
    if "content" in schema.names and "verdict" not in schema.names and UNVERIFIED not in spec.verdicts:
        raise PipelineError(
            "release: no step judges the completions, so every row is unverified; add a 'verify' step, or "
            f"{_MEANT}"
        )


def check_verifiers(spec: ReleaseSpec, stages: Sequence[Stage]) -> None:
    """Raises PipelineError where no completion can get a verdict with which it would be released."""
    from factory.stages.verification.verify import Verify

    judging = [stage for stage in stages if isinstance(stage, Verify)]
    if not judging or set(spec.verdicts) != {"pass"}:
        return
    if all(verifier.checks_form for verifier in judging[-1].verifiers):
        names = ", ".join(verifier.type for verifier in judging[-1].verifiers)
        raise PipelineError(
            f"release: step '{judging[-1].step_name}' checks the form alone ({names}), so no row can pass; "
            f"add a verifier that knows what is right, or {_MEANT}"
        )


def check_stored_system(spec: ReleaseSpec, stages: Sequence[Stage]) -> None:
    """Raises PipelineError where a step stores a system turn that the layout has no place for."""
    from factory.stages.sampling.sample import Sample

    layout = LAYOUTS.get(spec.layout)
    stored = [s for s in stages if isinstance(s, Sample) and s.stored_system is not None]
    shown = [{"role": "system", "content": "x"}, {"role": "user", "content": "x"}]
    if layout is None or not stored or layout.fits(shown):
        return
    able = ", ".join(["rows", *(name for name, other in LAYOUTS.items() if other.fits(shown))])
    raise PipelineError(
        f"release: step '{stored[-1].step_name}' stores a system turn (stored_system), and layout "
        f"'{spec.layout}' has no place for one, so every row would be held back; leave stored_system out, or "
        f"choose one of {able}"
    )


def verdict_words(table: pa.Table) -> list[str]:
    """Per row its verdict by name; `unverified` where there is none."""
    if "verdict" not in table.column_names:
        return [UNVERIFIED] * table.num_rows
    words: list[str] = pc.fill_null(table["verdict"], UNVERIFIED).to_pylist()
    return words


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

    Reasons: `truncated` (unless the spec allows it), `no_answer`, `layout_unfit` for a prompt that the layout
    cannot hold without loss, such as a system turn in a layout of two messages; and, for a completion whose
    verdict the spec does not name, `verdict_fail`, `verdict_error`, `verdict_timeout` or `unverified`.
    """
    truncated, unanswered = is_truncated(table).to_pylist(), is_unanswered(table).to_pylist()
    layout = LAYOUTS.get(spec.layout)
    prompts = table["prompt"].to_pylist() if layout and "prompt" in table.column_names else []
    words = verdict_words(table) if "content" in table.column_names else []
    said = verdict_evidence(table, [word not in spec.verdicts for word in words]) if words else pa.array([])
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
        elif words and words[row] not in spec.verdicts:
            reason = words[row] if words[row] == UNVERIFIED else f"verdict_{words[row]}"
            proof = said[row].as_py()
        reasons.append(reason)
        evidence.append(proof)
    return pa.array(reasons, pa.string()), pa.array(evidence, pa.string())
