"""kill -9 of drivers and of actors that hold a teacher: nothing finished is lost, nothing is drawn again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from factory.core import completion_id
from factory.pipeline import load_pipeline
from factory.stages.sampling.sample import Sample
from factory.teachers import request_seed
from tests.teachers.faulty import Faulty, faulty
from tests.teachers.runs import journalled, rows_of, start, write_problems

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]

N = 4
SLOTS = 16
PIPELINE = """
pipeline: kills
seed: 5
stages:
  - type: source
    inputs: [{{files: problems.jsonl, columns: {{prompt: question, reference: answer}}, domain: math}}]
    shard_rows: 20
  - {{type: sample, teacher: {{type: http, model: m, seeded: true}}, n: {n}, max_tokens: 9}}
resources:
  sample: {{base_url: "{url}", max_in_flight: {slots}, retries: 20}}
"""


def newest_writer(pipeline: Path) -> int:
    """Process that wrote the newest file of the journal."""
    files = (pipeline.parent / "w").rglob("journal/*/*.jsonl")
    newest = max(files, key=lambda file: file.stat().st_mtime_ns)
    return int(newest.stem.split("-")[-3])


def wait_for(pipeline: Path, driver: subprocess.Popen[str], more: int) -> None:
    """Until so many more completions are in the journal."""
    wanted = len(journalled(pipeline)) + more
    deadline = time.monotonic() + 120
    while len(journalled(pipeline)) < wanted:
        assert driver.poll() is None, f"the run ended before it could be killed: {driver.communicate()}"
        assert time.monotonic() < deadline, "no completion came"
        time.sleep(0.02)


class Draws:
    """What the endpoint was asked, and what was on disk by then. A request is known by its seed."""

    def __init__(self) -> None:
        self.asked: Counter[int] = Counter()
        self.on_disk: set[int] = set()
        self.again: list[int] = []

    def plan(self, number: int, body: dict[str, Any]) -> str:
        self.asked[body["seed"]] += 1
        if body["seed"] in self.on_disk:
            self.again.append(body["seed"])
        return "ok"


def kill_often(
    pipeline: Path, draws: Draws, address: str, chance: random.Random, *, kills: int
) -> list[set[Any]]:
    """Kills drivers and actors at random moments; gives what was on disk after each kill."""
    seen: list[set[Any]] = []
    while len(seen) < kills:
        driver = start(pipeline, "--address", address)
        if chance.random() < 0.3:
            time.sleep(chance.uniform(0.0, 4.0))  # somewhere in the start, or soon after it
        else:
            with suppress(ProcessLookupError):  # the newest writer may be an actor that ends with its driver
                wait_for(pipeline, driver, chance.randint(1, 12))
                os.kill(newest_writer(pipeline), signal.SIGKILL)
                note(pipeline, draws, seen)
            wait_for(pipeline, driver, chance.randint(1, 12))
            time.sleep(chance.random() * 0.05)
        os.kill(driver.pid, signal.SIGKILL)
        note(pipeline, draws, seen)
        driver.communicate()
    return seen


def note(pipeline: Path, draws: Draws, seen: list[set[Any]]) -> None:
    """What is on disk now must never be asked again."""
    seen.append(set(journalled(pipeline)))
    draws.on_disk |= {seed_of(problem, index) for problem, index in seen[-1]}


def seed_of(problem: str, index: int) -> int:
    seed = request_seed(5, problem, index)
    assert seed is not None
    return seed


@pytest.fixture
def endpoint() -> Any:
    draws = Draws()
    with faulty(draws.plan, words=lambda number, body: (f"answer {number}", 5), answer_s=0.2) as server:
        yield server, draws


@pytest.mark.parametrize(
    ("kills", "count"), [(3, 120), pytest.param(20, 800, marks=pytest.mark.long)], ids=["few", "many"]
)
def test_kills_keep_every_finished_completion_and_draw_none_twice(
    tmp_path: Path, endpoint: tuple[Faulty, Draws], ray_cluster: None, kills: int, count: int
) -> None:
    import ray

    server, draws = endpoint
    pipeline = tmp_path / "p.yaml"
    pipeline.write_text(PIPELINE.format(n=N, url=server.url, slots=SLOTS))
    write_problems(tmp_path / "problems.jsonl", count)
    seed = int.from_bytes(os.urandom(4), "big")
    address = ray.get_runtime_context().gcs_address
    seen = kill_often(pipeline, draws, address, random.Random(seed), kills=kills)

    server.answer_s = 0.0
    last = start(pipeline, "--address", address)
    _, err = last.communicate(timeout=200)
    assert last.returncode == 0, f"seed {seed}: {err}"
    assert not draws.again, f"seed {seed}: {len(draws.again)} completions on disk were drawn again"
    lines = journalled(pipeline)
    doubled = [key for key, records in lines.items() if len(records) > 1]
    assert not doubled, f"seed {seed}: {len(doubled)} completions are in the journal twice"
    assert all(before <= lines.keys() for before in seen), f"seed {seed}: a finished completion is gone"
    asked_in_vain = draws.asked.total() - count * N
    # At a kill so many requests are under way, and their answers have nobody to write them down.
    assert asked_in_vain <= len(seen) * SLOTS, f"seed {seed}: {asked_in_vain} requests too many"

    rows = rows_of(pipeline, "sample")
    stage = next(s for s in load_pipeline(pipeline).stages if isinstance(s, Sample))
    wanted = {completion_id(p, stage.draw_identity(), i) for p in rows["id"].unique() for i in range(N)}
    assert rows["id"].n_unique() == count
    assert Counter(rows["completion_id"]) == Counter(wanted), f"seed {seed}: each completion is there once"
    for problem, index, content in rows.select("id", "sample_index", "content").iter_rows():
        assert lines[problem, index][0]["content"] == content, "a row has not the text that was paid for"
