"""What verbs that look say: rejected rows of all steps, a row by any of its names, changed columns."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from factory.cli import main
from tests.teachers.faulty import faulty

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def factory(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["factory", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def write(folder: Path, stages: list[dict[str, Any]], **more: Any) -> None:
    rows = [
        {"uid": f"own-{n}", "number": n, "question": f"What is {n} + {n}?", "answer": f"{2 * n}"}
        for n in range(6)
    ]
    text = "".join(json.dumps(row) + "\n" for row in [*rows, {"uid": "long", "question": "x" * 300}])
    (folder / "problems.jsonl").write_text(text + '{"uid": "half\n')
    source = {
        "type": "source",
        "inputs": [{"files": "problems.jsonl", "columns": {"prompt": "question", "reference": "answer"}}],
    }
    content = {"pipeline": "looking", "stages": [source, *stages], "release": {"layout": "rows"}, **more}
    (folder / "p.yaml").write_text(yaml.safe_dump(content))


def test_rejected_rows_of_all_steps_and_a_row_by_any_of_its_names(factory: Call, tmp_path: Path) -> None:
    write(tmp_path, [{"type": "clean", "max_chars": 200}])
    assert factory("run", "p.yaml", "--local", "--json")[0] == 0
    for target in ("p.yaml", "workspace/looking/releases/v0001"):
        code, out, err = factory("inspect", target, "--rejected", "--json")
        assert (code, err) == (0, "")
        sample = json.loads(out)["sample"]
        assert {row["step"] for row in sample} == {"source", "clean"}, "rejected rows of every step are shown"
    for name in ("own-3", "problems.jsonl:4", "data/problems.jsonl:4", "3"):
        code, out, err = factory("why", name, "p.yaml", "--json")
        assert code == 0, err
        assert {event["origin"] for event in json.loads(out)} == {"problems.jsonl:4"}, f"{name} names one row"
    code, out, _ = factory("why", "problems.jsonl:8", "p.yaml", "--json")
    assert [event["step"] for event in json.loads(out)] == ["source"], "a line that is no row has a life too"


def test_diff_says_which_columns_changed(factory: Call, tmp_path: Path) -> None:
    write(tmp_path, [{"type": "clean"}])
    assert factory("run", "p.yaml", "--local", "--json")[0] == 0
    content = yaml.safe_load((tmp_path / "p.yaml").read_text())
    content["stages"][0]["inputs"][0]["license"] = "mit"
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(content))
    assert factory("run", "p.yaml", "--local", "--json")[0] == 0
    _, out, _ = factory("diff", *(f"workspace/looking/releases/v000{n}" for n in (1, 2)), "--json")
    found = json.loads(out)
    assert found["columns"] == {"license": len(found["changed"])}
    assert found["changed"]


def test_a_plan_before_the_first_run_tells_the_most_and_the_budget_it_is_above(
    factory: Call, tmp_path: Path
) -> None:
    with faulty() as server:
        caps = {
            "base_url": server.url,
            "token_budget": 100,
            "money_budget": 0.5,
            "price": {"prompt": 1, "completion": 90},
        }
        sample = {"type": "sample", "n": 2, "max_tokens": 1000, "teacher": {"type": "http", "model": "m"}}
        write(
            tmp_path,
            [sample, {"type": "verify", "verifiers": [{"type": "math"}]}],
            resources={"sample": caps},
        )
        code, out, err = factory("plan", "p.yaml", "--json")
        assert (code, err) == (0, "")
        assert json.loads(out)["steps"][1]["cost"] == {"completions": 16, "completion_tokens": 16_000}
        said = factory("plan", "p.yaml")[1]
    assert "sample: at most 16,000 tokens, above token_budget 100; the run stops there as incomplete" in said
    assert "sample: at most $1.44, above money_budget $0.50" in said
