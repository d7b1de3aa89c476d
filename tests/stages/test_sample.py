"""Laws of sampling that need no model: order, journal, reuse, retry, crashes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from factory.core import PROBLEM_SCHEMA, Busy, Flow, Resources, Site, WorkspaceError, completion_id
from factory.stages.sampling.sample import Sample
from factory.storage.lease import lease
from tests.teachers.scripted import Scripted, ScriptedSample, asking, drawn, problems


def stage(folder: Path, *, dies_after: int | None = None, **fields: object) -> ScriptedSample:
    teacher = {"type": "scripted", "notes": str(folder / "notes"), "delay_ms": 3, "dies_after": dies_after}
    return ScriptedSample.model_validate({"teacher": teacher, "seed": 17, "n": 4, **fields})


def site(folder: Path, *, max_in_flight: int | None = None) -> Site:
    return Site(Resources(max_in_flight=max_in_flight), str(folder / "cache"), str(folder / "journal"))


def run(sample: Sample, batch: pa.Table, folder: Path) -> Flow:
    with sample.open(site(folder)) as apply:
        return apply(batch)


def test_gives_n_rows_per_problem_in_order_whatever_finishes_first(tmp_path: Path) -> None:
    sample, batch = stage(tmp_path), problems(30)
    flow = run(sample, batch, tmp_path)
    finished = [line.split() for line in drawn(tmp_path / "notes")]
    assert [p for p, _ in finished] != sorted([p for p, _ in finished], key=batch["id"].to_pylist().index), (
        "the teacher finished in order, so the test shows nothing"
    )
    wanted = [(p, i) for p in batch["id"].to_pylist() for i in range(4)]
    kept = list(zip(flow.kept["id"].to_pylist(), flow.kept["sample_index"].to_pylist(), strict=True))
    assert kept == wanted
    assert flow.kept.num_rows == sample.fan_out(batch)
    assert flow.kept.schema == sample.schema_out(batch.schema)
    ids = [completion_id(p, sample.draw_identity(), i) for p, i in wanted]
    assert flow.kept["completion_id"].to_pylist() == ids


def test_a_worker_that_another_run_has_overtaken_pays_for_nothing(tmp_path: Path) -> None:
    sample, root = stage(tmp_path), str(tmp_path)
    with lease(root) as first:
        left = replace(site(tmp_path), lease_url=root, generation=first.generation)
    with lease(root), sample.open(left) as apply, pytest.raises(WorkspaceError, match="stops before it pays"):
        apply(problems(3))
    assert drawn(tmp_path / "notes") == [], "a completion that is the later run's to draw was paid for"


def test_an_empty_batch_opens_no_teacher_and_has_the_schema(tmp_path: Path) -> None:
    sample = stage(tmp_path)
    flow = run(sample, PROBLEM_SCHEMA.empty_table(), tmp_path)
    assert flow.kept.schema == sample.schema_out(PROBLEM_SCHEMA)
    assert flow.rejected.num_rows == 0
    assert str(tmp_path / "notes") not in Scripted.opened


def test_a_second_run_draws_nothing_and_opens_no_teacher(tmp_path: Path) -> None:
    sample, batch = stage(tmp_path), problems(10)
    first = run(sample, batch, tmp_path)
    Scripted.opened.clear()
    second = run(sample, batch, tmp_path)
    assert second.kept.equals(first.kept)
    assert first.spent is not None
    assert second.spent is not None
    assert (first.spent["completions_drawn"], first.spent["completions_reused"]) == (40, 0)
    assert (second.spent["completions_drawn"], second.spent["completions_reused"]) == (0, 40)
    assert first.spent["completion_tokens"] == 400
    assert second.spent["completion_tokens"] == 0, "a token is paid for twice"
    assert Scripted.opened == [], "a teacher is loaded though nothing is missing"


@pytest.mark.parametrize(
    ("change", "draws"),
    [
        ({"n": 8}, 40),
        ({"n": 2}, 0),
        ({"stored_system": "You are kind."}, 0),
        ({"name": "again"}, 0),
        ({"temperature": 0.7}, 40),
        ({"system": "Think."}, 40),
        ({"max_tokens": 99}, 40),
        ({"seed": 18}, 40),
        ({"stop": ("END",)}, 40),
    ],
)
def test_draws_again_only_what_the_change_can_alter(
    tmp_path: Path, change: dict[str, object], draws: int
) -> None:
    batch = problems(10)
    run(stage(tmp_path), batch, tmp_path)
    flow = run(stage(tmp_path, **change), batch, tmp_path)
    assert flow.spent is not None
    assert flow.spent["completions_drawn"] == draws


def test_other_shards_and_fewer_problems_reuse_every_completion(tmp_path: Path) -> None:
    batch = problems(20)
    whole = run(stage(tmp_path), batch, tmp_path)
    with stage(tmp_path).open(site(tmp_path)) as apply:
        parts = [apply(batch.slice(at, 7)) for at in (0, 7, 14)]
    assert pa.concat_tables([p.kept for p in parts]).combine_chunks().equals(whole.kept.combine_chunks())
    assert len(drawn(tmp_path / "notes")) == 80


def test_several_shards_at_once_share_one_teacher(tmp_path: Path) -> None:
    batch = problems(40)
    Scripted.opened.clear()
    with stage(tmp_path).open(site(tmp_path)) as apply, ThreadPoolExecutor(8) as threads:
        flows = list(threads.map(apply, [batch.slice(at, 5) for at in range(0, 40, 5)]))
    assert [f.kept.num_rows for f in flows] == [20] * 8
    assert Scripted.opened == [str(tmp_path / "notes")]
    assert len(set(drawn(tmp_path / "notes"))) == 160


def test_a_problem_in_two_shards_at_once_is_drawn_once(tmp_path: Path) -> None:
    batch = problems(6)
    with stage(tmp_path).open(site(tmp_path)) as apply, ThreadPoolExecutor(4) as threads:
        flows = list(threads.map(apply, [batch] * 4))
    assert all(f.kept.equals(flows[0].kept) for f in flows)
    assert len(drawn(tmp_path / "notes")) == 24
    assert sum(f.spent["completions_drawn"] for f in flows if f.spent) == 24, (
        "the count of draws is not what was drawn"
    )


def test_the_same_problem_twice_in_a_shard_is_drawn_once(tmp_path: Path) -> None:
    batch = pa.concat_tables([problems(3), problems(3)])
    flow = run(stage(tmp_path), batch, tmp_path)
    assert flow.kept.num_rows == 24
    assert len(drawn(tmp_path / "notes")) == 12


def test_what_the_teacher_cannot_answer_is_rejected_with_evidence(tmp_path: Path) -> None:
    batch = asking("fine", "UNANSWERABLE", "also fine")
    sample = stage(tmp_path, n=2)
    flow = run(sample, batch, tmp_path)
    assert flow.kept.num_rows == 4
    assert flow.rejected["reason"].to_pylist() == ["teacher_error"] * 2
    assert json.loads(flow.rejected["evidence"][0].as_py()) == {"message": "no"}
    assert flow.rejected["finish_reason"].to_pylist() == ["error"] * 2
    assert flow.rejected.schema.names == [*sample.schema_out(batch.schema).names, "reason", "evidence"]


def test_an_error_is_asked_again_next_time(tmp_path: Path) -> None:
    batch = asking("UNANSWERABLE")
    run(stage(tmp_path), batch, tmp_path)
    flow = run(stage(tmp_path), batch, tmp_path)
    assert flow.spent is not None
    assert flow.spent["completions_reused"] == 0


def test_a_dead_teacher_is_busy_and_is_opened_again_without_loss(tmp_path: Path) -> None:
    sample, batch = stage(tmp_path, dies_after=25), problems(20)
    Scripted.opened.clear()
    with sample.open(site(tmp_path, max_in_flight=4)) as apply:
        for _ in range(10):
            try:
                flow = apply(batch)
                break
            except Busy:
                continue
    assert flow.kept.num_rows == 80
    assert len(drawn(tmp_path / "notes")) == len(set(drawn(tmp_path / "notes"))) == 80
    assert len(Scripted.opened) == 4, "80 draws at 25 a life want four lives"


def test_one_busy_request_loses_none_of_its_neighbours(tmp_path: Path) -> None:
    teacher = {"type": "scripted", "notes": str(tmp_path / "notes"), "delay_ms": 20, "busy": [2]}
    sample = ScriptedSample.model_validate({"teacher": teacher, "n": 4})
    with sample.open(site(tmp_path)) as apply:
        with pytest.raises(Busy):
            apply(problems(1))
        assert len(drawn(tmp_path / "notes")) == 3
        assert apply(problems(1)).kept.num_rows == 4
    assert len(drawn(tmp_path / "notes")) == 4


def test_a_slow_answer_is_busy_after_the_time_limit(tmp_path: Path) -> None:
    teacher = {"type": "scripted", "notes": str(tmp_path / "notes"), "delay_ms": 60_000}
    sample = ScriptedSample.model_validate({"teacher": teacher, "n": 2})
    where = Site(Resources(timeout_s=0.05), str(tmp_path / "cache"), str(tmp_path / "journal"))
    with sample.open(where) as apply, pytest.raises(Busy, match=r"no answer within 0\.05 s"):
        apply(problems(1))


def test_seeds_follow_the_problem_not_its_place(tmp_path: Path) -> None:
    one = run(stage(tmp_path / "a"), problems(5), _made(tmp_path / "a"))
    other = run(stage(tmp_path / "b"), problems(5).take([4, 2, 0, 1, 3]), _made(tmp_path / "b"))
    texts = dict(zip(one.kept["completion_id"].to_pylist(), one.kept["content"].to_pylist(), strict=True))
    for identity, text in zip(
        other.kept["completion_id"].to_pylist(), other.kept["content"].to_pylist(), strict=True
    ):
        assert texts[identity] == text
    assert len(set(texts.values())) == 20


def test_the_system_text_replaces_the_prompts_own(tmp_path: Path) -> None:
    prompt = [{"role": "system", "content": "Old."}, {"role": "user", "content": "Hi"}]
    batch = problems(1).set_column(
        5, PROBLEM_SCHEMA.field("prompt"), pa.array([prompt], PROBLEM_SCHEMA.field("prompt").type)
    )
    requests = stage(tmp_path, system="New.")._requests(batch, [(0, 0)])
    assert [dict(m) for m in requests[0].messages] == [
        {"role": "system", "content": "New."},
        {"role": "user", "content": "Hi"},
    ]


def test_refuses_samples_that_cannot_differ(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="same text n times"):
        stage(tmp_path, temperature=0, n=2)


def test_hostile_prompts_pass_through(tmp_path: Path) -> None:
    batch = asking("", "a\0b", "‮right to left", "x" * 1_000_000)
    flow = run(stage(tmp_path, n=1), batch, tmp_path)
    assert flow.kept.num_rows == 4
    again = run(stage(tmp_path, n=1), batch, tmp_path)
    assert again.kept.equals(flow.kept)


_WORKER = """
import sys
from pathlib import Path
from concurrent.futures import ThreadPoolExecutor
from tests.stages.test_sample import site, stage
from tests.teachers.scripted import problems
folder = Path(sys.argv[1])
batch = problems(60)
with stage(folder).open(site(folder)) as apply, ThreadPoolExecutor(4) as threads:
    flows = list(threads.map(apply, [batch.slice(at, 15) for at in range(0, 60, 15)]))
