"""What a run will cost, told from a few of its rows, and what it then does cost."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.teachers.faulty import faulty
from tests.teachers.runs import ROOT, journalled

PROBLEMS = 400
PIPELINE = """
pipeline: planned
seed: 5
stages:
  - type: source
    inputs:
      - {{files: problems.jsonl, columns: {{prompt: question, reference: answer}}, domain: math}}
      - {{files: copies.jsonl, columns: {{prompt: question}}, domain: math}}
    shard_rows: 50
  - {{type: clean, max_chars: 200}}
  - type: generate
    teacher: {{type: http, model: m, seeded: true}}
    column: level
    kind: integer
    template: "RATE {{{{ prompt }}}}"
    max_tokens: 5
  - type: sample
    teacher: {{type: http, model: m, seeded: true}}
    until: {{passed: 1, max_n: 6, verifiers: [{{type: math}}]}}
    max_tokens: 900
  - type: difficulty
  - {{type: pass-rate, min: 0.99, max: 0.995}}
resources:
  generate: {{base_url: "{url}"}}
  sample: {{base_url: "{url}", price: {{prompt: 2.0, completion: 10.0}}}}
"""


def words(number: int, body: dict[str, Any]) -> tuple[str, int]:
    """Rates a problem; solves it one time in three, in a text of any length."""
    asked = body["messages"][-1]["content"]
    if asked.startswith("RATE"):
        return "3", 1
    chance = random.Random(body["seed"])
    right = 2 * int(asked.split()[2])
    answer = right if chance.random() < 1 / 3 else right + 1
    return f"The answer is {answer}.", chance.choice((40, 90, 100, 110, 160, 700))


def write(folder: Path, url: str) -> Path:
    pipeline = folder / "p.yaml"
    pipeline.write_text(PIPELINE.format(url=url))
    asked = [f"What is {n} plus {n}?" + " Take your time." * 30 * (n % 4 == 3) for n in range(PROBLEMS)]
    lines = [json.dumps({"question": q, "answer": str(2 * n)}) for n, q in enumerate(asked)]
    (folder / "problems.jsonl").write_text("\n".join(lines))
    (folder / "copies.jsonl").write_text("\n".join(json.dumps({"question": q}) for q in asked[:100:4]))
    return pipeline


def factory(folder: Path, *words: str) -> str:
    """What the command prints; it ends well, or because no row is left at the end."""
    command = [sys.executable, "-m", "factory", *words, "--workspace", str(folder / "w")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 or "'pass-rate': kept 0 of" in done.stderr, done.stderr
    return done.stdout


def plan_of(folder: Path, pipeline: Path, *words: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(factory(folder, "plan", str(pipeline), "--json", *words))
    return answer


def test_a_preview_tells_what_the_run_will_cost_and_nothing_is_drawn_twice(tmp_path: Path) -> None:
    with faulty(words=words, answer_s=0.001) as server:
        pipeline = write(tmp_path, server.url)
        blind = plan_of(tmp_path, pipeline)["steps"]
        assert [s["likely"] for s in blind] == [{}] * 6
        plan = plan_of(tmp_path, pipeline, "--preview", "85", "--local")
        before = journalled(pipeline)
        _, clean, generate, sample, *rest = plan["steps"]
        assert all(step["likely_rows"] is None for step in rest), "steps behind the last draw are not run"
        assert abs(clean["likely_rows"] - 325) <= 15
        assert 0 < len(before) < 400
        assert "never run" in factory(tmp_path, "status", str(pipeline)), "a preview is no run"

        factory(tmp_path, "run", str(pipeline), "--local")
        after = journalled(pipeline)
        assert all(len(lines) == 1 for lines in after.values()), "a completion was paid for twice"
        assert len(server.bodies) == len(after)
    new = [lines[0] for key, lines in after.items() if key not in before]
    rated = [line for line in new if line["content"] == "3"]
    drawn = [line for line in new if line["content"] != "3"]
    assert abs(generate["likely"]["completions"] / len(rated) - 1) <= 0.15, "copies are asked once"
    for name, wanted in (
        ("completions", len(drawn)),
        ("completion_tokens", sum(line["completion_tokens"] for line in drawn)),
        ("prompt_tokens", sum(line["prompt_tokens"] for line in drawn)),
    ):
        assert abs(sample["likely"][name] / wanted - 1) <= 0.35, (name, sample["likely"], wanted)
    dollars = plan["likely"]["dollars"]
    assert dollars == sample["likely"]["dollars"] > 0


def test_a_plan_for_people_says_what_is_guessed(tmp_path: Path) -> None:
    with faulty(words=words) as server:
        pipeline = write(tmp_path, server.url)
        shown = " ".join(factory(tmp_path, "plan", str(pipeline), "--preview", "40", "--local").split())
    assert "likely in all, beyond what is in the journal: " in shown
    assert "rows with ~ are guessed from 40 of 425, the first of each input" in shown
