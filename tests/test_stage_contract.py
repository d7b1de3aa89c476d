"""The laws that every stage of the catalog keeps."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from factory.catalog import STAGES
from factory.core import (
    COMPLETION_COLUMNS,
    PROBLEM_SCHEMA,
    REJECTION_COLUMNS,
    VERDICT,
    Filter,
    Flow,
    GlobalStage,
    Resources,
    Site,
    SourceStage,
    Stage,
    fingerprint,
    problem_id,
)

GOLDEN = Path(__file__).parent / "data" / "fingerprints.json"
HOSTILE = [
    "",
    " ",
    "a\x00b",
    "\u202eright to left\u202c and \u200bzero width",
    "x" * 1_000_000,
    "What is 2 + 2?",
    "What is 2  +  2 ?",
    "Ünïcödé ﬁne １２３ 数学题 🙂",
    "\n\n\t\r\n",
    "<think>half a thought",
]
DRAWS = frozenset({"sample", "generate", "perplexity"})
"""Stages that need a live teacher to run: they have tests of their own."""


def bench_file(folder: Path) -> Path:
    path = folder / "bench.jsonl"
    path.write_text(json.dumps({"question": "How many legs do nine spiders and two ducks have?"}) + "\n")
    return path


def make(name: str, folder: Path) -> Stage:
    cls = STAGES[name]
    bench_file(folder)
    (folder / "problems.jsonl").write_text(json.dumps({"prompt": "What is 1 + 1?"}) + "\n")
    return cls.model_validate({"type": name, **cls.minimal}, context={"base": str(folder)})


def columns(row: int, text: str) -> dict[str, Any]:
    prompt = [{"role": "user", "content": text}]
    return {
        "id": problem_id(prompt, "math"),
        "source": "s",
        "license": None,
        "origin": f"f:{row + 1}",
        "domain": "math",
        "prompt": prompt,
        "reference": None if row % 3 == 0 else str(row),
        "tests": None,
        "meta": "{}",
        "completion_id": f"{row:032x}",
        "teacher": "t",
        "sample_index": 0,
        "reasoning_content": None if row % 2 else text,
        "content": text,
        "finish_reason": "length" if row % 4 == 0 else "stop",
        "prompt_tokens": 3,
        "completion_tokens": len(text.split()),
        "verdicts": [],
        "verdict": ["pass", "fail", "error", None][row % 4],
        "n_samples": 1,
        "n_judged": 1,
        "n_passed": row % 2,
        "pass_rate": None if row % 5 == 0 else (row % 5) / 4,
        "language": "en",
        "perplexity": None,
    }


SCHEMA = pa.schema(
    [
        *PROBLEM_SCHEMA,
        *COMPLETION_COLUMNS,
        ("verdicts", pa.list_(VERDICT)),
        ("verdict", pa.string()),
        ("n_samples", pa.int32()),
        ("n_judged", pa.int32()),
        ("n_passed", pa.int32()),
        ("pass_rate", pa.float64()),
        ("language", pa.string()),
        ("perplexity", pa.float64()),
    ]
)


def batch_for(stage: Stage) -> pa.Table:
    table = pa.Table.from_pylist([columns(i, t) for i, t in enumerate(HOSTILE)], schema=SCHEMA)
    wanted = stage.needs() | {"id", "origin", "source"}
    assert wanted <= set(SCHEMA.names), (
        f"{stage.type} reads {wanted - set(SCHEMA.names)}, unknown to this test"
    )
    return table.select([n for n in SCHEMA.names if n in wanted and n not in stage.provides().names])


def site(folder: Path) -> Site:
    return Site(resources=Resources(), cache_url=str(folder / "cache"), journal_url=str(folder / "journal"))


def flow_of(stage: Stage, batches: list[pa.Table], folder: Path) -> list[Flow]:
    place = site(folder)
    if not isinstance(stage, GlobalStage):
        with stage.open(place) as apply:
            return [apply(b) for b in batches]
    with stage.open_survey(place) as survey:
        seen = [survey(b) for b in batches]
    decision = stage.decide(seen, site=place, spread=lambda f, a: (f(*x) for x in a))
    parts = [decision.filter(pa.compute.equal(decision["shard"], i)) for i in range(len(batches))]
    return [stage.settle(b, p) for b, p in zip(batches, parts, strict=True)]


def rows(tables: list[pa.Table]) -> list[str]:
    """Rows as text."""
    return [json.dumps(row, sort_keys=True) for row in pa.concat_tables(tables).to_pylist()]


RUNNABLE = sorted(n for n, c in STAGES.items() if not issubclass(c, SourceStage) and n not in DRAWS)


@pytest.mark.parametrize("name", RUNNABLE)
def test_rows_are_conserved_and_schemas_are_as_declared(name: str, tmp_path: Path) -> None:
    stage = make(name, tmp_path)
    batch = batch_for(stage)
    [flow] = flow_of(stage, [batch], tmp_path)
    expected = flow.expected if flow.expected is not None else stage.fan_out(batch)
    assert flow.kept.num_rows + flow.rejected.num_rows == expected, "rows in x fan-out = kept + rejected"
    assert flow.kept.schema.remove_metadata() == stage.schema_out(batch.schema), (
        "kept rows have the declared schema"
    )
    assert set(REJECTION_COLUMNS.names) <= set(flow.rejected.column_names)
    assert None not in flow.rejected["reason"].to_pylist(), "every rejected row has a reason"
    for proof in flow.rejected["evidence"].to_pylist():
        assert proof is None or isinstance(json.loads(proof), dict), "evidence is a JSON object"


@pytest.mark.parametrize("name", RUNNABLE)
def test_no_rows_in_gives_the_right_schema_out(name: str, tmp_path: Path) -> None:
    stage = make(name, tmp_path)
    batch = batch_for(stage)
    [flow] = flow_of(stage, [batch.slice(0, 0)], tmp_path)
    assert (flow.kept.num_rows, flow.rejected.num_rows) == (0, 0)
    assert flow.kept.schema.remove_metadata() == stage.schema_out(batch.schema)


@pytest.mark.parametrize("name", RUNNABLE)
def test_two_batches_give_what_one_gives_and_twice_is_once(name: str, tmp_path: Path) -> None:
    stage = make(name, tmp_path)
    batch = batch_for(stage)
    [whole] = flow_of(stage, [batch], tmp_path)
    parts = flow_of(stage, [batch.slice(0, 4), batch.slice(4)], tmp_path)
    assert rows([p.kept for p in parts]) == rows([whole.kept]), "kept rows do not depend on the split"
    assert sorted(rows([p.rejected for p in parts])) == sorted(rows([whole.rejected]))
    [again] = flow_of(stage, [batch], tmp_path)
    assert rows([again.kept]) == rows([whole.kept]), "the same input gives the same output"


@pytest.mark.parametrize("name", [n for n in RUNNABLE if issubclass(STAGES[n], (Filter, GlobalStage))])
def test_a_filter_cuts_nothing_the_second_time(name: str, tmp_path: Path) -> None:
    stage = make(name, tmp_path)
    [once] = flow_of(stage, [batch_for(stage)], tmp_path)
    [twice] = flow_of(stage, [once.kept], tmp_path)
    assert twice.kept.num_rows == once.kept.num_rows
    assert rows([twice.kept]) == rows([once.kept])


@pytest.mark.parametrize("name", sorted(n for n, c in STAGES.items() if issubclass(c, Filter)))
def test_a_filters_examples_are_true(name: str, tmp_path: Path) -> None:
    stage = make(name, tmp_path)
    assert isinstance(stage, Filter)
    assert len(stage.examples) >= 2, "a filter shows at least one kept and one rejected row"
    kept_and_cut = {reason is None for _, reason in stage.examples}
    assert kept_and_cut == {True, False}, "one example is kept and one is cut"
    for value, reason in stage.examples:
        row = value if isinstance(value, dict) else {min(stage.needs()): value}
        batch = pa.Table.from_pylist([row], schema=pa.schema([SCHEMA.field(n) for n in row]))
        assert stage.reject(batch).to_pylist() == [reason], f"{name} says otherwise of {str(row)[:80]}"


@pytest.mark.parametrize("name", sorted(STAGES))
def test_a_stage_survives_json_and_pickle(name: str, tmp_path: Path) -> None:
    stage = make(name, tmp_path)
    assert pickle.loads(pickle.dumps(stage)) == stage
    assert type(stage).model_validate_json(stage.model_dump_json()) == stage


@pytest.mark.parametrize("name", sorted(STAGES))
def test_every_field_of_a_stage_is_documented(name: str) -> None:
    cls = STAGES[name]
    assert cls.__doc__, f"{name} has no docstring"
    bare = [n for n, f in cls.model_fields.items() if n != "type" and not f.description]
    assert not bare, f"{name} does not say what {bare} mean"


def test_default_fingerprints_are_the_golden_ones(tmp_path: Path) -> None:
    """A change here means that other output is possible: bump the stage's `version`, then write it anew.

    `python -m tests.test_stage_contract` writes it.
    """
    assert fingerprints(tmp_path) == json.loads(GOLDEN.read_text())


def fingerprints(folder: Path) -> dict[str, str]:
    return {n: fingerprint(make(n, folder), upstream=None) for n in sorted(STAGES)}


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        GOLDEN.write_text(json.dumps(fingerprints(Path(scratch)), indent=1) + "\n")
