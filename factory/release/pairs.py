"""Preference pairs: of one problem, a completion that is verified right and one that is verified wrong."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from factory.core import MESSAGE, DataError
from factory.core.choice import draw
from factory.release.layouts import REASONED_MESSAGE, TURN, reasoned_text
from factory.release.release_gate import is_truncated, is_unanswered
from factory.release.versions import Release
from factory.storage.tables import read_batches, read_schema

__all__ = [
    "KTO_SCHEMA",
    "LIGHT_R1_DPO_SCHEMA",
    "TRL_DPO_SCHEMA",
    "Pick",
    "judged",
    "kto_row",
    "light_r1_pair",
    "pairs",
    "trl_pair",
]

Pick = Literal["first", "shortest", "longest", "random"]
"""Which completion stands for a problem: lowest sample index, fewest or most tokens, or drawn by the seed."""

Row = Mapping[str, Any]
Pair = tuple[Row, Row]

TRL_DPO_SCHEMA = pa.schema(
    [
        ("prompt", pa.list_(MESSAGE)),
        ("chosen", pa.list_(REASONED_MESSAGE)),
        ("rejected", pa.list_(REASONED_MESSAGE)),
        ("id", pa.string()),
        ("chosen_id", pa.string()),
        ("rejected_id", pa.string()),
        ("source", pa.string()),
        ("license", pa.string()),
    ]
)
KTO_SCHEMA = pa.schema(
    [
        ("prompt", pa.list_(MESSAGE)),
        ("completion", pa.list_(REASONED_MESSAGE)),
        ("label", pa.bool_()),
        ("id", pa.string()),
        ("completion_id", pa.string()),
        ("source", pa.string()),
        ("license", pa.string()),
    ]
)
LIGHT_R1_DPO_SCHEMA = pa.schema([("conversations", pa.list_(TURN)), ("chosen", TURN), ("rejected", TURN)])

_COLUMNS = pa.schema(
    [
        ("id", pa.string()),
        ("completion_id", pa.string()),
        ("sample_index", pa.int32()),
        ("prompt", pa.list_(MESSAGE)),
        ("reasoning_content", pa.string()),
        ("content", pa.string()),
        ("completion_tokens", pa.int32()),
        ("verdict", pa.string()),
        ("source", pa.string()),
        ("license", pa.string()),
    ]
)
_BUCKET_BYTES = 128 << 20


def pairs(
    release: Release, *, chosen: Pick = "first", rejected: Pick = "first", seed: int = 0
) -> Iterator[Pair]:
    """One pair per problem that has both sides, ordered by bucket and id.

    The right side comes from the released rows alone; the wrong side from any row of the release that a
    verifier called `fail`, rejected ones included. `error` and `timeout` are not wrong, and a truncated or
    empty completion stands for nothing. Memory holds one bucket
    of problems (about 128 MiB of rows), not the set.

    Raises:
        DataError: the rows carry no verdicts.
    """
    with tempfile.TemporaryDirectory(prefix="pairs-") as aside:
        for bucket in _buckets(release, aside):
            for _, rows in sorted(_by_problem(bucket).items()):
                right = [row for row in rows if row["verdict"] == "pass"]
                wrong = [row for row in rows if row["verdict"] == "fail"]
                if right and wrong:
                    yield _best(right, chosen, seed), _best(wrong, rejected, seed)


def trl_pair(pair: Pair) -> dict[str, Any]:
    """TRL's conversational preference row; reasoning in a field of its own."""
    right, wrong = pair
    return {
        "prompt": right["prompt"],
        "chosen": [_message(right)],
        "rejected": [_message(wrong)],
        "id": right["id"],
        "chosen_id": right["completion_id"],
        "rejected_id": wrong["completion_id"],
        "source": right["source"],
        "license": right["license"],
    }


def judged(release: Release) -> Iterator[Row]:
    """Every completion that is verified right or wrong: released ones, and rejected ones that are wrong.

    Raises:
        DataError: the rows carry no verdicts.
    """
    for path, verdicts in _sides(release):
        for table in _usable(path, verdicts):
            yield from table.to_pylist()


