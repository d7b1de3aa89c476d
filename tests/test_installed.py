"""The installed package alone: a wheel in an environment of its own, outside the repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.teachers.faulty import faulty
from tests.teachers.runs import ROOT


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an environment that has the wheel, and for the rest what is installed here."""
    folder = tmp_path_factory.mktemp("installed")
    pip = ["-m", "pip", "--quiet", "--disable-pip-version-check"]
    source = folder / "source"
    source.mkdir()
    for name in ("factory", "verifiers", "sandbox", "pyproject.toml", "README.md", "LICENSE"):
        (source / name).symlink_to(ROOT / name)
    built = [
        sys.executable,
        *pip,
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(folder),
        str(source),
    ]
    subprocess.run(built, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    [packages] = (folder / "venv" / "lib").glob("python*/site-packages")
    [wheel] = folder.glob("*.whl")
    (packages / "rest.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = str(folder / "venv" / "bin" / "python")
    words = [python, *pip, "install", "--no-deps", "--no-index", "--ignore-installed", str(wheel)]
    alone = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run(words, env=alone, check=True, capture_output=True)
    return folder / "venv" / "bin" / "factory"


def test_a_first_dataset_from_the_installed_package_alone(factory: Path, tmp_path: Path) -> None:
    rows = [{"uid": f"q{n}", "question": f"What is {n} plus {n}?", "answer": str(2 * n)} for n in range(8)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]))
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "FACTORY_WORKSPACE")}

    def call(*words: str) -> str:
        done = subprocess.run(
            [str(factory), *words], cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
        assert str(ROOT) not in done.stdout + done.stderr, "nothing of it lies in the repository"
        return done.stdout

    def right(number: int, body: dict[str, object]) -> tuple[str, int]:
        asked = str(body["messages"]).split("What is ")[-1].split()[0]
        return f"<think>twice</think>\n\nThe answer is \\boxed{{{2 * int(asked)}}}.", 9

    with faulty(words=right) as server:
        place = [str(factory.parent / "python"), "-c", "import factory; print(factory.__file__)"]
        asked = subprocess.run(place, cwd=tmp_path, env=clean, capture_output=True, text=True, check=True)
        assert str(factory.parent.parent) in asked.stdout, "the package that runs is that of the wheel"
        call("init", "mine.jsonl", "--teacher", "m", "--base-url", server.url)
        call("run", "pipeline.yaml", "--local")
        assert len(server.bodies) % 8 == 0, "eight problems are asked, the copy is not"
    shown = json.loads(call("inspect", "pipeline.yaml", "--json"))
    assert shown["rows"] > 0
    fates = {event["fate"] for event in json.loads(call("why", "mine.jsonl:9", "pipeline.yaml", "--json"))}
    assert "rejected" in fates, "the copy was cut, and its line says so"
    assert "kept" in {event["fate"] for event in json.loads(call("why", "q3", "pipeline.yaml", "--json"))}
    [release] = tmp_path.glob("workspace/*/releases/v0001")
    assert Path(call("report", str(release)).strip()).name == "report.html"
