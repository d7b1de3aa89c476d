"""A new version against earlier releases: their rows count as kept, and only new rows are looked at."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest

from factory.core import DataError, PipelineError
from factory.core.rows import PROBLEM_SCHEMA
from factory.release.build import build_release
from factory.release.spec import ReleaseSpec
from factory.stages.dedup.dedup_base import DedupStage
from factory.stages.dedup.earlier_releases import earlier_release
from factory.stages.dedup.exact import DedupExact
from factory.stages.dedup.fuzzy import DedupFuzzy
from factory.stages.dedup.semantic import DedupSemantic
from tests.release.steps import GRADED, Workspace, completions, marked
from tests.stages.tables import problems, run_global, site

OLD = [
    "A farmer has 24 sheep and sells a third of them at the market in spring. He then buys 7 new lambs from "
    "his neighbour and loses 2 of them in a storm. How many animals does the farmer have in the end?",
    "Find the derivative of x^3 with respect to x.",
]
COPY = OLD[0].replace(" ", "  ")
TYPO = OLD[0].replace("market", "markt").replace("neighbour", "nieghbour")
NUMBERS = OLD[0].replace("24", "36")
NEW = "What is the capital of the country whose flag is a red disc on white?"


def released(folder: Path, texts: list[str]) -> str:
    """A release of these problems, two completions each, made by the real build."""
    asked = problems(texts).to_pylist()
    work = Workspace(folder / "steps")
    work.add("source", asked, [], schema=PROBLEM_SCHEMA, fields={"inputs": texts})
    drawn = [
        c for row in asked for c in completions({**row, "reference": "5", "license": "MIT"}, passes=2, n=2)
    ]
    work.add("sample", drawn, marked([], "none"), schema=GRADED)
    spec = ReleaseSpec.model_validate({"layout": "rows"})
    made = build_release(
        spec,
        work.steps,
        root=str(folder / "releases"),
        pipeline_name="farm",
        pipeline_yaml="pipeline: farm\n",
    )
    return made.url


@pytest.mark.parametrize(
    ("kind", "goes", "measure"),
    [
        (DedupExact, [COPY], None),
        (DedupFuzzy, [COPY, TYPO], "jaccard"),
        pytest.param(DedupSemantic, [COPY, TYPO], "cosine", marks=pytest.mark.embedder),
    ],
)
def test_copies_of_released_rows_go_and_evidence_names_the_release(
    kind: type[DedupStage], goes: list[str], measure: str | None, tmp_path: Path
) -> None:
    url = released(tmp_path, OLD)
    old_id = problems(OLD)["id"].to_pylist()[0]
    rows = problems([NEW, COPY, NUMBERS, TYPO], meta=["{}"] * 4)
    kept, rejected, decision = run_global(kind(against=(url,)), [rows], at=site(tmp_path))
    assert [p[0]["content"] for p in rejected[0]["prompt"].to_pylist()] == goes
    assert kept[0].num_rows == 4 - len(goes)
    for proof in map(json.loads, rejected[0]["evidence"].to_pylist()):
        assert (proof["kept"], proof["release"]) == (old_id, "farm/v0001")
        assert measure is None or proof[measure] >= 0.5
    report = json.loads(decision.schema.metadata[b"report"])
    assert (report["rows"], report["earlier_rows"]) == (4, 2), "a released problem counts once"
    alone, _, _ = run_global(kind(), [rows], at=site(tmp_path))
    assert alone[0].num_rows > kept[0].num_rows, "without the release these rows are kept"


@pytest.mark.embedder
def test_rows_of_a_release_are_embedded_once_and_then_never_again(tmp_path: Path) -> None:
    url, place = released(tmp_path, OLD), site(tmp_path)
    read = []
    for _ in range(2):
        _, _, decision = run_global(DedupSemantic(against=(url,)), [problems([NEW])], at=place)
        read.append(json.loads(decision.schema.metadata[b"report"])["earlier_rows_embedded"])
    assert read == [2, 0]


def test_shards_do_not_change_what_a_release_removes(tmp_path: Path) -> None:
    stage = DedupFuzzy(against=(released(tmp_path, OLD),))
    rows = problems([NEW, TYPO, NUMBERS, COPY, NUMBERS + " Please."])
    whole = run_global(stage, [rows], at=site(tmp_path))
    parts = run_global(stage, [rows.slice(n, 1) for n in range(5)], at=site(tmp_path))
    assert pa.concat_tables(parts[0]).equals(whole[0][0])
    assert pa.concat_tables(parts[1]).equals(whole[1][0])


def test_identity_is_the_releases_content_and_not_its_path(tmp_path: Path) -> None:
    url = released(tmp_path, OLD)
    moved = str(tmp_path / "elsewhere")
    shutil.copytree(url, moved)
    stages = [DedupExact(against=(u,)) for u in (url, moved)]
    assert stages[0].identity() == stages[1].identity() != DedupExact().identity()
    other = released(tmp_path / "other", OLD[:1])
    assert DedupExact(against=(other,)).identity() != stages[0].identity()
    assert str(tmp_path) not in json.dumps(stages[0].identity())


def test_a_release_is_read_from_any_store(tmp_path: Path) -> None:
    url = released(tmp_path, OLD)
    store = fsspec.filesystem("memory")
    store.put(url, "/against/v0001", recursive=True)
    kept, _, _ = run_global(
        DedupExact(against=("memory://against/v0001",)), [problems([COPY, NEW])], at=site(tmp_path)
    )
    assert kept[0].num_rows == 1


@pytest.mark.parametrize("content", [None, "{", "[]", '{"name": "x", "version": "v1"}'])
def test_a_folder_that_is_no_release_is_refused_before_anything_runs(content: Any, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(PipelineError, match="is no finished release"):
        DedupExact(against=(str(tmp_path),)).identity()


def test_a_broken_file_of_a_release_is_named(tmp_path: Path) -> None:
    url = released(tmp_path, OLD)
    [file] = earlier_release(url).files
    Path(file).write_bytes(b"PAR1 no longer")
    with pytest.raises(DataError, match="farm/v0001"):
        run_global(DedupExact(against=(url,)), [problems([NEW])], at=site(tmp_path))
