"""A pipeline whose teacher runs code, through to its release and every way out of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from factory.core import PipelineError
from factory.pipeline import load_pipeline
from factory.release.export import TARGETS, export
from factory.release.versions import open_release, verify_release
from tests.teachers.faulty import faulty
from tests.teachers.runs import finish, journalled, write_problems

PIPELINE = """
pipeline: interpreted
seed: 5
stages:
  - type: source
    inputs:
      - {files: problems.jsonl, columns: {prompt: question, reference: answer}, domain: math}
    shard_rows: 3
  - type: sample
    teacher: TEACHER
    interpreter: {packages: [], hints: [{text: "I compute it.\\n"}]}
    n: 2
    max_tokens: 60
  - {type: verify, verifiers: [{type: math}]}
  - {type: difficulty}
  - {type: pass-rate, min: 0.1}
release: {layout: am, license: CC0-1.0}
resources:
  sample: {base_url: "URL"}
"""


def standing(body: dict[str, Any]) -> str:
    """What stands of the assistant's turn."""
    last = body["messages"][-1]
    return str(last["content"]) if last["role"] == "assistant" else ""


def words(number: int, body: dict[str, Any]) -> tuple[str, int]:
    """Code for the question, then the answer that the code printed."""
    if "```output" not in standing(body):
        question = next(m["content"] for m in body["messages"] if m["role"] == "user")
        first, second = (word for word in question.rstrip("?").split() if word.isdigit())
        return f"```python\n{first} + {second}\n", 9
    answer = standing(body).split("```output\n")[1].split("\n")[0]
    return f"So it is \\boxed{{{answer}}}.", 6


def stop_reason(body: dict[str, Any]) -> Any:
    return None if "```output" in standing(body) else "```\n"


def write(folder: Path, *, url: str, teacher: str = "{type: http, model: m}") -> Path:
    pipeline = folder / "p.yaml"
    pipeline.write_text(PIPELINE.replace("TEACHER", teacher).replace("URL", url))
    write_problems(folder / "problems.jsonl", 7)
    return pipeline


def test_a_release_keeps_the_parts_of_each_turn_and_every_export_takes_it(tmp_path: Path) -> None:
    with faulty(words=words, stop_reason=stop_reason) as server:
        pipeline = write(tmp_path, url=server.url)
        code, out, err = finish(pipeline, "--local")
        assert code == 0, err
        asked = len(server.bodies)
    assert asked == 7 * 2 * 2
    spent = json.loads(out)["steps"][1]["spent"]
    assert (spent["code_runs"], spent["prompt_tokens"], spent["completion_tokens"]) == (14, 7 * 28, 15 * 14)
    assert sum(record["tokens"] for [record] in journalled(pipeline).values()) == 7 * 28 + 15 * 14

    [folder] = (tmp_path / "w").glob("*/releases/*/manifest.json")
    release = open_release(str(folder.parent))
    assert not verify_release(release)
    rows = [row for path in release.tables("rows/") for row in pq.read_table(path).to_pylist()]
    assert len(rows) == 14
    for row in rows:
        assert "".join(part["text"] for part in row["segments"]) == row["content"]
        assert [part["train"] for part in row["segments"]] == [False, True, False, True]
    for target in sorted(TARGETS.keys() - {"light-r1-dpo", "trl-dpo"}):
        assert export(release, target, str(tmp_path / target)).rows in (14, 7), target


def test_finished_texts_and_an_interpreter_are_refused_at_once(tmp_path: Path) -> None:
    pipeline = write(tmp_path, url="", teacher="{type: replay, files: problems.jsonl}")
    with pytest.raises(PipelineError, match="'replay' has finished texts, in which no code can be run"):
        load_pipeline(str(pipeline))
