"""Asking until enough is right: the same draws as with a fixed number, only fewer."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from factory.core import Busy, Flow, Resources, Site, completion_id
from factory.stages.sampling.sample import Sample
from tests.teachers.scripted import ScriptedSample, asking, drawn

MATH = [{"type": "math"}]


def stage(folder: Path, *, until: dict[str, Any] | None, **fields: Any) -> Sample:
    teacher = {"type": "scripted", "notes": str(folder / "notes"), **fields.pop("teacher", {})}
    if until is not None:
        until = {"verifiers": MATH, "max_n": 8, **until}
    return ScriptedSample.model_validate({"teacher": teacher, "seed": 3, "until": until, **fields})


def run(sample: Sample, batch: pa.Table, folder: Path, *, step: str = "s") -> Flow:
    site = Site(Resources(), str(folder / "c"), str(folder / "j"), step=step)
    with sample.open(site) as apply:
        return apply(batch)


def answered(rights: list[set[int]], *, reference: str | None = "2") -> pa.Table:
    """Problems of which the samples with these indices are right."""
    batch = asking(*[f"RIGHT {sorted(right)} number {n}" for n, right in enumerate(rights)])
    place = batch.schema.get_field_index("reference")
    references = pa.array([reference] * batch.num_rows, pa.string())
    return batch.set_column(place, batch.schema.field(place), references)


def counts(flow: Flow, batch: pa.Table) -> list[int]:
    rows = flow.kept["id"].to_pylist()
    return [rows.count(problem) for problem in batch["id"].to_pylist()]


def test_stops_at_the_first_right_one_and_gives_up_at_max_n(tmp_path: Path) -> None:
    batch = answered([{0}, {2}, set(), {7}])
    flow = run(stage(tmp_path, until={}), batch, tmp_path)
    assert counts(flow, batch) == [1, 3, 8, 8]
    assert flow.expected == flow.kept.num_rows == 20
    assert len(drawn(tmp_path / "notes")) == 20, "more was drawn than was wanted"
    assert flow.kept["verdict"].to_pylist().count("pass") == 3
    assert flow.spent is not None
    assert (flow.spent["completions_drawn"], flow.spent["problems_passed"]) == (20, 3)


def test_more_right_ones_may_be_wanted_and_drawn_several_at_a_time(tmp_path: Path) -> None:
    batch = answered([{0, 1}, {0, 5}, {3}])
    flow = run(stage(tmp_path, until={"passed": 2, "max_n": 7}, n=3), batch, tmp_path)
    assert counts(flow, batch) == [3, 6, 7]


def test_the_rows_are_those_of_a_fixed_n_cut_off(tmp_path: Path) -> None:
    batch = answered([{n} for n in (1, 0, 4, 9)])
    fixed_stage, until_stage = stage(tmp_path, until=None, n=8), stage(tmp_path, until={})
    fixed = run(fixed_stage, batch, tmp_path)
    before = len(drawn(tmp_path / "notes"))
    flow = run(until_stage, batch, tmp_path)
    assert len(drawn(tmp_path / "notes")) == before, "a completion of the fixed n was drawn again"
    texts = dict(zip(fixed.kept["completion_id"].to_pylist(), fixed.kept["content"].to_pylist(), strict=True))
    for identity, text in zip(
        flow.kept["completion_id"].to_pylist(), flow.kept["content"].to_pylist(), strict=True
    ):
        assert texts[identity] == text
    keys = zip(flow.kept["id"].to_pylist(), flow.kept["sample_index"].to_pylist(), strict=True)
    assert flow.kept["completion_id"].to_pylist() == [
        completion_id(p, fixed_stage.draw_identity(), i) for p, i in keys
    ]
    assert flow.kept.schema == until_stage.schema_out(batch.schema)


def test_what_nobody_can_judge_or_answer_is_not_asked_again(tmp_path: Path) -> None:
    unjudged = run(stage(tmp_path, until={}), answered([set()], reference=None), tmp_path)
    assert unjudged.kept["verdict"].to_pylist() == [None]
    flow = run(stage(tmp_path, until={}), asking("UNANSWERABLE"), tmp_path)
    assert flow.rejected["reason"].to_pylist() == ["teacher_error"]


def test_a_busy_teacher_in_a_later_round_loses_nothing(tmp_path: Path) -> None:
    batch = answered([{4}, {1}])
    sample = stage(tmp_path, until={}, teacher={"busy": [2]})
    with sample.open(Site(Resources(), str(tmp_path / "c"), str(tmp_path / "j"))) as apply:
        with pytest.raises(Busy):
            apply(batch)
        flow = apply(batch)
    assert counts(flow, batch) == [5, 2]
    assert len(drawn(tmp_path / "notes")) == len(set(drawn(tmp_path / "notes"))) == 7


def test_a_target_is_met_by_all_shards_together_and_the_rest_is_not_asked(tmp_path: Path) -> None:
    batch = answered([{n % 3} if n % 2 else set() for n in range(120)])
    sample = stage(tmp_path, until={"target_accepted": 10, "max_n": 4}, teacher={"delay_ms": 4})
    site = Site(Resources(), str(tmp_path / "c"), str(tmp_path / "j"), step="s")
    parts = [batch.slice(at, 20) for at in range(0, 120, 20)]
    with sample.open(site) as apply, ThreadPoolExecutor(4) as threads:
        flows = list(threads.map(apply, parts))
    accepted = sum(f.kept["verdict"].to_pylist().count("pass") for f in flows)
    assert 10 <= accepted <= 13, f"{accepted} were accepted, 10 were wanted"
    for part, flow in zip(parts, flows, strict=True):
        assert flow.kept.num_rows + flow.rejected.num_rows == flow.expected
        asked = set(flow.kept["id"].to_pylist())
        spared = flow.rejected.filter(pa.compute.equal(flow.rejected["reason"], "target_reached"))
        assert asked | set(spared["id"].to_pylist()) == set(part["id"].to_pylist()), "a problem vanished"
        assert not asked & set(spared["id"].to_pylist())
    with sample.open(site) as apply:
        again = apply(parts[0])
    assert again.kept.num_rows == flows[0].kept.num_rows, "a shard that is run again gives other rows"
    other = run(sample, parts[5], tmp_path, step="another")
    assert other.kept["verdict"].to_pylist().count("pass") > 0, "another step's count was taken for its own"


def test_says_by_which_rule_it_drew(tmp_path: Path) -> None:
    site = Site(Resources(), str(tmp_path / "c"), str(tmp_path / "j"))
    assert stage(tmp_path, until=None, n=4).report(site) == {
        "samples": {"policy": "fixed", "n": 4, "pass_rate_unbiased": True}
    }
    told = stage(tmp_path, until={}).report(site)["samples"]
    assert (told["policy"], told["max_n"], told["pass_rate_unbiased"]) == ("until", 8, False)
    assert json.loads(json.dumps(told)) == told


def test_refuses_what_cannot_happen(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="can never pass"):
        stage(tmp_path, until={"passed": 9})
    with pytest.raises(ValidationError, match="temperature 0"):
        stage(tmp_path, until={}, temperature=0)


def test_the_verifiers_columns_are_needed_and_their_version_counts(tmp_path: Path) -> None:
    plain, until = stage(tmp_path, until=None), stage(tmp_path, until={})
    assert until.needs() - plain.needs() == {"reference", "tests", "domain"}
    assert plain.draw_identity() == until.draw_identity()
    assert until.identity()["until"]["verifiers"][0]["version"]