import pyarrow as pa
import pyarrow.parquet as pq
pq.write_table(pa.concat_tables([f.kept for f in flows]), folder / "kept.parquet")
"""


def test_killed_at_random_moments_keeps_what_was_finished_and_draws_nothing_twice(tmp_path: Path) -> None:
    chance = random.Random(5)
    kills: list[tuple[set[tuple[str, int]], int]] = []
    while not (tmp_path / "kept.parquet").exists():
        worker = subprocess.Popen([sys.executable, "-c", _WORKER, str(tmp_path)])
        target = len(drawn(tmp_path / "notes")) + chance.randint(1, 20)
        while worker.poll() is None and len(drawn(tmp_path / "notes")) < target and len(kills) < 6:
            time.sleep(0.0005)
        if len(kills) < 6:
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
            kills.append((_journalled(tmp_path), len(drawn(tmp_path / "notes"))))
        worker.wait()
    assert len(kills) == 6, "the run ended before it was killed six times"
    for finished, noted in kills:
        later = {(p, int(i)) for p, i in map(str.split, drawn(tmp_path / "notes")[noted:])}
        assert not finished & later, "a completion that was on disk before the kill was drawn again after it"
    kept = pq.read_table(tmp_path / "kept.parquet")
    sample, ids = stage(tmp_path), problems(60)["id"].to_pylist()
    wanted = [completion_id(p, sample.draw_identity(), i) for p in ids for i in range(4)]
    assert kept["completion_id"].to_pylist() == wanted
    assert len(_journalled(tmp_path)) == 240


def _journalled(folder: Path) -> set[tuple[str, int]]:
    """Keys of all whole lines; a key that is there twice fails the test."""
    lines = [line for file in (folder / "journal").glob("*/*.jsonl") for line in _whole_lines(file)]
    keys = [(record["problem"], record["index"]) for record in map(json.loads, lines)]
    assert len(keys) == len(set(keys)), "the journal holds a completion twice"
    return set(keys)


def _whole_lines(segment: Path) -> list[str]:
    return [line for line in segment.read_text().splitlines(keepends=True) if line.endswith("\n")]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
