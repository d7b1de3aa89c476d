from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow.parquet as pq
import pytest

from factory.release.export import export
from factory.release.rewards import verifier_settings
from factory.release.versions import Release
from tests.release.conftest import build
from tests.release.steps import GRADED, Workspace, completions, problem

TESTS = '{"type": "code", "kind": "call", "entry_point": "add1", "tests": [{"args": [41], "expected": 42}]}'
RIGHT = {"math": "So it is \\boxed{2}.", "code": "```python\ndef add1(n):\n    return n + 1\n```"}
WRONG = {"math": "So it is \\boxed{3}.", "code": "```python\ndef add1(n):\n    return n + 2\n```"}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release of a math problem whose answer is 2, and a code problem with tests."""
    root = tmp_path_factory.mktemp("mixed")
    code = {**problem(2, text="Write add1."), "domain": "code", "tests": TESTS}
    rows = [*completions(problem(1), passes=1, n=1), *completions(code, passes=1, n=1)]
    rows[1]["reference"] = None
    work = Workspace(root / "steps")
    work.add("source", rows, [], schema=GRADED)
    return build(work.steps, root / "releases")


def imported(folder: Path) -> ModuleType:
    """The exported file as a trainer imports it: by its path, knowing nothing else."""
    spec = importlib.util.spec_from_file_location(f"reward_of_{folder.name}", folder / "reward.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def exported(mixed: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = {}
    for to in ("verl", "trl-grpo"):
        folder = tmp_path_factory.mktemp("out") / to
        done = export(mixed, to, str(folder))
        found[to] = (pq.read_table(done.files[0]).to_pylist(), imported(folder))
    yield found
    for _, module in found.values():
        module.REWARDS.close()


def test_verls_reward_function_scores_every_row(exported: dict[str, Any]) -> None:
    rows, module = exported["verl"]
    assert {row["ability"] for row in rows} == {"math", "code"}
    for row in rows:
        given = (row["data_source"], row["reward_model"]["ground_truth"], row["extra_info"])
        for said, wanted in ((RIGHT, 1.0), (WRONG, 0.0)):
            text = f"<think>\nhm\n</think>\n\n{said[row['ability']]}"
            score = module.compute_score(given[0], text, given[1], extra_info=given[2])
            assert score == wanted, f"{row['ability']}: {text}"


def test_verls_batch_manager_gets_a_list_in_order(exported: dict[str, Any]) -> None:
    rows, module = exported["verl"]
    infos = [row["extra_info"] for row in rows for _ in range(2)]
    texts = [said[row["ability"]] for row in rows for said in (WRONG, RIGHT)]
    scores = module.compute_score(data_sources=[""] * 4, solution_strs=texts, extra_infos=infos)
    assert scores == [0.0, 1.0, 0.0, 1.0]


def test_verls_own_reward_knows_the_name_of_math_rows(exported: dict[str, Any]) -> None:
    rows, _ = exported["verl"]
    named = {row["ability"]: row["data_source"] for row in rows}
    assert named["math"] == "lighteval/MATH"
    assert named["code"] in {row["extra_info"]["source"] for row in rows}


def test_trls_reward_function_takes_the_columns_of_the_rows(exported: dict[str, Any]) -> None:
    rows, module = exported["trl-grpo"]
    columns = {name: [row[name] for row in rows] for name in rows[0] if name != "prompt"}
    prompts = [row["prompt"] for row in rows]
    for said, wanted in ((RIGHT, 1.0), (WRONG, 0.0)):
        chat = [[{"role": "assistant", "content": said[row["domain"]]}] for row in rows]
        plain = [said[row["domain"]] for row in rows]
        for given in (chat, plain):
            assert module.reward(prompts=prompts, completions=given, **columns) == [wanted] * 2


def test_thinking_that_never_ends_earns_nothing_and_what_nobody_can_judge_is_not_scored(
    exported: dict[str, Any],
) -> None:
    _, module = exported["trl-grpo"]
    given = {"reference": ["2", None], "tests": [None, None], "domain": ["math", "math"]}
    texts = ["<think>\nIt is \\boxed{2}", "It is \\boxed{2}"]
    assert module.reward(completions=texts, prompts=["a", "b"], **given) == [0.0, None]


def test_a_reward_takes_the_verifiers_of_the_release_but_no_models(mixed: Release, tmp_path: Path) -> None:
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "pipeline.yaml").write_text(
        "stages:\n- type: verify\n  rule: any\n  verifiers:\n"
        "  - {type: math, relative_tolerance: 0.01}\n  - {type: judge, teacher: {type: http, model: m}}\n"
    )
    other = Release(str(folder), "v0001", mixed.manifest)
    verifiers, rule, left_out = verifier_settings(other)
    assert (verifiers, rule, left_out) == ([{"type": "math", "relative_tolerance": 0.01}], "any", ["judge"])
