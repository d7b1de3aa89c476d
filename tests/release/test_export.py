from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import fsspec
import jinja2
import polars as pl
import pyarrow.parquet as pq
import pytest

from factory.core import DataError, PipelineError, WorkspaceError
from factory.release.export import TARGETS, Export, export
from factory.release.layouts import AM_SCHEMA
from factory.release.versions import Release
from tests.release.conftest import build
from tests.release.steps import GRADED, Workspace, completions, make_steps, problem

ROWS = {
    "am": 27,
    "light-r1": 27,
    "trl-sft": 27,
    "trl-sft-completion": 27,
    "axolotl": 27,
    "llamafactory": 27,
    "light-r1-dpo": 6,
    "trl-dpo": 6,
    "trl-grpo": 9,
    "verl": 9,
    "ms-swift": 27,
    "openrlhf": 27,
    "torchtune": 27,
    "openai": 27,
    "text": 27,
    "trl-kto": 48,
}
# A template of a reasoning model, in the form that Qwen3's has.
REASONING_TEMPLATE = """{%- for message in messages %}<|im_start|>{{ message.role }}
{% if message.reasoning_content is string %}<think>
{{ message.reasoning_content }}
</think>

{% endif %}{{ message.content }}<|im_end|>
{% endfor %}"""


@pytest.fixture(scope="module")
def exported(release: Release, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Export]:
    root = tmp_path_factory.mktemp("exports")
    return {to: export(release, to, str(root / to)) for to in TARGETS}


def data_files(found: Export) -> list[str]:
    return [path for path in found.files if path.endswith((".parquet", ".jsonl", "-train.json"))]


def rows(found: Export) -> list[dict[str, Any]]:
    path = data_files(found)[0]
    if path.endswith(".parquet"):
        return pq.read_table(path).to_pylist()
    if path.endswith(".jsonl"):
        return [json.loads(line) for line in Path(path).read_text().splitlines()]
    return json.loads(Path(path).read_text())


@pytest.mark.parametrize("to", sorted(ROWS))
def test_every_format_loads_with_datasets_and_polars(
    exported: dict[str, Export], to: str, tmp_path: Path
) -> None:
    found = exported[to]
    files = data_files(found)
    kind = "parquet" if files[0].endswith(".parquet") else "json"
    loaded = datasets.load_dataset(kind, data_files=files, split="train", cache_dir=str(tmp_path))
    assert len(loaded) == found.rows == ROWS[to]
    readers = {"parquet": pl.read_parquet, "json": pl.read_json, "jsonl": pl.read_ndjson}
    assert readers[files[0].rsplit(".", 1)[-1]](files[0]).height == ROWS[to]


def test_the_formats_are_the_ones_named_here() -> None:
    assert set(TARGETS) == set(ROWS)


def test_am_export_has_the_exact_schema(exported: dict[str, Export]) -> None:
    assert pq.read_schema(exported["am"].files[0]).equals(AM_SCHEMA)


@pytest.mark.parametrize("to", ["trl-sft", "trl-sft-completion", "axolotl", "trl-dpo"])
def test_a_reasoning_template_renders_the_reasoning_field(exported: dict[str, Export], to: str) -> None:
    template = jinja2.Template(REASONING_TEMPLATE)
    for row in rows(exported[to]):
        answers = row.get("completion") or row.get("chosen")
        messages = row["messages"] if "messages" in row else [*row["prompt"], *answers]
        text = template.render(messages=messages)
        assert f"<think>\nI add one, try {text.split('try ')[1][0]}" in text, f"{to} lost the reasoning"
        assert "None" not in text, f"{to} shows a template a missing value"


def test_axolotl_messages_have_no_key_without_a_value(exported: dict[str, Export]) -> None:
    asked, answered = rows(exported["axolotl"])[0]["messages"]
    assert set(asked) == {"role", "content"}
    assert set(answered) == {"role", "content", "reasoning_content"}


