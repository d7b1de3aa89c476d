from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factory.core import PROBLEM_SCHEMA, DataError, PipelineError
from factory.stages.source.source import Source

ROWS = [{"q": f"What is {n} + 1?", "a": n + 1, "extra": {"level": n % 3}} for n in range(25)]


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path_factory.getbasetemp() / "home"))


def source(*files: Path | str, **fields: Any) -> Source:
    one = {
        "files": [str(f) for f in files],
        "columns": fields.pop("columns", {"prompt": "q", "reference": "a"}),
    }
    for name in ("answer_pattern", "domain", "source", "license"):
        if name in fields:
            one[name] = fields.pop(name)
    return Source.model_validate({"type": "source", "inputs": [one], "shard_rows": 4, **fields})


def read(stage: Source) -> tuple[pa.Table, pa.Table]:
    """All kept and all rejected rows, with the law of conservation and the plan of shards checked."""
    kept, rejected, shards = [PROBLEM_SCHEMA.empty_table()], [], 0
    for split in stage.splits():
        assert split.first_shard == shards, "the shards of the splits have a gap or overlap"
        flows = list(stage.read(split))
        assert len(flows) == split.shards, "a split gave another number of shards than it promised"
        for flow in flows:
            assert flow.expected == flow.kept.num_rows + flow.rejected.num_rows
            kept.append(flow.kept)
            rejected.append(flow.rejected)
        shards += split.shards
    return pa.concat_tables(kept), pa.concat_tables(rejected)


def lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(r) + "\n" for r in rows).encode()


def zst(data: bytes) -> bytes:
    return pa.Codec("zstd").compress(data, asbytes=True)


def csv_bytes(rows: list[dict[str, Any]]) -> bytes:
    quoted = (f'"{r["q"]}",{r["a"]},{r["extra"]["level"]}\r\n' for r in rows)
    return b"q,a,extra\r\n" + "".join(quoted).encode()


WRITERS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "p.jsonl": lines,
    "p.jsonl.gz": lambda rows: gzip.compress(lines(rows)),
    "p.jsonl.zst": lambda rows: zst(lines(rows[:9])) + zst(lines(rows[9:])),
    "p.jsonl.bz2": lambda rows: bz2.compress(lines(rows)),
    "p.jsonl.xz": lambda rows: lzma.compress(lines(rows)),
    "p.json": lambda rows: json.dumps(rows, indent=2).encode(),
    "p.json.gz": lambda rows: gzip.compress(json.dumps(rows).encode()),
    "p.csv": csv_bytes,
    "p.csv.zst": lambda rows: zst(csv_bytes(rows)),
}


@pytest.mark.parametrize("name", [*WRITERS, "p.parquet"])
def test_every_form_of_file_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name in WRITERS:
        path.write_bytes(WRITERS[name](ROWS))
    else:
        pq.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=7)
    kept, rejected = read(source(path, domain="math", license="MIT"))
    assert rejected.num_rows == 0
    assert kept.schema == PROBLEM_SCHEMA
    assert [p[0]["content"] for p in kept["prompt"].to_pylist()] == [r["q"] for r in ROWS]
    assert kept["reference"].to_pylist() == [str(r["a"]) for r in ROWS]
    assert set(kept["source"].to_pylist()) == {"p"}
    assert set(kept["license"].to_pylist()) == {"MIT"}
    assert len(set(kept["id"].to_pylist())) == len(ROWS)
    assert kept["origin"].to_pylist()[-1] == f"{name}:{26 if 'csv' in name else 25}"
    assert "level" in kept["meta"].to_pylist()[0] or "extra" in kept["meta"].to_pylist()[0]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.sampled_from(["", "\r", "x", "é" * 3, " ", "{broken", "long" * 40]), max_size=30),
    shard_rows=st.integers(1, 7),
    ended=st.booleans(),
)
def test_shards_start_where_the_scan_says(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], shard_rows: int, ended: bool
) -> None:
    path = tmp_path_factory.mktemp("lines") / "p.jsonl"
    good = [{"q": t, "a": 1} for t in ("first", *texts)]
    raw = [
        t if t in ("", "\r", "{broken") else json.dumps(r)
        for t, r in zip(["first", *texts], good, strict=True)
    ]
    path.write_bytes("\n".join([*raw, ""] if ended else raw).encode())
    kept, rejected = read(source(path, shard_rows=shard_rows))
    wanted = [(n, t) for n, t in enumerate(["first", *texts], 1) if t not in ("", "\r")]
    seen = sorted(int(o.rpartition(":")[2]) for t in (kept, rejected) for o in t["origin"].to_pylist())
    assert seen == [n for n, _ in wanted], "a line was lost, read twice or misnumbered"
    assert rejected["reason"].to_pylist() == ["broken_json"] * sum(t == "{broken" for _, t in wanted)


