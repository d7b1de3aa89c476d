from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import polars as pl
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from factory.core import STORED_SYSTEM, DataError, PipelineError
from factory.release.build import build_release
from factory.release.export import export
from factory.release.layouts import AM_SCHEMA
from factory.release.spec import FinishedStep, ReleaseSpec
from factory.release.store import Folder
from factory.release.versions import Release, list_releases, verify_release
from tests.release.conftest import build
from tests.release.steps import GRADED, Workspace, completions, make_steps, problem


def read(release: Release, below: str) -> list[dict[str, object]]:
    return [row for path in release.tables(below) for row in pq.read_table(path).to_pylist()]


def test_counts_rows_and_prompts_apart(release: Release) -> None:
    counts = release.manifest["counts"]
    assert (counts["rows"], counts["unique_prompts"]) == (27, 9)


def test_accounting_identity_holds_with_the_fan_out(release: Release) -> None:
    counts = release.manifest["counts"]
    rejected = len(read(release, "rejected/"))
    assert (
        counts["source_rows"] + counts["rows_fanned_out"] == counts["rows_released"] + counts["rows_rejected"]
    )
    assert rejected == counts["rows_rejected"], "a rejected row is missing from the release"
    assert len(read(release, "rows/")) == len(read(release, "data/")) == counts["rows_released"]


def test_every_rejected_row_names_step_and_reason(release: Release) -> None:
    rows = read(release, "rejected/")
    assert {(row["step"], row["reason"]) for row in rows} == {
        ("clean", "empty"),
        ("dedup-exact", "exact_duplicate"),
        ("decontaminate", "contaminated"),
        ("pass-rate", "too_hard"),
        ("select", "not_selected"),
    }
    leaked = next(row for row in rows if row["reason"] == "contaminated")
    assert json.loads(str(leaked["evidence"]))["benchmark"] == "bench"


def test_data_files_have_the_am_schema_and_line_up_with_rows(release: Release) -> None:
    for data, rows in zip(release.tables("data/"), release.tables("rows/"), strict=True):
        assert pq.read_schema(data).equals(AM_SCHEMA)
        assert pq.read_schema(rows).equals(GRADED)
        pairs = zip(pq.read_table(data).to_pylist(), pq.read_table(rows).to_pylist(), strict=True)
        for shaped, row in pairs:
            assert shaped["messages"][0]["content"] == row["prompt"][0]["content"]
            assert shaped["messages"][1]["info"]["answer_content"] == row["content"]


def test_files_end_at_the_row_limit_and_are_named_by_their_number(
    steps: Sequence[FinishedStep], tmp_path: Path
) -> None:
    made = build(list(steps), tmp_path, shard_rows=10)
    names = [path.rsplit("/", 1)[-1] for path in made.tables("data/")]
    assert names == [f"train-{i:05d}-of-00003.parquet" for i in range(3)]
    assert [pq.read_metadata(path).num_rows for path in made.tables("rows/")] == [10, 10, 7]
    ids = [row["completion_id"] for row in read(made, "rows/")]
    whole = build(list(steps), tmp_path / "whole")
    assert ids == [row["completion_id"] for row in read(whole, "rows/")], "the cut changes the order"


def test_opens_with_datasets_polars_and_pyarrow(release: Release, tmp_path: Path) -> None:
    cache = str(tmp_path)
    assert len(datasets.load_dataset(release.url, split="train", cache_dir=cache)) == 27
    assert len(datasets.load_dataset(release.url, "rows", split="train", cache_dir=cache)) == 27
    cut = datasets.load_dataset(release.url, "rejected-select", split="rejected", cache_dir=cache)
    assert set(cut["reason"]) == {"not_selected"}
    plain = datasets.load_dataset(
        "parquet", data_files=f"{release.url}/data/*.parquet", split="train", cache_dir=cache
    )
    assert plain[0]["messages"][0]["role"] == "user"
    assert pl.scan_parquet(f"{release.url}/rows/*.parquet").collect().height == 27
    assert pads.dataset(f"{release.url}/data").count_rows() == 27


def test_a_second_build_of_the_same_rows_makes_nothing(steps: Sequence[FinishedStep], tmp_path: Path) -> None:
    first = build(list(steps), tmp_path)
    again = build(list(steps), tmp_path)
    assert first.created
    assert not again.created
    assert again.version == first.version == "v0001"
    assert len(list_releases(str(tmp_path))) == 1


