"""A chain, asking until one is right, and the figures by teacher, from a pipeline file to a release."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from tests.teachers.faulty import faulty
from tests.teachers.runs import finish, rows_of, write_problems

PIPELINE = """
pipeline: until
seed: 5
stages:
  - type: source
    inputs: [{{files: problems.jsonl, columns: {{prompt: question, reference: answer}}, domain: math}}]
    shard_rows: 8
  - type: generate
    teacher: {{type: http, model: m, seeded: true}}
    column: level
    kind: integer
    template: "RATE {{{{ prompt }}}}"
    max_tokens: 5
  - type: sample
    teacher: {{type: http, model: m, seeded: true}}
    until: {{passed: 1, max_n: 6, verifiers: [{{type: math}}]}}
    max_tokens: 9
  - type: teacher-stats
release: {{layout: rows, verdicts: [pass, fail]}}
resources:
  generate: {{base_url: "{url}"}}
  sample: {{base_url: "{url}"}}
"""


def words(number: int, body: dict[str, Any]) -> tuple[str, int]:
    """Rates a problem; solves it one time in three."""
    asked = body["messages"][-1]["content"]
    if asked.startswith("RATE"):
        return "3", 1
    right = 2 * int(asked.split()[2])
    return f"The answer is {right if random.Random(body['seed']).random() < 1 / 3 else right + 1}.", 5


def test_a_release_says_how_often_its_problems_were_asked(tmp_path: Path) -> None:
    pipeline = tmp_path / "p.yaml"
    write_problems(tmp_path / "problems.jsonl", 30)
    with faulty(words=words) as server:
        pipeline.write_text(PIPELINE.format(url=server.url))
        code, _, err = finish(pipeline, "--local")
        assert code == 0, err
        asked = len(server.bodies)
    rows = rows_of(pipeline, "sample").sort("id", "sample_index")
    assert asked == 30 + rows.height
    assert set(rows["level"]) == {3}
    for _, drawn in rows.group_by("id"):
        verdicts = drawn["verdict"].to_list()
        assert "pass" not in verdicts[:-1], "a problem was asked again after it was solved"
        assert verdicts[-1] == "pass" or len(verdicts) == 6
    [manifest] = (tmp_path / "w").glob("until/releases/v*/manifest.json")
    told = json.loads(manifest.read_text())["reports"]
    assert told["sample"]["samples"]["policy"] == "until"
    assert told["sample"]["samples"]["pass_rate_unbiased"] is False
    assert told["teacher-stats"]["teachers"]["m"]["completions"] == rows.height
