"""The typed schema of a row, and the ids that are made of its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "COMPLETION_COLUMNS",
    "MEASURED_COLUMNS",
    "MESSAGE",
    "PROBLEM_SCHEMA",
    "REJECTION_COLUMNS",
    "REVIEW",
    "STORED_SYSTEM",
    "VERDICT",
    "completion_id",
    "problem_id",
    "prompt_text",
    "prompt_texts",
]

MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])

PROBLEM_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("license", pa.string()),
        ("origin", pa.string()),
        ("domain", pa.string()),
        ("prompt", pa.list_(MESSAGE)),
        ("reference", pa.string()),
        ("tests", pa.string()),
        ("meta", pa.string()),
    ]
)
"""What `source` gives: `id` is `problem_id`, `origin` is `file:row` (1-based), `meta` is a JSON object."""

COMPLETION_COLUMNS = pa.schema(
    [
        ("completion_id", pa.string()),
        ("teacher", pa.string()),
        ("sample_index", pa.int32()),
        ("reasoning_content", pa.string()),
        ("content", pa.string()),
        ("finish_reason", pa.string()),
        ("prompt_tokens", pa.int32()),
        ("completion_tokens", pa.int32()),
    ]
)
"""What `sample` adds. `finish_reason` is `stop`, `length` or `error`; token counts are the teacher's own."""

STORED_SYSTEM = pa.field("stored_system", pa.string())
"""What `sample` adds where students see another system turn than the teacher did: a release puts it into the
prompt in place of the prompt's own. The row's prompt stays what the teacher answered, and so does its id."""

VERDICT = pa.struct(
    [
        ("verifier", pa.string()),
        ("version", pa.string()),
        ("verdict", pa.string()),
        ("score", pa.float64()),
        ("detail", pa.string()),
    ]
)

MEASURED_COLUMNS = pa.schema(
    [
        ("n_samples", pa.int32()),
        ("n_judged", pa.int32()),
        ("n_passed", pa.int32()),
        ("pass_rate", pa.float64()),
        ("pass_rate_low", pa.float64()),
        ("pass_rate_high", pa.float64()),
    ]
)
"""What `difficulty` adds: the pass rate of a problem over its completions, its counts and 95 % interval."""

REJECTION_COLUMNS = pa.schema([("reason", pa.string()), ("evidence", pa.string())])
"""What a rejected row has besides its own columns: one word, and a JSON object that proves it (or null)."""

REVIEW = pa.field("review", pa.string())
"""What makes a kept row doubtful: a JSON list of objects, one by each step that doubts it; null: nothing.
Any number of steps may add to it."""


def _digest(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def problem_id(prompt: Sequence[Mapping[str, str]], domain: str) -> str:
    """128-bit content hash, 32 hex digits: the same prompt in the same domain has the same id everywhere."""
    return _digest([domain, [[m["role"], m["content"]] for m in prompt]])


def completion_id(problem: str, draw: str, sample_index: int) -> str:
    """128-bit id of the sample_index-th completion of a problem under one draw identity (see `sample`)."""
    return _digest([problem, draw, sample_index])


def prompt_text(prompt: Sequence[Mapping[str, str]]) -> str:
    """The text of a prompt as filters, dedup and decontamination see it: user turns joined by newlines."""
    return "\n".join(m["content"] or "" for m in prompt if m["role"] == "user")


def prompt_texts(column: pa.ChunkedArray) -> pa.Array:
    """`prompt_text` of every row of a `prompt` column; a string array of the same length."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    turns = whole.flatten()
    if len(turns) == len(whole) and pc.all(pc.equal(pc.list_value_length(whole), 1)).as_py():
        users = pc.equal(turns.field("role"), "user")
        return pc.if_else(users, pc.fill_null(turns.field("content"), ""), "")
    return pa.array([prompt_text(p or ()) for p in whole.to_pylist()], pa.string())
