"""A further teacher over the problems that another one has answered."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import ValidationError

from factory.core import COMPLETION_COLUMNS, Flow, PipelineError, Resources, Site
from factory.pipeline import check_columns
from factory.stages.sampling.sample import Sample
from factory.stages.sampling.teacher_stats import TeacherStats
from factory.stages.source.source import Source
from tests.teachers.scripted import ScriptedSample, asking, drawn, problems


def stage(folder: Path, **fields: object) -> ScriptedSample:
    teacher = {"type": "scripted", "notes": str(folder / "notes")}
    return ScriptedSample.model_validate({"teacher": teacher, "seed": 17, "n": 3, **fields})


def run(sample: Sample, batch: pa.Table, folder: Path) -> Flow:
    with sample.open(Site(Resources(), str(folder / "cache"), str(folder / "journal"))) as apply:
        return apply(batch)


def test_earlier_rows_stay_and_new_ones_stand_behind_them(tmp_path: Path) -> None:
    first = run(stage(tmp_path), problems(5), tmp_path).kept
    second = stage(tmp_path, system="Be brief.", n=2, beside=True)
    flow = run(second, first, tmp_path)
    assert flow.kept.schema == first.schema == second.schema_out(first.schema)
    assert flow.kept.num_rows == second.fan_out(first) == 5 * (3 + 2)
    ids = problems(5)["id"].to_pylist()
    assert flow.kept["id"].to_pylist() == [problem for problem in ids for _ in range(5)]
    assert flow.kept["sample_index"].to_pylist() == [0, 1, 2, 0, 1] * 5
    stayed = flow.kept.filter(pa.array([row % 5 < 3 for row in range(25)]))
    assert stayed.equals(first)
    own = flow.kept.drop_columns(COMPLETION_COLUMNS.names)
    assert all(row in problems(5).to_pylist() for row in own.to_pylist())
    assert len(drawn(tmp_path / "notes")) == 25
    assert run(second, first, tmp_path).kept.equals(flow.kept)
    assert len(drawn(tmp_path / "notes")) == 25, "a completion was paid for twice"


def test_what_was_found_out_about_another_completion_is_not_said_of_a_new_one(tmp_path: Path) -> None:
    first = run(stage(tmp_path), problems(2), tmp_path).kept
    judged = first.append_column("verdict", pa.array(["pass"] * 6))
    kept = run(stage(tmp_path, system="Be brief.", beside=True), judged, tmp_path).kept
    assert kept["verdict"].to_pylist() == (["pass"] * 3 + [None] * 3) * 2


def test_what_the_second_cannot_answer_is_rejected_and_the_first_stays(tmp_path: Path) -> None:
    hard = asking("UNANSWERABLE for this one")
    easy = run(stage(tmp_path), asking("What is 1 + 1?"), tmp_path).kept
    given = easy.slice(0, 1).drop_columns(["id", "prompt"])
    row = (
        given.append_column("id", hard["id"])
        .append_column("prompt", hard["prompt"])
        .select(easy.schema.names)
    )
    second = stage(tmp_path, system="Be brief.", beside=True)
    batch = pa.concat_tables([easy, row.cast(easy.schema)])
    flow = run(second, batch, tmp_path)
    assert flow.kept.num_rows == 3 + 3 + 1
    assert flow.rejected["reason"].to_pylist() == ["teacher_error"] * 3
    assert flow.kept.num_rows + flow.rejected.num_rows == second.fan_out(batch)


def test_an_empty_batch_asks_nobody(tmp_path: Path) -> None:
    empty = run(stage(tmp_path), problems(1), tmp_path).kept.slice(0, 0)
    other = stage(tmp_path / "other", beside=True)
    assert run(other, empty, tmp_path).kept.equals(empty)
    assert not drawn(tmp_path / "other" / "notes")


def test_the_same_teacher_asked_the_same_way_is_refused(tmp_path: Path) -> None:
    first = run(stage(tmp_path), problems(1), tmp_path).kept
    with pytest.raises(PipelineError, match="drawn by an earlier step already"):
        run(stage(tmp_path, beside=True), first, tmp_path)


def test_columns_are_followed_through_several_teachers() -> None:
    source = Source.model_validate({"inputs": [{"files": "x.jsonl"}]})
    teacher = {"type": "http", "model": "small"}
    first = Sample.model_validate({"teacher": teacher})
    second = Sample.model_validate({"teacher": {**teacher, "model": "big"}, "name": "big", "beside": True})
    assert check_columns([source, first, second, TeacherStats()]) == check_columns([source, first])
    with pytest.raises(PipelineError, match="needs"):
        check_columns([source, second])
    with pytest.raises(PipelineError, match="adds"):
        check_columns([source, first, second.model_copy(update={"beside": False})])
    until = {"passed": 1, "max_n": 2, "verifiers": [{"type": "math"}]}
    with pytest.raises(ValidationError, match="judges only its own"):
        Sample.model_validate({"teacher": teacher, "beside": True, "until": until})
