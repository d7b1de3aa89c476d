"""Puts the completions of several teachers side by side: length, pass rate, diversity. Cuts nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa

from factory.core import GlobalStage, Site, Spread

__all__ = ["TeacherStats"]

_READ = ("id", "teacher", "content", "finish_reason", "completion_tokens")
_SURVEY = pa.schema(
    [
        ("teacher", pa.string()),
        ("id", pa.string()),
        ("completions", pa.int64()),
        ("truncated", pa.int64()),
        ("tokens", pa.list_(pa.int64())),
        ("judged", pa.int64()),
        ("passed", pa.int64()),
        ("pairs", pa.int64()),
        ("pairs_different", pa.int64()),
        ("different", pa.int64()),
    ]
)
_DECISION = pa.schema(
    [("shard", pa.int32()), ("row", pa.int32()), ("reason", pa.string()), ("evidence", pa.string())]
)


class TeacherStats(GlobalStage):
    """Reports, per teacher, what its completions are like; every row is kept.

    Of each teacher over all its problems, and over the problems that all teachers answered: completions,
    share cut at the limit, tokens (mean, median, 95th percentile), pass rate (mean over problems of pass /
    (pass + fail), where there are verdicts), distinct-2 (different pairs of neighbouring words as a share of
    all pairs in a problem's completions; Li et al., 1510.03055) and the share of completions that differ from
    every earlier one of their problem.
    """

    type: Literal["teacher-stats"] = "teacher-stats"
    requires: ClassVar[frozenset[str]] = frozenset(_READ)

    def survey(self, batch: pa.Table) -> pa.Table:
        """One row per teacher and problem; all completions of a problem are in one shard."""
        has_verdict = "verdict" in batch.column_names
        groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in batch.select([*_READ, *(["verdict"] if has_verdict else [])]).to_pylist():
            groups.setdefault((row["teacher"] or "", row["id"]), []).append(row)
        return pa.Table.from_pylist([_measured(key, rows) for key, rows in groups.items()], schema=_SURVEY)

    def decide(self, surveys: Sequence[pa.Table], *, site: Site, spread: Spread) -> pa.Table:
        """Rejects nothing; the report holds `all` and `shared`, figures by teacher."""
        tables = [surveys[shard] for shard in range(len(surveys))]
        seen = pl.DataFrame(pl.from_arrow(pa.concat_tables(tables or [_SURVEY.empty_table()])))
        teachers = seen["teacher"].n_unique()
        answered = seen.group_by("id").agg(pl.col("teacher").n_unique().alias("by"))
        shared = answered.filter(pl.col("by") == teachers)["id"]
        report = {
            "teachers": dict(_figures(seen)),
            "shared_problems": {
                "count": len(shared),
                "teachers": dict(_figures(seen.filter(pl.col("id").is_in(shared.implode())))),
            },
        }
        return _DECISION.empty_table().replace_schema_metadata({"report": json.dumps(report)})


def _measured(key: tuple[str, str], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    texts = [row["content"] or "" for row in rows]
    pairs = [pair for text in texts for pair in _pairs(text.split())]
    verdicts = [row.get("verdict") for row in rows]
    return {
        "teacher": key[0],
        "id": key[1],
        "completions": len(rows),
        "truncated": sum(row["finish_reason"] == "length" for row in rows),
        "tokens": [row["completion_tokens"] for row in rows if row["completion_tokens"] is not None],
        "judged": verdicts.count("pass") + verdicts.count("fail"),
        "passed": verdicts.count("pass"),
        "pairs": len(pairs),
        "pairs_different": len(set(pairs)),
        "different": len(set(texts)),
    }


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    return pairwise(words)


def _figures(seen: pl.DataFrame) -> Iterator[tuple[str, dict[str, Any]]]:
    for (teacher,), rows in seen.sort("teacher").group_by("teacher", maintain_order=True):
        tokens = np.array(rows["tokens"].explode().drop_nulls().to_list(), dtype=np.float64)
        judged = rows.filter(pl.col("judged") > 0)
        worded = rows.filter(pl.col("pairs") > 0)
        yield (
            str(teacher),
            {
                "problems": rows.height,
                "completions": int(rows["completions"].sum()),
                "truncated_share": _share(rows["truncated"].sum(), rows["completions"].sum()),
                "tokens_mean": _rounded(tokens.mean()) if tokens.size else None,
                "tokens_p50": _rounded(np.quantile(tokens, 0.5)) if tokens.size else None,
                "tokens_p95": _rounded(np.quantile(tokens, 0.95)) if tokens.size else None,
                "pass_rate": _rounded((judged["passed"] / judged["judged"]).mean()),
                "distinct_2": _rounded((worded["pairs_different"] / worded["pairs"]).mean()),
                "different_share": _share(rows["different"].sum(), rows["completions"].sum()),
            },
        )


def _share(part: Any, whole: Any) -> float | None:
    return _rounded(part / whole) if whole else None


def _rounded(value: Any) -> float | None:
    return None if value is None else round(float(value), 4)
