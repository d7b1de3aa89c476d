"""Every wrong input gives one clear line and the right exit code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from factory.api import load, run
from factory.cli import main
from factory.storage.lease import lease
from tests.wrong_inputs.cases import Case, Content, good, write
from tests.wrong_inputs.data import DATA
from tests.wrong_inputs.pipelines import ENVIRONMENTS, FILES, SETTINGS
from tests.wrong_inputs.words import RELEASES, WORDS

CASES: list[Case] = [*FILES, *SETTINGS, *ENVIRONMENTS, *DATA, *WORDS, *RELEASES]


@dataclass
class Ran:
    code: int
    out: str
    err: str


Runner = Callable[..., Ran]


@pytest.fixture
def factory(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Runner:
    def call(*words: str) -> Ran:
        monkeypatch.setattr("sys.argv", ["factory", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return Ran(int(ended.value.code or 0), out, err)

    return call


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a finished run and its release."""
    folder = tmp_path_factory.mktemp("released")
    write(folder)
    run(load(folder / "p.yaml", workspace=folder / "w"), local=True)
    return folder / "w"


def files_below(folder: Path) -> set[Path]:
    return {p.relative_to(folder) for p in folder.rglob("*") if p.is_file()} if folder.is_dir() else set()


def test_there_are_enough_of_them() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 150


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_wrong_input_gives_one_clear_line_and_the_right_code(
    case: Case,
    factory: Runner,
    tmp_path: Path,
    released: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in case.environment.items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    write(tmp_path)
    if case.released:
        shutil.copytree(released, tmp_path / "w")
    case.spoil(tmp_path)
    before = files_below(tmp_path)
    ran = factory(*case.words)
    assert ran.code == case.code, f"exit code {ran.code}, wanted {case.code}: {ran.err}{ran.out}"
    lines = ran.err.splitlines()
    assert len(lines) == 1, f"one line, not a traceback: {ran.err}"
    assert case.says.lower() in lines[0].lower(), f"the line must say {case.says!r}"
    assert lines[0].startswith("error: ")
    assert "fault of the factory" not in lines[0]
    assert "Traceback" not in ran.err + ran.out
    new = {str(path) for path in files_below(tmp_path) - before}
    written = [
        path for path in new if "/releases/" in path or path.startswith("out") or path.endswith("o.parquet")
    ]
    assert not written, f"left half done: {written}"
    if case.code == 2:
        assert not [path for path in new if "/steps/" in path], "what is refused before the run runs nothing"


def run_content(factory: Runner, folder: Path, content: Content, *words: str) -> Ran:
    if not (folder / "problems.jsonl").exists():
        write(folder)
    (folder / "p.yaml").write_text(yaml.safe_dump(content))
    return factory("run", str(folder / "p.yaml"), "--local", "--workspace", str(folder / "w"), *words)


def test_the_line_of_the_file_is_named(factory: Runner, tmp_path: Path) -> None:
    content = good()
    content["stages"][1]["max_char"] = 10
    ran = run_content(factory, tmp_path, content)
    number = next(
        n for n, text in enumerate((tmp_path / "p.yaml").read_text().splitlines(), 1) if "max_char:" in text
    )
    assert f"p.yaml:{number}: stages[1].max_char" in ran.err


def test_a_workspace_in_use_is_refused_and_the_holder_is_named(factory: Runner, tmp_path: Path) -> None:
    with lease(str(tmp_path / "w" / "table")):
        ran = run_content(factory, tmp_path, good())
    assert (ran.code, len(ran.err.splitlines())) == (1, 1), ran.err
    assert "in use by another run (process" in ran.err


def test_one_broken_line_costs_one_row_and_its_file_and_line_are_told(
    factory: Runner, tmp_path: Path
) -> None:
    content = good()
    write(tmp_path)
    with (tmp_path / "problems.jsonl").open("ab") as out:
        out.write(b'{"question": "half a li\n')
        out.write(b'{"question": "\xff", "answer": "1"}\n')
    ran = run_content(factory, tmp_path, content)
    assert ran.code == 0, ran.err
    assert "note: 2 lines of the input are no rows" in ran.out
    seen = factory(
        "inspect",
        str(tmp_path / "p.yaml"),
        "--workspace",
        str(tmp_path / "w"),
        "--step",
        "source",
        "--rejected",
        "--json",
    )
    evidence = [json.loads(r["evidence"]) for r in json.loads(seen.out)["sample"]]
    assert [(e["file"].rsplit("/", 1)[-1], e["line"]) for e in evidence] == [
        ("problems.jsonl", 6),
        ("problems.jsonl", 7),
    ]


def test_debug_shows_the_traceback(factory: Runner, tmp_path: Path) -> None:
    ran = factory("plan", str(tmp_path / "none.yaml"), "--debug")
    assert ran.code == 2
    assert "Traceback" in ran.err
