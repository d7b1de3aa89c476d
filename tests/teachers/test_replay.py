"""Completions that exist already: found by prompt or id, in any of the forms data comes in."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from factory.core import DataError, Flow, PipelineError, Resources, Site, problem_id
from factory.stages.sampling.sample import Sample
from factory.teachers import split_reasoning
from tests.teachers.faulty import faulty
from tests.teachers.scripted import asking

QUESTIONS = ("What is 1 + 1?", "What is 2 + 2?", "What is 3 + 3?")


def run(
    folder: Path, teacher: dict[str, Any], *, n: int = 1, batch: pa.Table | None = None, **options: Any
) -> Flow:
    sample = Sample.model_validate({"teacher": {"type": "replay", **teacher}, "n": n})
    with sample.open(Site(Resources(**options), str(folder / "c"), str(folder / "j"))) as apply:
        return apply(asking(*QUESTIONS) if batch is None else batch)


def jsonl(file: Path, *rows: dict[str, Any]) -> str:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def test_gives_back_what_the_file_has_and_says_what_it_has_not(tmp_path: Path) -> None:
    file = jsonl(
        tmp_path / "a.jsonl",
        {"question": QUESTIONS[2], "response": "<think>\n3 and 3\n</think>\n\n6", "model": "R1"},
        {"question": f"  {QUESTIONS[0]}\n", "response": "2", "model": None},
    )
    columns = {"prompt": "question", "content": "response", "teacher": "model"}
    flow = run(tmp_path, {"files": file, "columns": columns, "label": "stored"})
    kept = flow.kept.select(["teacher", "reasoning_content", "content", "sample_index"]).to_pylist()
    assert kept == [
        {"teacher": "stored", "reasoning_content": None, "content": "2", "sample_index": 0},
        {"teacher": "R1", "reasoning_content": "3 and 3", "content": "6", "sample_index": 0},
    ]
    assert flow.rejected["reason"].to_pylist() == ["no_completion"]
    assert json.loads(flow.rejected["evidence"][0].as_py()) == {"stored": 0}
    assert flow.spent is not None
    assert (flow.spent["completions_drawn"], flow.spent["completions_reused"]) == (0, 2)
    assert not list((tmp_path / "j").glob("*/*.jsonl")), "what nobody paid for is journalled"


def test_several_completions_of_a_problem_keep_their_order(tmp_path: Path) -> None:
    file = jsonl(
        tmp_path / "a.jsonl",
        {"prompt": QUESTIONS[0], "content": ["first", "second"]},
        {"prompt": QUESTIONS[1], "content": "x"},
        {"prompt": QUESTIONS[0], "content": "third"},
        {"prompt": QUESTIONS[1], "content": None},
    )
    flow = run(tmp_path, {"files": file}, n=3)
    assert flow.kept["content"].to_pylist() == ["first", "second", "third", "x"]
    assert flow.rejected.num_rows == 5


def test_reads_messages_ids_and_finish_reasons(tmp_path: Path) -> None:
    first = problem_id([{"role": "user", "content": QUESTIONS[0]}], "math")
    conversation = [{"from": "human", "value": QUESTIONS[1]}, {"from": "gpt", "value": "four"}]
    file = jsonl(tmp_path / "a.jsonl", {"about": {"key": first}, "text": "cut", "end": "length"})
    columns = {"id": "about.key", "content": "text", "finish_reason": "end"}
    flow = run(tmp_path, {"files": file, "columns": columns})
    assert flow.kept.select(["content", "finish_reason"]).to_pylist() == [
        {"content": "cut", "finish_reason": "length"}
    ]
    talk = jsonl(tmp_path / "b.jsonl", {"conversations": conversation})
    flow = run(tmp_path, {"files": talk, "columns": {"prompt": "conversations", "content": "conversations"}})
    assert flow.kept["content"].to_pylist() == ["four"]


@pytest.mark.parametrize("form", ["jsonl", "gz", "parquet", "folder", "wildcard"])
def test_reads_every_form_alike(tmp_path: Path, form: str) -> None:
    rows = [{"prompt": q, "content": f"answer to {q}"} for q in QUESTIONS]
    plain = tmp_path / "in" / "a.jsonl"
    plain.parent.mkdir()
    jsonl(plain, *rows)
    files = {"jsonl": str(plain), "folder": str(plain.parent), "wildcard": str(plain.parent / "*.jsonl")}
    if form == "gz":
        files["gz"] = str(tmp_path / "b.jsonl.gz")
        Path(files["gz"]).write_bytes(gzip.compress(plain.read_bytes()))
    if form == "parquet":
        files["parquet"] = str(tmp_path / "c.parquet")
        pq.write_table(pa.Table.from_pylist(rows), files["parquet"])
    flow = run(tmp_path, {"files": files[form]})
    assert flow.kept["content"].to_pylist() == [f"answer to {q}" for q in QUESTIONS]


def test_the_identity_is_the_content_wherever_it_lies(tmp_path: Path) -> None:
    row = {"prompt": "a", "content": "b"}
    (tmp_path / "x").mkdir()
    one, same = jsonl(tmp_path / "one.jsonl", row), jsonl(tmp_path / "x" / "other.jsonl", row)
    more = jsonl(tmp_path / "more.jsonl", row, row)
    digests = [
        Sample.model_validate({"teacher": {"type": "replay", "files": f}}).draw_identity()
        for f in (one, same, more)
    ]
    assert digests[0] == digests[1] != digests[2]


def test_another_teacher_answers_for_the_rest_and_is_journalled(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "a.jsonl", {"prompt": QUESTIONS[1], "content": "stored"})
    with faulty() as server:
        teacher = {"files": file, "fallback": {"type": "http", "model": "m"}}
        flow = run(tmp_path, teacher, base_url=server.url)
        assert flow.kept["teacher"].to_pylist() == ["m", "replay", "m"]
        assert flow.spent is not None
        assert (flow.spent["completions_drawn"], flow.spent["completions_reused"]) == (2, 1)
        again = run(tmp_path, teacher, base_url=server.url)
    assert again.kept.equals(flow.kept)
    assert len(server.bodies) == 2, "the fallback is asked again for what the journal holds"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"prompt": "a"}\n', "no column 'content'"),
        ('{"prompt": "a", "content": "b"}\n{oops\n', r"a\.jsonl:2: not JSON"),
        ("[1]\n", "wanted a JSON object"),
    ],
)
def test_says_which_line_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(DataError, match=message):
        run(tmp_path, {"files": str(tmp_path / "a.jsonl")})


def test_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no completions at"):
        run(tmp_path, {"files": str(tmp_path / "none.jsonl")})
    for columns in ({"prompt": "a"}, {"content": "b"}, {"prompt": "a", "id": "b", "content": "c"}):
        with pytest.raises(ValidationError, match="wanted"):
            run(tmp_path, {"files": "x.jsonl", "columns": columns})
    with pytest.raises(ValidationError, match="unknown column 'answer'"):
        run(tmp_path, {"files": "x.jsonl", "columns": {"prompt": "a", "answer": "b"}})


@pytest.mark.parametrize(
    ("text", "opened", "parts"),
    [
        ("<think>\na\n</think>\n\nb", False, ("a", "b")),
        ("a\n</think>\n\nb", True, ("a", "b")),
        ("a</think>b", False, ("a", "b")),
        ("<think>a", False, ("a", "")),
        ("a", True, ("a", "")),
        ("a", False, (None, "a")),
        ("", False, (None, "")),
        ("<think></think>b", False, ("", "b")),
        ("  b  ", False, (None, "  b  ")),
        ("<think>a</think>b</think>c", False, ("a", "b</think>c")),
    ],
)
def test_tells_thinking_from_the_answer(text: str, opened: bool, parts: tuple[str | None, str]) -> None:
    assert split_reasoning(text, opened=opened) == parts


@pytest.mark.realdata
def test_every_real_completion_finds_its_problem(tmp_path: Path, test_data: Path) -> None:
    file = test_data / "data" / "teacher_skythought" / "sky-t1-27b_math500.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    teacher = {
        "files": str(file),
        "columns": {"prompt": "question", "content": "code"},
        "reasoning_tags": ["<|begin_of_thought|>", "<|end_of_thought|>"],
    }
    flow = run(tmp_path, teacher, batch=asking(*(row["question"] for row in rows)))
    assert flow.rejected.num_rows == 0
    assert flow.kept.num_rows == len(rows) == 500
    tagged = [any(tag in row["code"][0] for tag in teacher["reasoning_tags"]) for row in rows]
    assert 200 < sum(tagged) < 500, "the answers are all of one kind, so the test shows nothing"
    assert [text is not None for text in flow.kept["reasoning_content"].to_pylist()] == tagged