@pytest.mark.parametrize("to", ["am", "light-r1", "llamafactory"])
def test_a_plain_chat_template_renders_reasoning_held_in_the_text(
    exported: dict[str, Export], to: str, teacher_folder: Path
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(teacher_folder)
    row = rows(exported[to])[0]
    roles = {"human": "user", "gpt": "assistant"}
    turns = row.get("messages") or [
        {"role": roles.get(turn["from"], turn["from"]), "content": turn["value"]}
        for turn in row["conversations"]
    ]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    assert "I add one, try " in text, f"{to} lost the reasoning"
    assert text.index("<think>") < text.index("I add one") < text.index("</think>")


def test_light_r1_files_are_arrays_of_the_published_rows(exported: dict[str, Export]) -> None:
    for row in rows(exported["light-r1"]):
        assert list(row) == ["conversations"]
        assert [turn["from"] for turn in row["conversations"]] == ["user", "assistant"]
    for row in rows(exported["light-r1-dpo"]):
        assert list(row) == ["conversations", "chosen", "rejected"]
        assert [turn["from"] for turn in row["conversations"]] == ["human"]
        assert row["chosen"]["from"] == row["rejected"]["from"] == "gpt"


def test_llamafactory_info_names_the_file_and_its_columns(exported: dict[str, Export]) -> None:
    data = data_files(exported["llamafactory"])[0]
    info = str(Path(data).parent / "dataset_info.json")
    entry = json.loads(Path(info).read_text())["llamafactory-train"]
    assert entry["file_name"] == Path(data).name
    assert entry["formatting"] == "sharegpt"
    row = rows(exported["llamafactory"])[0]
    assert set(entry["columns"].values()) <= set(row), "a named column is missing from the rows"
    tags = entry["tags"]
    seen = {turn[tags["role_tag"]] for turn in row["conversations"]}
    assert seen == {tags["user_tag"], tags["assistant_tag"]}


def test_grpo_has_each_problem_once_with_a_solution_that_the_reward_can_parse(
    exported: dict[str, Export],
) -> None:
    from math_verify import parse, verify

    found = rows(exported["trl-grpo"])
    assert len({row["id"] for row in found}) == len(found) == 9
    for row in found:
        gold = parse(row["solution"])
        assert verify(gold, parse(f"The answer is $\\boxed{{{row['reference']}}}$.")), row["solution"]


def test_verl_rows_have_the_keys_its_dataset_and_reward_manager_read(exported: dict[str, Export]) -> None:
    for index, row in enumerate(rows(exported["verl"])):
        assert row["reward_model"] == {"style": "rule", "ground_truth": row["reward_model"]["ground_truth"]}
        assert isinstance(row["reward_model"]["ground_truth"], str)
        assert (row["ability"], row["extra_info"]["index"]) == ("math", index)
        assert row["prompt"][0]["role"] == "user"


def test_problems_that_nothing_can_judge_are_skipped_and_counted(tmp_path: Path) -> None:
    judged, free = problem(1), {**problem(2), "reference": None}
    coded = {**problem(3), "reference": None, "tests": '{"stdin": []}', "domain": "code"}
    work = Workspace(tmp_path / "steps")
    drawn = [row for one in (judged, free, coded) for row in completions({**one, "reference": "0"}, passes=2)]
    drawn = [
        {**row, "reference": r["reference"]}
        for row in drawn
        for r in (judged, free, coded)
        if r["id"] == row["id"]
    ]
    work.add("source", drawn, [], schema=GRADED)
    made = build(work.steps, tmp_path / "r")
    found = export(made, "verl", str(tmp_path / "verl"))
    assert (found.rows, found.skipped) == (2, {"no_ground_truth": 1})
    assert {row["reward_model"]["ground_truth"] for row in rows(found)} == {"2", '{"stdin": []}'}


def test_truncated_rows_are_not_exported_even_from_a_release_that_has_them(tmp_path: Path) -> None:
    work = Workspace(tmp_path / "steps")
    drawn = [*completions(problem(1), passes=4), *completions(problem(2), passes=4, finish="length")]
    work.add("source", drawn, [], schema=GRADED)
    made = build(work.steps, tmp_path / "r", allow_truncated=True)
    assert made.rows == 8
    assert export(made, "am", str(tmp_path / "a")).skipped == {"truncated": 4}
    assert export(made, "am", str(tmp_path / "b"), allow_truncated=True).rows == 8


def test_an_export_is_whole_or_not_at_all(release: Release, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no format 'alpaca'; choose one of am, light-r1"):
        export(release, "alpaca", str(tmp_path / "x"))
    full = tmp_path / "full"
    full.mkdir()
    (full / "notes.txt").write_text("mine")
    with pytest.raises(WorkspaceError, match="is not empty"):
        export(release, "am", str(full))
    right_only = make_steps(tmp_path / "steps", passes=(4,))
    made = build(right_only, tmp_path / "r")
    with pytest.raises(DataError, match="has no row for 'trl-dpo'"):
        export(made, "trl-dpo", str(tmp_path / "dpo"))
    assert not (tmp_path / "dpo").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(("dpo", "x"))]


def test_a_release_of_problems_alone_exports_to_reinforcement_learning_only(tmp_path: Path) -> None:
    made = build(make_steps(tmp_path / "steps")[:4], tmp_path / "r", layout="rows")
    assert export(made, "trl-grpo", str(tmp_path / "grpo")).rows == 12
    assert export(made, "verl", str(tmp_path / "verl")).rows == 12
    with pytest.raises(DataError, match="'am' needs completions; add a 'sample' step"):
        export(made, "am", str(tmp_path / "am"))


def test_exports_to_a_store_as_to_a_disk(release: Release, exported: dict[str, Export]) -> None:
    found = export(release, "light-r1", "memory://factory-export-test/light-r1")
    with fsspec.open(found.files[0], "rt") as raw:
        assert raw.read() == Path(exported["light-r1"].files[0]).read_text()