def test_bad_lines_are_rejected_with_file_line_and_error(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(
        b'{"q": "good", "a": 1}\n{"q": "cut off\n\n[1, 2]\n{"a": 5}\n{"q": "caf\xff", "a": 2}\n'
        b'{"q": "lone \\ud800", "a": 2}\n{"q": 7, "a": 2}\n{"q": "' + b"x" * 2_000_000 + b'", "a": 1}\n'
        b'{"q": "last", "a": null}\n'
    )
    kept, rejected = read(source(path, max_line_mb=1))
    assert [p[0]["content"] for p in kept["prompt"].to_pylist()] == ["good", "last"]
    proofs = [json.loads(e) for e in rejected["evidence"].to_pylist()]
    assert [p["line"] for p in proofs] == [2, 4, 5, 6, 7, 8, 9]
    assert all(p["file"] == "bad.jsonl" for p in proofs)
    wanted = ["broken JSON", "JSON object", "'q' is missing", "0xff", "U+D800", "int", "longer than 1 MB"]
    for proof, words in zip(proofs, wanted, strict=True):
        assert words in proof["error"], f"line {proof['line']}: {proof['error']!r} does not say {words!r}"


def test_bytes_that_are_not_utf8_in_arrays_and_tables_are_bad_lines(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'[{"q": "good", "a": 1}, {"q": "caf\xff", "a": 2}]')
    (tmp_path / "b.csv").write_bytes(b"q,a\ngood,1\ncaf\xff,2\nthree,3,4\n")
    for name, bad in (("a.json", 1), ("b.csv", 2)):
        kept, rejected = read(source(tmp_path / name))
        assert (kept.num_rows, rejected.num_rows) == (1, bad), name
        assert "0xff" in rejected["evidence"].to_pylist()[0]


def test_a_wrong_column_name_says_which_columns_there_are(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(lines(ROWS))
    with pytest.raises(PipelineError, match=r"'question' is in no row .*columns are: q, a, extra"):
        source(path, columns={"prompt": "question"}).splits()


def test_a_column_that_appears_late_is_no_wrong_column(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(lines([{"q": "one"}, {"q": "two", "a": 2}]))
    kept, rejected = read(source(path))
    assert kept["reference"].to_pylist() == [None, "2"], "a column that a row lacks is null"
    assert rejected.num_rows == 0


def test_missing_and_empty_inputs_are_clear_errors(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "empty.csv").write_bytes(b"q,a\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(lines(ROWS))[:-12])
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 not parquet")
    (tmp_path / "cut.json").write_bytes(b'[{"q": "a", "a": 1}, {"q": ')
    (tmp_path / "what.xls").write_bytes(b"x")
    cases = {
        "none.jsonl": (PipelineError, "does not exist"),
        "folder": (PipelineError, "no data file"),
        "*.tsv": (PipelineError, "no data file"),
        "what.xls": (PipelineError, "unknown form"),
        "empty.jsonl": (DataError, "holds no rows"),
        "empty.csv": (DataError, "holds no rows"),
        "cut.jsonl.gz": (DataError, "not a whole .gz file"),
        "cut.parquet": (DataError, "not a whole Parquet file"),
        "cut.json": (DataError, "breaks off in element 2"),
    }
    for name, (kind, words) in cases.items():
        with pytest.raises(kind) as caught:
            read(source(tmp_path / name))
        assert words in str(caught.value), name
        assert "\n" not in str(caught.value), name


@pytest.mark.parametrize("url", ["nowhere://bucket/p.jsonl", "memory://missing/p.jsonl"])
def test_urls_that_cannot_be_opened_are_clear_errors(url: str) -> None:
    with pytest.raises(PipelineError, match=r"cannot be opened|does not exist"):
        source(url).splits()


def test_any_fsspec_url_is_read(tmp_path: Path) -> None:
    import fsspec

    fs = fsspec.filesystem("memory")
    fs.pipe_file("/set/a/p.jsonl", lines(ROWS))
    fs.pipe_file("/set/b/p.jsonl.gz", gzip.compress(lines(ROWS)))
    kept, _ = read(source("memory://set"))
    assert kept["origin"].to_pylist()[::25] == ["a/p.jsonl:1", "b/p.jsonl.gz:1"]
    assert read(source("memory://set/*/*.jsonl"))[0].num_rows == 25


def test_messages_of_both_shapes_become_the_same_prompt(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_bytes(
        lines(
            [
                {"m": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]},
                {
                    "m": [
                        {"from": "system", "value": "s"},
                        {"from": "human", "value": "u"},
                        {"from": "gpt", "value": "x"},
                    ]
                },
            ]
        )
    )
    kept, rejected = read(source(path, columns={"prompt": "m"}))
    assert rejected.num_rows == 0
    assert len(set(kept["id"].to_pylist())) == 1, (
        "the answer after the last user turn is not part of the prompt"
    )
    assert json.loads(kept["meta"].to_pylist()[1])["later_turns"][0]["content"] == "x"


def test_dotted_paths_and_the_answer_pattern_reach_the_reference(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(
        lines([{"q": "a", "info": {"sol": "so\n#### 1,000 "}}, {"q": "b", "info": {"sol": "none"}}])
    )
    columns = {"prompt": "q", "reference": "info.sol"}
    kept, rejected = read(source(path, columns=columns, answer_pattern="#### (.*)"))
    assert kept["reference"].to_pylist() == ["1,000"]
    assert "finds nothing" in rejected["evidence"].to_pylist()[0]


def test_identity_follows_content_and_not_the_path(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "p.jsonl").write_bytes(lines(ROWS))
    first, second = (source(tmp_path / f / "p.jsonl").identity() for f in ("one", "two"))
    assert first == second
    (tmp_path / "two" / "p.jsonl").write_bytes(lines(ROWS[::-1]))
    assert source(tmp_path / "two" / "p.jsonl").identity() != first


def test_a_file_that_changes_under_the_run_stops_it(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(lines(ROWS))
    stage = source(path)
    split = stage.splits()[0]
    path.write_bytes(lines(ROWS[:3]))
    with pytest.raises(DataError, match="changed while the run read it"):
        list(stage.read(split))


def test_one_file_is_read_by_several_splits(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(lines(ROWS * 5))
    splits = source(path).splits()
    assert [s.shards for s in splits] == [8, 8, 8, 8]
    assert all(json.dumps(dict(s.where)) for s in splits), "a split must be plain values"


def test_a_scan_is_kept_and_a_broken_note_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from factory.stages.source.scan import scan

    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    path = tmp_path / "p.jsonl"
    path.write_bytes(lines(ROWS))
    first = source(path).identity()
    notes = list((tmp_path / "home" / "inputs").rglob("*.json"))
    assert len(notes) == 1
    notes[0].write_text("{")
    scan.cache_clear()
    assert source(path).identity() == first


def test_a_dataset_that_cannot_be_reached_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    stage = Source.model_validate({"type": "source", "inputs": [{"dataset": "no-such-org/no-such-set"}]})
    with pytest.raises(PipelineError, match="no-such-org/no-such-set' cannot be loaded") as caught:
        stage.splits()
    assert "\n" not in str(caught.value)


@pytest.mark.realdata
def test_gsm8k_and_math_read_whole(test_data: Path) -> None:
    gsm8k = test_data / "data" / "gsm8k" / "train.jsonl"
    columns = {"prompt": "question", "reference": "answer"}
    kept, rejected = read(source(gsm8k, columns=columns, answer_pattern="#### (.*)", shard_rows=1000))
    assert (kept.num_rows, rejected.num_rows) == (7473, 0)
    assert kept["reference"].to_pylist()[0] == "72"
    math = test_data / "data" / "math" / "deepscaler_math_train.json"
    kept, rejected = read(source(math, columns={"prompt": "problem", "reference": "answer"}, shard_rows=1000))
    assert (kept.num_rows, rejected["reason"].to_pylist()) == (7472, ["reference_empty"] * 2)


def references(folder: Path, values: list[Any], **fields: Any) -> tuple[list[Any], list[Any]]:
    """What becomes of these references: those of the kept rows, and the reasons of the rejected."""
    lines = [json.dumps({"prompt": f"Question {n}?", "reference": value}) for n, value in enumerate(values)]
    (folder / "r.jsonl").write_text("\n".join(lines) + "\n")
    stage = Source.model_validate({"inputs": [{"files": str(folder / "r.jsonl"), **fields}]})
    flows = [flow for split in stage.splits() for flow in stage.read(split)]
    kept = [value for flow in flows for value in flow.kept["reference"].to_pylist()]
    return kept, [reason for flow in flows for reason in flow.rejected["reason"].to_pylist()]


def test_what_is_no_answer_becomes_no_reference_and_is_counted_by_cause(tmp_path: Path) -> None:
    bad = [True, ["1", "2"], '["1", "2"]', {"x": 1}, float("nan"), "NULL", "NaN", "", "  "]
    good = ["true", 5, 2.5, "[1, 2]", "None", None, "{1, 2}", "null set"]
    kept, reasons = references(tmp_path, bad + good)
    assert kept == ["true", "5", "2.5", "[1, 2]", "None", None, "{1, 2}", "null set"]
    kinds = "boolean list list object not_a_number null_word null_word empty empty"
    assert reasons == [f"reference_{kind}" for kind in kinds.split()]


def test_a_declared_list_holds_accepted_answers(tmp_path: Path) -> None:
    kept, reasons = references(
        tmp_path, [["1", 2], "3", '["a", "b"]', ["1", True], ["", "x"]], references="list"
    )
    assert [json.loads(one) for one in kept] == [["1", "2"], ["3"], ["a", "b"]]
    assert reasons == ["reference_boolean", "reference_empty"]
    assert references(tmp_path, ["", "4"], blank_reference="none") == ([None, "4"], [])
