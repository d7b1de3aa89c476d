"""References are tested before a token is spent, and verdicts are made anew without drawing one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from factory.cli import main
from tests.stages.models import Judging, judging

PROVES_NOTHING = json.dumps({"type": "code", "kind": "assert", "tests": ["assert True"]})
DOUBLES = json.dumps(
    {"type": "code", "kind": "call", "entry_point": "f", "tests": [{"args": [2], "expected": 4}]}
)
GOOD = [
    {"question": "What is 2 + 2?", "answer": "4", "domain": "math"},
    {"question": "Which one? A) 4 B) 5", "answer": "A", "domain": "math"},
    {"question": "Solve it.", "answer": "So x = 3.\n#### 1,234", "domain": "math"},
    {"question": "A third of it?", "answer": r"\frac{1}{3}", "domain": "math"},
    {"question": "Double it.", "answer": "def f(n):\n    return 2 * n", "tests": DOUBLES, "domain": "code"},
]


@dataclass
class Ran:
    code: int
    out: str
    err: str


Factory = Callable[..., Ran]


@pytest.fixture
def factory(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Factory:
    def call(*words: str) -> Ran:
        monkeypatch.setattr("sys.argv", ["factory", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return Ran(int(ended.value.code or 0), out, err)

    return call


def pipeline(folder: Path, rows: list[dict[str, Any]], *verifiers: dict[str, Any], url: str = "") -> str:
    (folder / "problems.jsonl").write_text("".join(json.dumps({"tests": None} | row) + "\n" for row in rows))
    columns = {"prompt": "question", "reference": "answer", "tests": "tests", "domain": "domain"}
    source = {"type": "source", "inputs": [{"files": "problems.jsonl", "columns": columns}], "shard_rows": 2}
    stages = [
        source,
        {"type": "clean"},
        {"type": "sample", "teacher": {"type": "http", "model": "small"}, "n": 2, "temperature": 1.0},
        {"type": "verify", "verifiers": list(verifiers)},
        {"type": "difficulty"},
        {"type": "select", "verdict": "any"},
    ]
    content = {
        "pipeline": "judged",
        "stages": stages,
        "release": {"layout": "rows", "verdicts": ["pass", "unverified"]},
        "resources": {"sample": {"base_url": url, "retries": 0}} if url else {},
    }
    path = folder / "p.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


def check(factory: Factory, path: str, *words: str) -> tuple[int, dict[str, Any]]:
    ran = factory("check", path, "--json", "--workspace", str(Path(path).parent / "w"), *words)
    return ran.code, json.loads(ran.out)


MATH = {"type": "math", "domains": ["math"]}
CODE = {"type": "code", "domains": ["code"], "packages": []}


def test_sound_references_pass_for_themselves_and_nothing_else_does(factory: Factory, tmp_path: Path) -> None:
    code, said = check(factory, pipeline(tmp_path, GOOD, MATH, CODE, {"type": "length"}))
    assert code == 0, said
    math, programs, length = said["verifiers"]
    assert (math["problems"], programs["problems"]) == (4, 1)
    assert length["skipped"] == "has no reference to go by"
    assert (said["problems"], said["of"]) == (5, "step 'source'")
    assert not (tmp_path / "w").exists(), "a check wrote into the workspace of a run"


def test_a_broken_reference_and_tests_that_prove_nothing_are_found(factory: Factory, tmp_path: Path) -> None:
    rows = [
        *GOOD,
        {"question": "Prove it.", "answer": "proof", "domain": "math"},
        {"question": "Any program.", "answer": "x = 1", "tests": PROVES_NOTHING, "domain": "code"},
    ]
    path = pipeline(tmp_path, rows, MATH, CODE)
    code, said = check(factory, path)
    math, programs = said["verifiers"]
    assert code == 1
    assert (math["fail_themselves"], math["unjudged"], math["accept_a_mutation"]) == (1, 1, 0)
    assert math["examples"][0]["origin"] == "problems.jsonl:6"
    assert (programs["fail_themselves"], programs["accept_a_mutation"]) == (0, 1)
    assert programs["examples"][0]["fault"] == "accepts a mutation"
    told = factory("check", path, "--workspace", str(tmp_path / "w"))
    assert told.code == 1
    assert "problems.jsonl:6 fails itself: reference 'proof'" in told.out


def test_problems_that_nobody_can_judge_are_counted_with_their_cause(
    factory: Factory, tmp_path: Path
) -> None:
    rows = [
        *GOOD,
        {"question": "Write a poem.", "answer": None, "domain": "chat"},
        {"question": "And a number?", "answer": None, "domain": "math"},
        {"question": "Sort it.", "answer": None, "tests": None, "domain": "code"},
    ]
    path = pipeline(tmp_path, rows, MATH, CODE, {"type": "length"})
    code, said = check(factory, path)
    assert code == 1, "problems that nobody judges are taken for fine"
    [untaken] = said["untaken"]
    assert (untaken["problems"], untaken["examples"][0]) == (3, "problems.jsonl:6")
    assert untaken["causes"] == {
        "math: the domain 'chat' is none of its own; code: the domain 'chat' is none of its own": 1,
        "math: there is no reference; code: the domain 'math' is none of its own": 1,
        "math: the domain 'code' is none of its own; code: there are no tests": 1,
    }
    told = factory("check", path, "--workspace", str(tmp_path / "w"))
    assert "3 problems" not in told.out
    assert "code: there are no tests" in told.out


@pytest.mark.parametrize(
    ("tests", "domain"),
    [
        ("[1, 2", "code"),
        (json.dumps({"type": "code", "kind": "dance", "tests": [1]}), "code"),
        (json.dumps({"some": "thing"}), "code"),
        (json.dumps({"type": "ifeval", "instructions": [{"id": "keywords:none_such"}]}), "instruct"),
        (json.dumps({"type": "ifeval", "instructions": [{"id": "keywords:existence"}]}), "instruct"),
    ],
)
def test_tests_that_cannot_be_read_are_found_before_a_token_is_spent(
    tests: str, domain: str, factory: Factory, tmp_path: Path
) -> None:
    rows = [*GOOD, {"question": "Do it.", "answer": None, "tests": tests, "domain": domain}]
    followed = {"type": "ifeval", "domains": ["instruct"]}
    code, said = check(factory, pipeline(tmp_path, rows, MATH, CODE, followed))
    assert code == 1, "tests that cannot be read are counted as fine"
    [found] = [one for one in said["verifiers"] if one["unusable"]]
    assert found["verifier"] == ("code" if domain == "code" else "ifeval")
    [cause] = found["causes"]
    assert cause, "the cause is not named"
    assert found["examples"][0]["origin"] == "problems.jsonl:6"


def test_reads_no_more_rows_than_asked(factory: Factory, tmp_path: Path) -> None:
    code, said = check(factory, pipeline(tmp_path, GOOD, MATH), "--rows", "3")
    assert (code, said["problems"]) == (0, 3)


def test_a_pipeline_without_a_verifier_has_nothing_to_check(factory: Factory, tmp_path: Path) -> None:
    path = pipeline(tmp_path, GOOD, MATH)
    content = yaml.safe_load(Path(path).read_text())
    content["stages"] = content["stages"][:3]
    content["release"] = None
    Path(path).write_text(yaml.safe_dump(content))
    assert factory("check", path).code == 2


@pytest.fixture
def teacher() -> Iterator[Judging]:
    with judging(lambda message: 1.0) as endpoint:
        yield endpoint


@pytest.fixture
def released(factory: Factory, teacher: Judging, tmp_path: Path) -> tuple[str, Path]:
    """A pipeline that has drawn and released, and its workspace."""
    path = pipeline(tmp_path, GOOD[:4], {"type": "length"}, url=teacher.url)
    ran = factory("run", path, "--local", "--json", "--workspace", str(tmp_path / "w"))
    assert ran.code == 0, ran.err
    assert len(teacher.bodies) == 8
    return path, tmp_path / "w"


SHORTER = "verify.verifiers=[{type: length, max_answer_chars: 400}]"


def test_another_verifier_makes_a_new_version_and_draws_nothing(
    factory: Factory, teacher: Judging, released: tuple[str, Path]
) -> None:
    path, workspace = released
    words = ("--local", "--json", "--workspace", str(workspace), "--set", SHORTER)
    ran = factory("reverify", path, *words)
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["release"]["version"] == "v0002"
    assert len(teacher.bodies) == 8, "a completion was drawn"
    manifest = json.loads((workspace / "judged/releases/v0002/manifest.json").read_text())
    assert manifest["counts"]["rows"] == 4
    assert (workspace / "judged/releases/v0001/manifest.json").exists()
    again = json.loads(factory("reverify", path, *words).out)["release"]
    assert (again["version"], again["new"]) == ("v0002", False), "the same verdicts made a third version"


def test_the_step_before_sampling_is_checked_where_it_is_finished(
    factory: Factory, released: tuple[str, Path]
) -> None:
    path, workspace = released
    ran = factory(
        "check", path, "--json", "--workspace", str(workspace), "--set", "verify.verifiers=[{type: math}]"
    )
    said = json.loads(ran.out)
    assert (said["of"], said["problems"], said["verifiers"][0]["problems"]) == ("step 'clean'", 4, 4)


@pytest.mark.parametrize("change", ["sample.n=3", "clean.max_chars=40", "source.limit=2"])
def test_refuses_what_would_draw_and_runs_nothing(
    change: str, factory: Factory, teacher: Judging, released: tuple[str, Path]
) -> None:
    path, workspace = released
    before = sorted(str(p) for p in workspace.rglob("*"))
    ran = factory(
        "reverify", path, "--local", "--workspace", str(workspace), "--set", SHORTER, "--set", change
    )
    assert ran.code == 1
    assert "step 3 'sample': would draw completions" in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert len(teacher.bodies) == 8
    assert sorted(str(p) for p in workspace.rglob("*")) == before


def test_a_release_is_judged_anew_by_its_folder(
    factory: Factory, teacher: Judging, released: tuple[str, Path]
) -> None:
    path, workspace = released
    folder = str(workspace / "judged" / "releases" / "v0001")
    own = factory("reverify", folder, "--local", "--set", SHORTER)
    assert own.code == 2
    assert "--pipeline" in own.err, "its copy of the pipeline names files relative to another place"
    ran = factory("reverify", folder, "--pipeline", path, "--local", "--json", "--set", SHORTER)
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["of"] == "v0001"
    assert json.loads(ran.out)["release"]["version"] == "v0002"
    assert len(teacher.bodies) == 8
    other = factory("reverify", folder, "--pipeline", path, "--local", "--set", "sample.n=3")
    assert other.code == 1
    assert "stands on other completions" in other.err


def test_before_the_first_run_there_is_nothing_to_judge_anew(factory: Factory, tmp_path: Path) -> None:
    path = pipeline(tmp_path, GOOD[:4], {"type": "length"}, url="http://127.0.0.1:9/v1")
    ran = factory("reverify", path, "--local", "--workspace", str(tmp_path / "w"))
    assert ran.code == 1
    assert "would draw completions (new step)" in ran.err
