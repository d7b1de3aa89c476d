"""Stages, verifiers, layouts and exports of other packages are used as our own, or refused in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

HERE = Path(__file__).parent.parent
PIPELINE = """
pipeline: plugged
stages:
  - type: source
    inputs: [{files: problems.jsonl, columns: {prompt: question, reference: answer}, domain: math}]
  - {type: shout, marks: 2}
  - {type: sample, teacher: {type: replay, files: answers.jsonl}, n: 1}
  - {type: verify, verifiers: [{type: ends-with}]}
release: {layout: pair}
"""

Command = Callable[..., subprocess.CompletedProcess[str]]


def installed(package: str, folder: Path) -> Command:
    """The command line beside a package of tests/plugins, installed into a folder of its own."""
    words = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    source = folder / "source"
    source.mkdir()
    for file in (HERE / "plugins" / package).rglob("*"):
        if file.suffix in {".py", ".toml"}:
            copy = source / file.relative_to(HERE / "plugins" / package)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    subprocess.run(
        [sys.executable, "-m", *words, "--target", str(folder / "site"), str(source)], check=True, timeout=100
    )
    paths = [str(HERE.parent), str(folder / "site")]

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "factory", *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def write_inputs(folder: Path, pipeline: str) -> None:
    problems = [{"question": f"What is {i} + {i}?", "answer": str(2 * i)} for i in range(4)]
    problems.append({"question": "Hello!!", "answer": "1"})
    answers = [{"prompt": p["question"], "content": f"It is {p['answer']}."} for p in problems[:3]]
    answers.append({"prompt": problems[3]["question"], "content": "It is 7."})
    for name, rows in (("problems", problems), ("answers", answers)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "p.yaml").write_text(pipeline)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Command]:
    folder = tmp_path_factory.mktemp("good")
    command = installed("good", folder)
    write_inputs(folder, PIPELINE)
    return folder, command


def test_a_pipeline_names_what_another_package_adds(good: tuple[Path, Command]) -> None:
    folder, factory = good
    ran = factory("run", "p.yaml", "--local", "--json")
    assert ran.returncode == 0, ran.stderr
    steps = {step["step"]: step for step in json.loads(ran.stdout)["steps"]}
    assert steps["shout"]["reasons"] == {"shouts": 1}
    release = json.loads(ran.stdout)["release"]["path"]
    rows = pl.read_parquet(f"{release}/data/*.parquet")
    assert rows.columns == ["ask", "say"]
    assert sorted(rows["say"]) == ["It is 0.", "It is 2.", "It is 4."], "the wrong answer is held back"
    exported = factory("export", release, "--to", "plain-text", "--out", str(folder / "out"))
    assert exported.returncode == 0, exported.stderr
    lines = next((folder / "out").glob("*.jsonl")).read_text().splitlines()
    assert len(lines) == 3


def test_the_schema_lists_them_and_a_wrong_field_is_refused(
    good: tuple[Path, Command],
) -> None:
    folder, factory = good
    listed = factory("schema").stdout
    assert "Rejects prompts that shout." in listed
    assert "ends-with" in listed
    assert "Exclamation marks from which on a prompt shouts." in factory("schema", "shout").stdout
    (folder / "wrong.yaml").write_text(PIPELINE.replace("marks: 2", "mark: 2"))
    ran = factory("plan", "wrong.yaml")
    assert ran.returncode == 2
    assert "stages[1].mark: unknown field, did you mean 'marks'" in ran.stderr


BROKEN = {
    "absent": "cannot be imported (ModuleNotFoundError",
    "nothing": "3 is no subclass of factory.core.stage.Stage",
    "unsaid": "the field Unsaid.bound has no docstring",
}


def test_what_cannot_be_used_is_refused_in_one_line_and_harms_nothing_else(tmp_path: Path) -> None:
    factory = installed("broken", tmp_path)
    for name, says in BROKEN.items():
        write_inputs(tmp_path, PIPELINE.replace("shout, marks: 2", name).replace("ends-with", "math"))
        ran = factory("plan", "p.yaml")
        assert (ran.returncode, len(ran.stderr.splitlines())) == (2, 1), ran.stderr
        assert says in ran.stderr, name
        assert "package 'factory-broken'" in ran.stderr, name
    listed = factory("schema").stdout
    assert "the name 'clean' is taken" in listed
    ours = PIPELINE.replace("shout, marks: 2", "clean").replace("ends-with", "math").replace("pair", "am")
    write_inputs(tmp_path, ours)
    assert factory("plan", "p.yaml").returncode == 0, "our own stages are as they were"
