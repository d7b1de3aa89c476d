"""Every wrong input gives one clear line and the right exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from factory.cli import main
from factory.storage.lease import lease

Content = dict[str, Any]


def good(folder: Path) -> Content:
    """A pipeline that runs, with its data beside it."""
    rows = [{"question": f"What is {i} + {i}?", "answer": str(2 * i)} for i in range(5)]
    (folder / "problems.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    source = {
        "type": "source",
        "inputs": [{"files": "problems.jsonl", "columns": {"prompt": "question", "reference": "answer"}}],
    }
    return {"pipeline": "table", "stages": [source, {"type": "clean"}], "release": {"layout": "rows"}}


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


def run_content(factory: Runner, folder: Path, content: Content, *words: str) -> Ran:
    (folder / "p.yaml").write_text(yaml.safe_dump(content))
    return factory("run", str(folder / "p.yaml"), "--local", "--workspace", str(folder / "w"), *words)


def unknown_stage(c: Content, _: Path) -> None:
    c["stages"][1]["type"] = "claen"


def misspelt_field(c: Content, _: Path) -> None:
    c["stages"][1]["max_char"] = 10


def wrong_type(c: Content, _: Path) -> None:
    c["stages"][1]["max_chars"] = "many"


def duplicate_stage(c: Content, _: Path) -> None:
    c["stages"].append({"type": "clean"})


def missing_data_file(c: Content, folder: Path) -> None:
    (folder / "problems.jsonl").unlink()


def wrong_column(c: Content, _: Path) -> None:
    c["stages"][0]["inputs"][0]["columns"]["prompt"] = "problem"


def empty_file(c: Content, folder: Path) -> None:
    (folder / "problems.jsonl").write_text("")


def only_broken_lines(c: Content, folder: Path) -> None:
    (folder / "problems.jsonl").write_text('{"question": \n{"question": \n')


def only_non_utf8(c: Content, folder: Path) -> None:
    (folder / "problems.jsonl").write_bytes(b'{"question": "\xff\xfe", "answer": "1"}\n')


def zero_rows_left(c: Content, _: Path) -> None:
    c["stages"][1]["max_chars"] = 1


def ten_megabyte_prompt(c: Content, folder: Path) -> None:
    (folder / "problems.jsonl").write_text(json.dumps({"question": "x" * 10_000_000, "answer": "1"}) + "\n")


def column_nobody_provides(c: Content, _: Path) -> None:
    c["stages"].append({"type": "length"})


def model_folder_missing(c: Content, folder: Path) -> None:
    c["stages"].append({"type": "sample", "teacher": {"type": "vllm", "model": str(folder / "no-model")}})
    c["release"]["verdicts"] = ["unverified"]


def release_of_the_unjudged(c: Content, _: Path) -> None:
    c["stages"].append({"type": "sample", "teacher": {"type": "http", "model": "m"}})


def release_of_what_only_forms_judged(c: Content, folder: Path) -> None:
    release_of_the_unjudged(c, folder)
    c["stages"].append({"type": "verify", "verifiers": [{"type": "length"}, {"type": "repetition"}]})


def release_of_an_unknown_verdict(c: Content, _: Path) -> None:
    c["release"]["verdicts"] = ["passed"]


def resources_of_nobody(c: Content, _: Path) -> None:
    c["resources"] = {"sampel": {"workers": 2}}


def no_source(c: Content, _: Path) -> None:
    del c["stages"][0]


def release_without_completions(c: Content, _: Path) -> None:
    c["release"]["layout"] = "am"


def stage_without_type(c: Content, _: Path) -> None:
    c["stages"].append({"max_chars": 3})


def bad_name(c: Content, _: Path) -> None:
    c["pipeline"] = "../elsewhere"


def unset_variable(c: Content, _: Path) -> None:
    c["stages"][0]["inputs"][0]["files"] = "${NO_SUCH_VARIABLE}/x.jsonl"


def missing_field(c: Content, _: Path) -> None:
    del c["stages"][0]["inputs"]


def mostly_broken_lines(c: Content, folder: Path) -> None:
    (folder / "problems.jsonl").write_text(
        '{"question": "What?", "answer": "1"}\n' + '{"question": \n' * 3 + "[]\n"
    )


TABLE: list[tuple[Callable[[Content, Path], None], int, str]] = [
    (unknown_stage, 2, "stages[1].type: unknown stage 'claen', did you mean 'clean'"),
    (misspelt_field, 2, "stages[1].max_char: unknown field, did you mean 'max_chars'"),
    (wrong_type, 2, "stages[1].max_chars: input should be a valid integer"),
    (duplicate_stage, 2, "stages[2]: a second 'clean' (the first is stages[1]); give one of them a `name`"),
    (missing_data_file, 2, "problems.jsonl"),
    (wrong_column, 2, "column 'problem' is in no row of"),
    (empty_file, 1, "holds no rows"),
    (only_broken_lines, 1, "kept 0 of 2 rows (broken_json 2)"),
    (only_non_utf8, 1, "kept 0 of 1 rows (not_utf8 1)"),
    (
        mostly_broken_lines,
        1,
        "4 of 5 lines are no rows (broken_json 3, no_object 1), above max_bad",
    ),
    (zero_rows_left, 1, "step 2 'clean': kept 0 of 5 rows (too_long 5)"),
    (ten_megabyte_prompt, 1, "kept 0 of 1 rows (line_too_long 1)"),
    (column_nobody_provides, 2, "step 3 'length' needs ['content'"),
    (model_folder_missing, 2, "no-model"),
    (resources_of_nobody, 2, "resources.sampel: no step has this name"),
    (no_source, 2, "step 1 'clean': the first step must be a 'source'"),
    (
        release_of_the_unjudged,
        2,
        "every row is unverified; add a 'verify' step, or say that it is meant: `release:",
    ),
    (release_of_what_only_forms_judged, 2, "step 'verify' checks the form alone (length, repetition)"),
    (release_of_an_unknown_verdict, 2, "release.verdicts[0]: input should be 'pass', 'fail', 'error'"),
    (release_without_completions, 2, "release: layout 'am' needs ['content']"),
    (stage_without_type, 2, "stages[2]: wanted a mapping with a 'type'"),
    (bad_name, 2, "pipeline: string should match pattern"),
    (unset_variable, 2, "the environment variable NO_SUCH_VARIABLE is not set"),
    (missing_field, 2, "stages[0].inputs: missing; this field is required"),
]


@pytest.mark.parametrize(("spoil", "code", "says"), TABLE, ids=[t[0].__name__ for t in TABLE])
def test_a_wrong_input_gives_one_clear_line_and_the_right_code(
    factory: Runner, tmp_path: Path, spoil: Callable[[Content, Path], None], code: int, says: str
) -> None:
    content = good(tmp_path)
    spoil(content, tmp_path)
    ran = run_content(factory, tmp_path, content)
    assert ran.code == code, f"exit code {ran.code}, wanted {code}: {ran.err}"
    lines = ran.err.splitlines()
    assert len(lines) == 1, f"one line, not a traceback: {ran.err}"
    assert says in lines[0], f"the line must say {says!r}"


def test_the_line_of_the_file_is_named(factory: Runner, tmp_path: Path) -> None:
    content = good(tmp_path)
    misspelt_field(content, tmp_path)
    ran = run_content(factory, tmp_path, content)
    number = next(
        n for n, text in enumerate((tmp_path / "p.yaml").read_text().splitlines(), 1) if "max_char:" in text
    )
    assert f"p.yaml:{number}: stages[1].max_char" in ran.err


FILES: list[tuple[str, bytes, str]] = [
    ("bad_yaml", b"pipeline: x\nstages: [\n", "not YAML"),
    ("duplicate_key", b"pipeline: x\npipeline: y\nstages: []\n", ":2: the key 'pipeline' stands twice"),
    ("non_utf8", b"pipeline: \xff\n", "not UTF-8 (byte 10)"),
    ("a_list", b"- type: clean\n", "wanted a mapping"),
    ("empty", b"", "wanted a mapping"),
]


@pytest.mark.parametrize(("name", "content", "says"), FILES, ids=[f[0] for f in FILES])
def test_a_wrong_file_gives_one_clear_line(
    factory: Runner, tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / "p.yaml").write_bytes(content)
    ran = factory("run", str(tmp_path / "p.yaml"), "--local", "--workspace", str(tmp_path / "w"))
    assert (ran.code, len(ran.err.splitlines())) == (2, 1), ran.err
    assert says in ran.err


def test_a_missing_pipeline_file_is_code_2(factory: Runner, tmp_path: Path) -> None:
    ran = factory("plan", str(tmp_path / "none.yaml"))
    assert ran.code == 2
    assert "no such file" in ran.err


def test_a_workspace_that_cannot_be_written_is_named(factory: Runner, tmp_path: Path) -> None:
    (tmp_path / "w").write_text("a file, not a folder")
    ran = run_content(factory, tmp_path, good(tmp_path))
    assert (ran.code, len(ran.err.splitlines())) == (1, 1), ran.err
    assert "cannot be written" in ran.err
    assert "--workspace" in ran.err, "the line says what to do next"


def test_a_workspace_in_use_is_refused_and_the_holder_is_named(factory: Runner, tmp_path: Path) -> None:
    with lease(str(tmp_path / "w" / "table")):
        ran = run_content(factory, tmp_path, good(tmp_path))
    assert (ran.code, len(ran.err.splitlines())) == (1, 1), ran.err
    assert "in use by another run (process" in ran.err


def test_one_broken_line_costs_one_row_and_its_file_and_line_are_told(
    factory: Runner, tmp_path: Path
) -> None:
    content = good(tmp_path)
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


def test_a_setting_that_is_no_setting_is_code_2(factory: Runner, tmp_path: Path) -> None:
    ran = run_content(factory, tmp_path, good(tmp_path), "--set", "clean.max_chars")
    assert ran.code == 2
    assert "wanted name=value" in ran.err
    ran = run_content(factory, tmp_path, good(tmp_path), "--set", "nobody.n=3")
    assert ran.code == 2
    assert "no step is called 'nobody'" in ran.err


def test_debug_shows_the_traceback(factory: Runner, tmp_path: Path) -> None:
    ran = factory("plan", str(tmp_path / "none.yaml"), "--debug")
    assert ran.code == 2
    assert "Traceback" in ran.err
