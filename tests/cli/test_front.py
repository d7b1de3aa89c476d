"""The command line itself: wrong words, help, version, a first pipeline, texts that steer nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from factory.cli import main
from factory.cli.show import plain
from factory.pipeline import json_schema, load_pipeline
from factory.reference import reference_page
from factory.stages.sampling.sample import Sample

ROOT = Path(__file__).parent.parent.parent
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def factory(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["factory", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return call


WRONG = [
    (("rn",), "did you mean 'run'"),
    (("run",), "missing argument 'pipeline'"),
    (("run", "p.yaml", "--workspce", "w"), "no such option: --workspce"),
    (("plan", "p.yaml", "--limit", "0"), "'--limit'"),
    (("inspect", "p.yaml", "--rows", "many"), "'--rows'"),
    (("release",), "wanted a verb: list"),
    (("release", "lst", "p.yaml"), "did you mean 'list'"),
    (("export", "folder"), "missing option '--to'"),
    (("schema", "clena"), "did you mean 'clean'"),
    (("init", "nowhere.jsonl"), "does not exist"),
]


@pytest.mark.parametrize(
    ("words", "says"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_wrong_words_are_one_line_and_code_2(factory: Call, words: tuple[str, ...], says: str) -> None:
    code, _, err = factory(*words)
    assert (code, len(err.splitlines())) == (2, 1), err
    assert says in err.lower()
    assert "fault of the factory" not in err


def test_alone_it_shows_help_and_version_says_which(factory: Call) -> None:
    code, out, err = factory()
    assert (code, err) == (0, "")
    assert "run" in out
    code, out, _ = factory("--version")
    assert (code, out.split()[0]) == (0, "factory")


ROWS: dict[str, list[dict[str, Any]]] = {
    "math": [{"question": "What is 2 + 2?", "answer": "2 + 2 = 4\n#### 4"}],
    "code": [{"problem": "Double it.", "test_cases": "[]", "level": 3}],
    "chat": [{"messages": [{"role": "user", "content": "Hello"}]}],
}


@pytest.mark.parametrize("kind", ROWS)
def test_init_writes_a_pipeline_that_loads(factory: Call, tmp_path: Path, kind: str) -> None:
    data, out = tmp_path / "rows.jsonl", tmp_path / f"{kind}.yaml"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS[kind]))
    code, _, err = factory("init", str(data), "--out", str(out), "--base-url", "http://127.0.0.1:1/v1")
    assert code == 0, err
    pipeline = load_pipeline(out)
    assert any(isinstance(stage, Sample) for stage in pipeline.stages)
    verified = [stage for stage in pipeline.stages if stage.type == "verify"]
    assert len(verified) == (kind != "chat"), "only what has references or tests can be verified by rules"
    again, _, err = factory("init", str(data), "--out", str(out))
    assert again == 2
    assert "exists already" in err


def test_init_names_the_columns_where_none_looks_like_a_prompt(factory: Call, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"alpha": "What?", "beta": "So."}\n')
    code, _, err = factory("init", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "p.yaml"))
    assert code == 2
    assert "alpha, beta" in err


def test_no_text_of_a_row_steers_the_terminal() -> None:
    assert plain("\x1b[2Ja\x07\x9b1m[b]\u202e") == "␛[2Ja␇\ufffd1m[b]\ufffd"
    assert plain("a\tb\nc") == "a\tb\nc"


def test_the_committed_schema_and_reference_are_those_of_the_code() -> None:
    made = "run `make docs`"
    assert json.loads((ROOT / "pipelines" / "schema.json").read_text()) == json_schema(), made
    assert (ROOT / "docs" / "reference.md").read_text() == reference_page(), made