def kto_row(row: Row) -> dict[str, Any]:
    """TRL's unpaired preference row: `label` says whether the completion is right."""
    names = ("prompt", "id", "completion_id", "source", "license")
    known = {name: row[name] for name in names}
    return {**known, "completion": [_message(row)], "label": row["verdict"] == "pass"}


def light_r1_pair(pair: Pair) -> dict[str, Any]:
    """Light-R1's DPO row, which is LLaMA-Factory's ranking row; reasoning inside the text."""
    right, wrong = pair
    names = {"user": "human", "assistant": "gpt"}
    return {
        "conversations": [
            {"from": names.get(turn["role"], turn["role"]), "value": turn["content"]}
            for turn in right["prompt"]
        ],
        "chosen": {"from": "gpt", "value": reasoned_text(right)},
        "rejected": {"from": "gpt", "value": reasoned_text(wrong)},
    }


def _message(row: Row) -> dict[str, Any]:
    thought = row["reasoning_content"] or None
    return {"role": "assistant", "content": row["content"], "reasoning_content": thought}


def _sides(release: Release) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Files that hold verified completions, each with the verdicts to take from it."""
    for path in release.tables("rows/"):
        if "verdict" not in read_schema(path).names:
            raise DataError(f"{path}: pairs need verdicts; add a 'verify' step to the pipeline")
        yield path, ("pass", "fail")
    for path in release.tables("rejected/"):
        if {"verdict", "completion_id"} <= set(read_schema(path).names):
            yield path, ("fail",)


def _usable(path: str, verdicts: tuple[str, ...]) -> Iterator[pa.Table]:
    for batch in read_batches(path):
        cut_short, empty = is_truncated(batch).to_pylist(), is_unanswered(batch).to_pylist()
        takes = [
            verdict in verdicts and not short and not blank
            for verdict, short, blank in zip(batch["verdict"].to_pylist(), cut_short, empty, strict=True)
        ]
        columns = [
            batch[field.name] if field.name in batch.column_names else pa.nulls(batch.num_rows, field.type)
            for field in _COLUMNS
        ]
        yield pa.Table.from_arrays(columns, schema=_COLUMNS).filter(pa.array(takes, pa.bool_()))


def _buckets(release: Release, aside: str) -> Iterator[pa.Table]:
    """Rows in parts by problem id, small enough for memory; all rows of a problem in one part."""
    sides = list(_sides(release))
    wanted = {path for path, _ in sides}
    size = sum(
        entry.get("memory_bytes") or entry["bytes"]
        for entry in release.manifest["files"]
        if f"{release.url}/{entry['path']}" in wanted
    )
    count = 1 + size // _BUCKET_BYTES
    paths = [f"{aside}/{number:05d}.parquet" for number in range(count)]
    with ExitStack() as stack:
        writers = [stack.enter_context(pq.ParquetWriter(path, _COLUMNS)) for path in paths]
        for path, verdicts in sides:
            for table in _usable(path, verdicts):
                places = [zlib.crc32(row_id.encode()) % count for row_id in table["id"].to_pylist()]
                for number in sorted(set(places)):
                    writers[number].write_table(table.filter(pa.array([p == number for p in places])))
    for path in paths:
        yield pq.read_table(path)


def _by_problem(bucket: pa.Table) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in bucket.to_pylist():
        found.setdefault(row["id"], []).append(row)
    return found


def _best(rows: list[Row], pick: Pick, seed: int) -> Row:
    orders: Mapping[Pick, Callable[[Row], Any]] = {
        "first": lambda row: row["sample_index"] or 0,
        "shortest": _length,
        "longest": lambda row: -_length(row),
        "random": lambda row: draw(seed, row["completion_id"]),
    }
    return min(rows, key=lambda row: (orders[pick](row), row["completion_id"]))


def _length(row: Row) -> int:
    tokens = row["completion_tokens"]
    return len(reasoned_text(row)) if tokens is None else int(tokens)
