"""Workspaces are found again, cleaned of what nothing needs, and never give a version's number twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import factory
from factory.core import DataError
from factory.engine.clean import clean, unneeded

PIPELINE = """
pipeline: small
stages:
  - type: source
    inputs: [{files: problems.jsonl, columns: {prompt: question, reference: answer}, domain: math}]
  - type: clean
release: {layout: rows, verdicts: [unverified]}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    rows = [{"question": f"What is {i} + {i}?", "answer": str(2 * i)} for i in range(5)]
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "p.yaml").write_text(PIPELINE)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("FACTORY_WORKSPACE", raising=False)
    return folder


def test_the_api_runs_plans_and_opens(project: Path) -> None:
    pipeline = factory.load("p.yaml")
    assert {step.action for step in factory.plan(pipeline)} == {"run"}
    done = factory.run(pipeline, local=True)
    assert done.release is not None
    assert done.release.frame().collect().height == 5
    assert {step.action for step in factory.plan(factory.load("p.yaml"))} == {"reuse"}
    assert factory.open_release(done.release.url).version == "v0001"


def test_a_run_from_another_folder_finds_the_workspace_and_says_so(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = factory.load("p.yaml")
    factory.run(first, local=True)
    for elsewhere, path in ((project.parent, "project/p.yaml"), (project / "deep", "../p.yaml")):
        elsewhere.mkdir(exist_ok=True)
        monkeypatch.chdir(elsewhere)
        capsys.readouterr()
        assert factory.load(path).root == first.root, "everything would be made again"
        assert str(project / "workspace") in capsys.readouterr().err


def test_a_deleted_versions_number_does_not_come_back(project: Path) -> None:
    from factory.release.versions import delete_release

    def release(limit: int) -> factory.api.Finished:  # type: ignore[name-defined]
        return factory.run(factory.load("p.yaml", changes=[f"source.limit={limit}"]), local=True)

    made = [release(limit).release for limit in (2, 3)]
    assert [r.version for r in made if r] == ["v0001", "v0002"]
    delete_release(made[1])
    with pytest.raises(DataError, match="no finished release"):
        factory.open_release(made[1].url)
    again = release(4).release
    assert again is not None
    assert again.version == "v0003"


def test_clean_takes_what_other_settings_made_and_nothing_else(project: Path) -> None:
    factory.run(factory.load("p.yaml", changes=["clean.max_chars=100"]), local=True)
    kept = factory.load("p.yaml")
    factory.run(kept, local=True)
    found = unneeded(kept.root, kept.steps)
    assert len(found) == 1, "the source's step is shared"
    assert found[0].bytes > 0
    assert clean(kept.root, kept.steps) == found
    assert unneeded(kept.root, kept.steps) == []
    assert {step.action for step in factory.plan(kept)} == {"reuse"}
