"""A driver that is killed while the real teacher answers loses nothing and pays for nothing twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from factory.core import completion_id
from factory.pipeline import load_pipeline
from factory.stages.sampling.sample import Sample

pytestmark = [pytest.mark.teacher, pytest.mark.ray, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parent.parent
PIPELINE = """
pipeline: resume
seed: 5
stages:
  - type: source
    inputs:
      - files: {data}
        columns: {{prompt: question, reference: answer}}
        domain: math
    shard_rows: 8
    limit: 40
  - type: clean
  - type: dedup-exact
  - type: sample
    teacher: {{type: vllm, model: smollm2-135m-instruct, dtype: float32, max_model_len: 512}}
    n: 3
    temperature: 0.8
    max_tokens: 24
  - type: length
    min_words: 0
    keep_truncated: true
release: {{layout: rows, allow_truncated: true, verdicts: [unverified]}}
"""


def start(pipeline: Path, workspace: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "factory", "run", str(pipeline), "--workspace", str(workspace), "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def journalled(workspace: Path) -> list[tuple[str, int]]:
    found = []
    for segment in (workspace / "resume" / "journal").rglob("*.jsonl"):
        for line in segment.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                record = json.loads(line)
                found.append((record["problem"], record["index"]))
    return found


def kill_while_sampling(pipeline: Path, workspace: Path, more: int) -> None:
    """Kills the driver with SIGKILL once `more` further completions are in the journal."""
    before = len(journalled(workspace))
    driver = start(pipeline, workspace)
    deadline = time.monotonic() + 600
    while len(journalled(workspace)) < before + more:
        assert driver.poll() is None, f"the run ended before it could be killed: {driver.communicate()}"
        assert time.monotonic() < deadline, "no completion came"
        time.sleep(0.05)
    driver.send_signal(signal.SIGKILL)
    driver.wait()


def test_a_kill_loses_no_completion_and_draws_none_twice(tmp_path: Path) -> None:
    pipeline = tmp_path / "p.yaml"
    pipeline.write_text(PIPELINE.format(data=ROOT / "tests/data/quickstart/problems.jsonl"))
    seed = int.from_bytes(os.urandom(4), "big")
    kill_while_sampling(pipeline, tmp_path, random.Random(seed).randint(1, 12))
    driver = start(pipeline, tmp_path)
    out, err = driver.communicate(timeout=900)
    assert driver.returncode == 0, f"seed {seed}: {err}"

    stage = next(s for s in load_pipeline(pipeline).stages if isinstance(s, Sample))
    [problems] = (tmp_path / "resume" / "steps").glob("03-*")
    [sampled] = (tmp_path / "resume" / "steps").glob("04-*")
    ids = pl.read_parquet(problems / "shards" / "*.parquet")["id"].to_list()
    expected = {completion_id(p, stage.draw_identity(), i) for p in ids for i in range(stage.n)}
    sides = [
        pl.read_parquet(sampled / part / "*.parquet")["completion_id"] for part in ("shards", "rejected")
    ]
    drawn = [c for side in sides for c in side.to_list()]
    assert Counter(drawn) == Counter(expected), f"seed {seed}: each wanted completion is there, once"
    lines = journalled(tmp_path)
    assert len(lines) == len(set(lines)) == len(expected), (
        f"seed {seed}: {len(lines)} completions paid for, {len(set(lines))} different, {len(expected)} wanted"
    )
    for step in json.loads(out)["steps"]:
        manifest = json.loads(
            next((tmp_path / "resume" / "steps").glob(f"*-{step['step']}-*/manifest.json")).read_text()
        )
        assert manifest["rows_expected"] == manifest["rows_kept"] + manifest["rows_rejected"], step["step"]
