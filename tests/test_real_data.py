"""The shipped pipelines over real data, with existing completions as the teacher."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.stages.models import reward_folder

pytestmark = [pytest.mark.realdata, pytest.mark.timeout(600)]

ROOT = Path(__file__).parent.parent
ROWS = 2000
BY_WORDS = ("--set", "decontaminate.embedding=null", "--set", "decontaminate-completions.embedding=null")
"""Embedding on two cores takes a second for some thirty texts."""


def factory(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "factory", *words],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def ran(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """GSM8K train and MATH train, the first rows of each, run to a release."""
    place = tmp_path_factory.mktemp("real")
    pipeline = str(ROOT / "pipelines" / "gsm8k_math_replay.yaml")
    done = factory(
        "run",
        pipeline,
        "--limit",
        str(ROWS),
        "--local",
        "--json",
        "-w",
        str(place),
        *BY_WORDS,
        FACTORY_TEST_DATA=str(test_data),
    )
    assert done.returncode == 0, done.stderr
    return place / "gsm8k-math-replay", json.loads(done.stdout)


def test_real_training_sets_run_to_a_release_that_draws_nothing(ran: tuple[Path, dict[str, Any]]) -> None:
    root, told = ran
    funnel = {s["step"]: s for s in told["steps"]}
    assert funnel["source"]["rows_kept"] == 2 * ROWS
    assert funnel["sample"]["spent"].get("completions_drawn", 0) == 0
    verdicts = pl.read_parquet(next(root.glob("steps/*-verify-*")) / "shards" / "*.parquet")["verdict"]
    assert verdicts.value_counts(normalize=True).sort("proportion")["verdict"][-1] == "pass"
    assert (verdicts == "pass").mean() > 0.99, "GSM8K's own solutions agree with its own references"
    assert pl.read_parquet(root / "releases" / "v0001" / "data" / "*.parquet").height > 0.9 * ROWS


def test_math_500_in_math_train_is_reported_with_item_and_span(
    ran: tuple[Path, dict[str, Any]], test_data: Path
) -> None:
    root, _ = ran
    cut = pl.read_parquet(min(root.glob("steps/*-decontaminate-*")) / "rejected" / "*.parquet")
    hits = []
    for row in cut.filter(pl.col("source") == "math").iter_rows(named=True):
        proof = json.loads(row["evidence"])
        text = "\n".join(m["content"] for m in row["prompt"])
        start, end = proof["span"]
        assert text[start:end][:40] == proof["text"][:40], "the span is where it says"
        hits.append((proof["benchmark"], proof["item"]))
    found = [item for benchmark, item in hits if benchmark == "math-500"]
    assert found, f"MATH train holds MATH-500 problems, none was found: {hits}"
    items = {
        r["unique_id"] for r in json.loads((test_data / "data/math/deepscaler_math500.json").read_text())
    }
    assert set(found) <= items, "each hit names an item of the benchmark"


@pytest.mark.parametrize("name", ["am_1_4m", "light_r1_stage2"])
def test_the_published_recipes_plan_and_check(name: str, tmp_path: Path) -> None:
    """Over small files of the right form: every field, column and path of the recipe is checked."""
    line = {"problem": "What is 2 + 3?", "question": "Why is the sky blue?", "answer": "5", "tests": "{}"}
    line["messages"] = [{"role": "user", "content": "Tell me of the sea."}]  # type: ignore[assignment]
    listed = (ROOT / "pipelines" / "benchmarks.yaml").read_text()
    line |= dict.fromkeys(re.findall(r"text: (\w+)", listed), "How far is the moon?")
    sets = re.findall(r"/(\w+)\.jsonl", listed)
    assert len(sets) > 14, "the sets that people report"
    for file in ("math", "code", "science", "chat", *sets):
        (tmp_path / f"{file}.jsonl").write_text(json.dumps(line) + "\n")
    done = factory(
        "plan", str(ROOT / "pipelines" / f"{name}.yaml"), "--json", "-w", str(tmp_path / "w"),
        AM_DATA=str(tmp_path), BENCHMARKS=str(tmp_path), MATH_PROBLEMS=str(tmp_path / "math.jsonl"),
        REWARD_MODEL=str(reward_folder(tmp_path / "reward")),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {s["action"] for s in json.loads(done.stdout)["steps"]} == {"run"}
