"""Teachers side by side: the figures are those of the rows, however these are split, and no row is cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from factory.stages.sampling.teacher_stats import TeacherStats
from tests.stages.tables import completions, run_global, site

VERDICT = [pa.field("verdict", pa.string())]


def row(teacher: str, problem: str, content: str, tokens: int | None, **more: Any) -> dict[str, Any]:
    return {"teacher": teacher, "id": problem, "content": content, "completion_tokens": tokens, **more}


ROWS = [
    row("a", "p", "one two one two", 4, verdict="pass"),
    row("a", "p", "one two one two", 8, verdict="fail", finish_reason="length"),
    row("a", "q", "three four", 3, verdict="pass"),
    row("b", "p", "five", 10, verdict="error"),
    row("b", "p", "six seven eight", 30, verdict="pass"),
]


def report(shards: list[pa.Table], folder: Path) -> dict[str, Any]:
    kept, rejected, decision = run_global(TeacherStats(), shards, at=site(folder))
    assert pa.concat_tables(kept).equals(pa.concat_tables(shards)), "a row was changed"
    assert not any(table.num_rows for table in rejected)
    found: dict[str, Any] = json.loads((decision.schema.metadata or {})[b"report"])
    return found


def test_counts_length_pass_rate_and_diversity_of_each_teacher(tmp_path: Path) -> None:
    found = report([completions(ROWS, extra=VERDICT)], tmp_path)
    one = found["teachers"]["a"]
    assert (one["problems"], one["completions"], one["truncated_share"]) == (2, 3, 0.3333)
    assert (one["tokens_mean"], one["tokens_p50"]) == (5.0, 4.0)
    assert one["pass_rate"] == 0.75, "problem p passes half the time, q always"
    # Problem p: 6 pairs, of which `one two` and `two one` differ; problem q: its one pair.
    assert one["distinct_2"] == pytest.approx((2 / 6 + 1) / 2, abs=1e-4)
    assert one["different_share"] == 0.6667, "the second text of p is its first again"
    assert found["teachers"]["b"]["pass_rate"] == 1.0, "an error counts for neither side"
    shared = found["shared_problems"]
    assert shared["count"] == 1
    assert shared["teachers"]["a"]["pass_rate"] == 0.5


def test_splits_change_no_figure(tmp_path: Path) -> None:
    whole = completions(sorted(ROWS, key=lambda r: r["id"]), extra=VERDICT)
    assert report([whole], tmp_path) == report([whole.slice(0, 4), whole.slice(4)], tmp_path)


def test_what_is_not_known_is_null(tmp_path: Path) -> None:
    found = report([completions([row("a", "p", "word", None)])], tmp_path)["teachers"]["a"]
    assert (found["tokens_mean"], found["pass_rate"], found["distinct_2"]) == (None, None, None)
    assert report([completions([]).slice(0, 0)], tmp_path)["teachers"] == {}
