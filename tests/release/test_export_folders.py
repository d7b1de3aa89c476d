"""An export is a folder that a trainer takes: rows, splits, a page, settings, reasoning in its place."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import datasets
import polars as pl
import pytest
import yaml

from factory.core import DataError, PipelineError
from factory.release.export import TARGETS, export
from factory.release.reasoning import Reasoning
from factory.release.recipes import Written, companions
from factory.release.versions import Release
from tests.release.test_export import REASONING_TEMPLATE

PLAIN_TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}"
)
CUTTING_TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content.split('</think>')[-1] }}{% endfor %}"
PLACES = sorted(
    (to, place)
    for to, target in TARGETS.items()
    for place in target.reasoning
    if (to, place) != ("text", "field")
)


def loaded(folder: Path, cache: Path) -> datasets.DatasetDict:
    """The folder as the README's own configuration describes it."""
    return datasets.load_dataset(str(folder), cache_dir=str(cache))


@pytest.fixture(scope="module")
def folders(release: Release, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("folders")
    for to in TARGETS:
        export(release, to, str(root / to), validation=0.35, seed=2)
    return {to: root / to for to in TARGETS}


@pytest.mark.parametrize("to", sorted(TARGETS))
def test_a_folder_loads_by_its_own_page_with_both_splits(
    folders: dict[str, Path], to: str, tmp_path: Path
) -> None:
    found = loaded(folders[to], tmp_path)
    assert set(found) == {"train", "validation"}
    assert all(len(split) for split in found.values())
    page = (folders[to] / "README.md").read_text()
    command = re.search(r"```bash\n(.+?)\n```", page, re.DOTALL)
    assert command, "the page has no command"
    assert "{" not in command[1].replace("{{", "{") or to == "am", f"an unfilled place: {command[1]}"
    for file in re.findall(r"[\w./-]+\.(?:yaml|parquet|jsonl|json|py)\b", command[1]):
        assert (folders[to] / file).exists(), f"the command names {file}, which is not there"


@pytest.mark.parametrize(
    "to", sorted(to for to in TARGETS if to not in ("am", "light-r1", "light-r1-dpo", "openai"))
)
def test_no_problem_is_on_both_sides_of_a_split(folders: dict[str, Path], to: str, tmp_path: Path) -> None:
    found = loaded(folders[to], tmp_path)
    ids = {
        name: {row["extra_info"]["id"] if to == "verl" else row["id"] for row in split}
        for name, split in found.items()
    }
    assert not ids["train"] & ids["validation"]
    row = found["train"][0]
    origin = row["extra_info"] if to == "verl" else row
    assert origin["source"] in ("sums", "more-sums"), f"{to} does not say where its rows come from"
    assert origin["license"] in ("CC0-1.0", "MIT")


def test_verls_command_names_every_shard_of_both_splits(release: Release) -> None:
    train, held_out = ("data/train-0.parquet", "data/train-1.parquet"), ("data/validation-0.parquet",)
    made = companions("verl")(Written(release, "verl", train, held_out, 2, 1, "field"))
    assert "data.train_files='[data/train-0.parquet,data/train-1.parquet]'" in made["README.md"]
    assert "data.val_files='[data/validation-0.parquet]'" in made["README.md"]


def test_settings_are_valid_yaml_and_name_files_that_are_there(folders: dict[str, Path]) -> None:
    for folder in folders.values():
        for file in folder.glob("*.yaml"):
            settings = yaml.safe_load(file.read_text())
            assert isinstance(settings, dict), file
            for entry in [*settings.get("datasets", []), *settings.get("test_datasets", [])]:
                assert (folder / entry["path"]).exists(), f"{file}: {entry['path']}"
            for key in ("dataset", "eval_dataset"):
                info = folder / "dataset_info.json"
                assert key not in settings or settings[key] in json.loads(info.read_text()), f"{file}: {key}"


def _answers(row: dict[str, Any]) -> list[dict[str, Any]]:
    turns = [
        end for name in ("messages", "completion", "chosen", "rejected") for end in (row.get(name) or [])[-1:]
    ]
    return turns or [
        {"content": row["conversations"][-1]["value"] if "conversations" in row else row["text"]}
    ]


@pytest.mark.parametrize(("to", "place"), PLACES)
def test_reasoning_is_where_it_was_asked_for_and_nowhere_else(
    release: Release, to: str, place: Reasoning, tmp_path: Path
) -> None:
    export(release, to, str(tmp_path / "out"), reasoning=place)
    rows = loaded(tmp_path / "out", tmp_path / "cache")["train"]
    for row in rows:
        for answer in _answers(row):
            found = {
                "inline": "<think>\nI add one" in answer["content"],
                "field": "I add one" in (answer.get("reasoning_content") or ""),
                "thinking": "I add one" in (answer.get("thinking") or ""),
            }
            assert [name for name, is_there in found.items() if is_there] == [
                name for name in (place,) if name != "none"
            ], f"{to} {place}: {answer}"
            assert "None" not in answer["content"]
    said = (tmp_path / "out" / "README.md").read_text()
    words = {"inline": "<think>", "field": "reasoning_content", "thinking": "`thinking`", "none": "left out"}
    assert words[place] in said, "the page does not say where the reasoning is"


def test_a_place_that_a_format_does_not_have_is_refused(release: Release, tmp_path: Path) -> None:
    with pytest.raises(
        PipelineError, match="'llamafactory' has no choice of --reasoning field; choose one of"
    ):
        export(release, "llamafactory", str(tmp_path / "a"), reasoning="field")
    with pytest.raises(PipelineError, match="'am' has no choice of --reasoning none; leave it out"):
        export(release, "am", str(tmp_path / "b"), reasoning="none")
    with pytest.raises(PipelineError, match="a text without a --template has no field for reasoning"):
        export(release, "text", str(tmp_path / "e"), reasoning="field")
    with pytest.raises(PipelineError, match="--validation 1 is no share"):
        export(release, "am", str(tmp_path / "c"), validation=1)
    with pytest.raises(DataError, match="no problem fell into the validation split"):
        export(release, "am", str(tmp_path / "d"), validation=1e-9)
    assert set(get_args(Reasoning)) == {"inline", "field", "thinking", "none"}


@pytest.mark.parametrize(
    ("template", "place", "kept"),
    [
        (REASONING_TEMPLATE, "field", True),
        (REASONING_TEMPLATE, "inline", True),
        (REASONING_TEMPLATE, "thinking", False),
        (PLAIN_TEMPLATE, "field", False),
        (PLAIN_TEMPLATE, "inline", True),
        (CUTTING_TEMPLATE, "inline", False),
        (CUTTING_TEMPLATE, "none", True),
    ],
)
@pytest.mark.parametrize("to", ["trl-sft", "trl-sft-completion", "trl-dpo", "axolotl"])
def test_a_template_that_loses_the_reasoning_is_refused_and_one_that_keeps_it_is_not(
    release: Release, to: str, template: str, place: Reasoning, kept: bool, tmp_path: Path
) -> None:
    file = tmp_path / "student.jinja"
    file.write_text(template)
    if kept:
        found = export(release, to, str(tmp_path / "out"), reasoning=place, template=str(file))
        assert found.reasoning_lost == 0
        return
    with pytest.raises(DataError, match=r"100\.0% of the reasoning is lost in the given template"):
        export(release, to, str(tmp_path / "out"), reasoning=place, template=str(file))
    assert not (tmp_path / "out").exists()


def test_text_is_rendered_by_the_students_template_as_transformers_renders_it(
    release: Release, teacher_folder: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(teacher_folder)
    found = export(release, "text", str(tmp_path / "text"), reasoning="inline", template=str(teacher_folder))
    chats = export(release, "openai", str(tmp_path / "chat"), reasoning="inline")
    ours = pl.read_ndjson(found.files[0])["text"].to_list()
    theirs = [json.loads(line)["messages"] for line in Path(chats.files[0]).read_text().splitlines()]
    assert ours == [tokenizer.apply_chat_template(messages, tokenize=False) for messages in theirs]


def test_what_is_no_template_is_refused_by_name(release: Release, tmp_path: Path) -> None:
    (tmp_path / "bad.jinja").write_text("{% for m in messages %}")
    with pytest.raises(PipelineError, match=r"bad\.jinja: is no chat template"):
        export(release, "trl-sft", str(tmp_path / "a"), template=str(tmp_path / "bad.jinja"))
    with pytest.raises(PipelineError, match="holds no chat template"):
        export(release, "trl-sft", str(tmp_path / "b"), template=str(tmp_path / "none"))
    (tmp_path / "hostile.jinja").write_text("{{ messages.__class__.__mro__[1].__subclasses__() }}")
    with pytest.raises(DataError, match="refuses a row"):
        export(release, "trl-sft", str(tmp_path / "c"), template=str(tmp_path / "hostile.jinja"))