def test_another_setting_or_other_rows_make_the_next_version(
    steps: Sequence[FinishedStep], tmp_path: Path
) -> None:
    build(list(steps), tmp_path / "r")
    assert build(list(steps), tmp_path / "r", layout="rows").version == "v0002"
    other = make_steps(tmp_path / "steps", passes=(4, 3, 1, 0))
    assert [s.manifest["fingerprint"] for s in other] == [s.manifest["fingerprint"] for s in steps]
    assert build(other, tmp_path / "r").version == "v0003", (
        "the same lineage with other draws is another release"
    )


def test_a_failed_build_leaves_nothing(
    steps: Sequence[FinishedStep], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> str:
        raise OSError("disk full")

    monkeypatch.setattr("factory.release.build.report", broken)
    with pytest.raises(OSError, match="disk full"):
        build(list(steps), tmp_path)
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, sys
from pathlib import Path
import factory.release.build as under_test
from tests.release.conftest import build
from tests.release.steps import make_steps
under_test.{name} = lambda *a, **k: os._exit(9)
build(make_steps(Path(sys.argv[1])), sys.argv[2])
"""


@pytest.mark.parametrize("name", ["report", "_commit"])
def test_a_crash_leaves_no_half_version_and_the_next_build_clears_it(tmp_path: Path, name: str) -> None:
    steps, root = tmp_path / "steps", tmp_path / "releases"
    code = subprocess.run(
        [sys.executable, "-c", KILLED.format(name=name), str(steps), str(root)], check=False
    ).returncode
    assert code == 9, "the build did not reach the place where it is killed"
    assert list_releases(str(root)) == []
    assert not (root / "v0001").exists(), "a reader could open half a version"
    made = build(make_steps(tmp_path / "again"), root)
    assert made.version == "v0001"
    assert verify_release(made) == []
    left = {path.name for path in root.iterdir()}
    assert left == {"v0001", "last_version.json"}, "what the crash left is still there"


def test_an_object_store_has_no_version_until_its_manifest(steps: Sequence[FinishedStep]) -> None:
    root = "memory://factory-release-test/releases"
    half = Folder(f"{root}/v0001")
    half.write_text("data/train-00000-of-00009.parquet", "left by a crash")
    assert list_releases(root) == []
    made = build(list(steps), root)
    assert (made.version, made.created) == ("v0001", True)
    assert verify_release(made) == [], "what the crash left got into the version"
    assert not build(list(steps), root).created


def test_holds_back_truncated_and_unanswered_rows_and_counts_them(tmp_path: Path) -> None:
    made = build(mixed(tmp_path), tmp_path / "r")
    held = made.manifest["funnel"][-1]
    assert held["reasons"] == {"truncated": 4, "no_answer": 4, "layout_unfit": 4}
    assert made.rows == 4
    rows = read(made, "rejected/release/")
    assert len(rows) == 12
    unfit = next(row for row in rows if row["reason"] == "layout_unfit")
    assert json.loads(str(unfit["evidence"])) == {"layout": "am", "roles": ["system", "user"]}


def test_releases_truncated_rows_only_where_the_spec_allows_it(tmp_path: Path) -> None:
    made = build(mixed(tmp_path), tmp_path / "r", allow_truncated=True, layout="trl-sft")
    assert made.manifest["funnel"][-1]["reasons"] == {"no_answer": 4}
    assert made.rows == 12


def mixed(tmp_path: Path) -> list[FinishedStep]:
    """One good problem, one truncated, one without answers, one with a system turn; 4 completions each."""
    rows = [
        *completions(problem(1), passes=4),
        *completions(problem(2), passes=4, finish="length"),
        *[{**row, "content": " \n"} for row in completions(problem(3), passes=4)],
        *completions(problem(4, system="Be brief."), passes=4),
    ]
    work = Workspace(tmp_path / "steps")
    work.add("source", rows, [], schema=GRADED)
    return work.steps


@pytest.mark.parametrize("own", [None, "Think long."])
def test_students_see_the_stored_system_turn_in_every_form(tmp_path: Path, own: str | None) -> None:
    rows = completions(problem(1, system=own), passes=2)
    work = Workspace(tmp_path / "steps")
    work.add(
        "source", [{**r, "stored_system": "Be kind."} for r in rows], [], schema=GRADED.append(STORED_SYSTEM)
    )
    made = build(work.steps, tmp_path / "r", layout="trl-sft")
    first = {"role": "system", "content": "Be kind.", "reasoning_content": None}
    assert [m["messages"][:1] for m in read(made, "data/")] == [[first]] * 2
    assert all([t["role"] for t in row["prompt"]] == ["system", "user"] for row in read(made, "rows/"))
    for form in ("trl-sft-completion", "trl-dpo", "verl", "trl-grpo"):
        export(made, form, str(tmp_path / form))
        [shown] = {json.dumps(row["prompt"][0]) for row in parquet_rows(tmp_path / form)}
        assert json.loads(shown) == {"role": "system", "content": "Be kind."}, form
    export(made, "llamafactory", str(tmp_path / "lf"))
    shown = json.loads((tmp_path / "lf" / "llamafactory-train.json").read_text())
    assert {row["system"] for row in shown} == {"Be kind."}


def parquet_rows(folder: Path) -> list[dict[str, Any]]:
    return [row for file in folder.rglob("*.parquet") for row in pq.read_table(file).to_pylist()]


def test_a_release_of_no_rows_is_refused_with_the_main_reasons(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no row is left to release; most were cut as too_hard 48"):
        build(make_steps(tmp_path / "steps", passes=(0,)), tmp_path / "r")
    assert list_releases(str(tmp_path / "r")) == []


def test_a_layout_that_needs_completions_is_refused_without_them(tmp_path: Path) -> None:
    unsampled = make_steps(tmp_path / "steps")[:4]
    with pytest.raises(PipelineError, match=r"layout 'am' needs \['content'\]"):
        build(unsampled, tmp_path / "r")
    made = build(unsampled, tmp_path / "r", layout="rows")
    assert made.rows == 12


def test_the_layout_rows_takes_a_choice_of_columns(steps: Sequence[FinishedStep], tmp_path: Path) -> None:
    made = build(list(steps), tmp_path, layout="rows", columns=["id", "content"])
    assert pq.read_schema(made.tables("data/")[0]).names == ["id", "content"]
    assert pq.read_schema(made.tables("rows/")[0]).equals(GRADED)
    with pytest.raises(PipelineError, match=r"columns: is for the layout 'rows'"):
        build(list(steps), tmp_path, columns=["id"])


def test_manifest_says_who_made_the_rows_and_how(release: Release) -> None:
    found = release.manifest
    assert found["teacher_rows"] == {"tiny-teacher": 27}
    assert found["teachers"][0]["identity"]["temperature"] == 0.7
    assert found["verdicts"] == {"released": {"pass": 27}, "held_back": {}}
    assert found["verifiers"] == [{"verifier": "math", "version": "0.9.0", "verdicts": {"pass": 27}}]
    assert found["decontamination"] == [
        {
            "step": "decontaminate",
            "rows_checked": 13,
            "rejected": {"contaminated": 1},
            "counts": {"contaminated_bench": 1, "uncheckable_rows": 1},
            "coverage": {"bench": {"items": 5, "uncheckable": 2}},
        }
    ]
    assert found["tokens"]["completion"] == sum(
        int(str(r["completion_tokens"])) for r in read(release, "rows/")
    )
    assert found["tokens"]["spent"] == {
        "completions_drawn": 48,
        "completion_tokens": 1440,
        "micro_dollars": 9,
    }
    assert {(s["source"], s["license"], s["rows"]) for s in found["sources"]} == {
        ("sums", "CC0-1.0", 18),
        ("more-sums", "MIT", 9),
    }
    assert found["pass_rate_histogram"] == {
        "released": [0, 0, 0, 0, 0, 3, 0, 3, 0, 3],
        "dropped": [3, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    }


def test_reports_that_the_caller_adds_reach_manifest_and_card(
    steps: Sequence[FinishedStep], tmp_path: Path
) -> None:
    made = build_release(
        ReleaseSpec(),
        steps,
        root=str(tmp_path),
        pipeline_name="sums",
        pipeline_yaml="",
        reports={
            "decontaminate": {"math-500": {"items": 500, "uncheckable": 32}},
            "verify": {"sandbox": "gvisor"},
        },
    )
    assert made.manifest["decontamination"][0]["coverage"]["math-500"]["uncheckable"] == 32
    assert made.manifest["sandbox"] == "gvisor"
    text = Path(made.url, "README.md").read_text()
    assert "| math-500 | 500 | 32 |" in text
    assert "Code ran in sandbox tier `gvisor`." in text


def test_card_and_page_say_how_sure_a_dedup_is(steps: Sequence[FinishedStep], tmp_path: Path) -> None:
    found = {
        "planted_same_found": 0.97,
        "planted_other_merged": 0.0,
        "removed_answers_differ_share": 0.25,
        "unreadable": 7,
        "unreadable_by_script": {"Georgian": 7},
        "alarms": ["one group holds 60 rows"],
    }
    made = build_release(
        ReleaseSpec(),
        steps,
        root=str(tmp_path),
        pipeline_name="sums",
        pipeline_yaml="",
        reports={"dedup-semantic": found, "other": {"rows": 3}},
    )
    card, page = (Path(made.url, name).read_text() for name in ("README.md", "report.html"))
    for said in (
        "| planted copies of these rows that are found | 0.97 |",
        "Georgian 7",
        "**Alarm:** one group",
    ):
        assert said in card, f"the card does not say {said!r}"
    assert "planted copies of these rows that are found" in page
    assert "one group holds 60 rows" in page


def test_settings_carry_their_provenance(release: Release) -> None:
    found = {row["setting"]: row for row in release.manifest["settings"]}
    assert found["stages.pass-rate.min"] == {
        "setting": "stages.pass-rate.min",
        "value": 0.25,
        "provenance": "assumed",
    }
    assert found["stages.sample.teacher.model"]["provenance"] == "published", "a path covers what is below it"
    assert found["stages.sample.n"]["provenance"] is None


def test_lineage_chains_the_steps(release: Release) -> None:
    found = json.loads(Path(release.url, "lineage.json").read_text())["steps"]
    assert [step["upstream"] for step in found[1:]] == [step["fingerprint"] for step in found[:-1]]
    assert Path(release.url, "pipeline.yaml").read_text() == "pipeline: sums\n"


def ended_otherwise(folder: Path) -> list[FinishedStep]:
    """Completions of one problem of which two passed, and one each had another end."""
    rows = completions(problem(1), passes=2, n=6)
    for row, verdict in zip(rows, ("pass", "pass", "fail", "error", "timeout", None), strict=True):
        row["verdict"] = verdict
    work = Workspace(folder)
    work.add("source", rows, [], schema=GRADED)
    return work.steps


@pytest.mark.parametrize(
    ("asked", "out"),
    [
        (None, {"pass": 2}),
        (["pass", None], {"pass": 2, "unverified": 1}),
        (["unverified", "pass"], {"pass": 2, "unverified": 1}),
        (["fail", "error", "timeout"], {"error": 1, "fail": 1, "timeout": 1}),
    ],
)
def test_only_the_verdicts_that_the_pipeline_names_leave(
    asked: list[str | None] | None, out: dict[str, int], tmp_path: Path
) -> None:
    fields = {} if asked is None else {"verdicts": asked}
    made = build(ended_otherwise(tmp_path / "steps"), tmp_path / "r", layout="rows", **fields)
    verdicts = made.manifest["verdicts"]
    assert verdicts["released"] == out
    assert sum(verdicts["released"].values()) + sum(verdicts["held_back"].values()) == 6
    rows = read(made, "rows/")
    assert Counter(row["verdict"] or "unverified" for row in rows) == out
    held = read(made, "rejected/release")
    assert Counter(str(row["reason"]).removeprefix("verdict_") for row in held) == verdicts["held_back"]
    for row in held:
        evidence = json.loads(str(row["evidence"]))
        assert evidence["said"][0]["verifier"] == "math", (
            "a row that is held back does not say what judged it"
        )
    done = export(made, "trl-sft", str(tmp_path / "sft"))
    assert done.verdicts == out
    card = (Path(made.url) / "README.md").read_text()
    assert all(f"| {word} | {count} |" in card for word, count in out.items()), card


def test_a_release_of_nothing_says_which_verdicts_would_leave(tmp_path: Path) -> None:
    rows = completions(problem(1), passes=0, n=2)
    rows[0]["verdict"] = None
    work = Workspace(tmp_path / "steps")
    work.add("source", rows, [], schema=GRADED)
    with pytest.raises(DataError, match=r"verdicts: \[unverified, fail\]"):
        build(work.steps, tmp_path / "r")
