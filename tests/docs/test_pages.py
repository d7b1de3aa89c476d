"""The pages of the six jobs hold files and commands that work as they are written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.stages.models import judging
from tests.teachers.faulty import faulty

ROOT = Path(__file__).parent.parent.parent
JOBS = sorted((ROOT / "docs" / "jobs").glob("*.md"))
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = {
    "double": "```python\ndef double(n):\n    return 2 * n\n```",
    "square": "```python\nprint(int(input()) ** 2)\n```",
}


def answered(number: int, body: dict[str, object]) -> tuple[str, int]:
    """Right and wrong in turn: sums of the kind in the pages, and the two programs."""
    messages = body["messages"]
    assert isinstance(messages, list)
    asked = str(messages[-1]["content"])
    for word, program in PROGRAMS.items():
        if word in asked:
            return program, 20
    numbers = [int(found) for found in re.findall(r"\d+", asked)] or [0]
    total = {"holds": 36, "hold": 36, "left": 5, "far": 240, "all": 80}
    right = next((value for word, value in total.items() if word in asked), sum(numbers))
    return f"<think>I count.</think>The answer is \\boxed{{{right + number % 2}}}.", 12


@contextmanager
def endpoint_for(page: Path) -> Iterator[str]:
    """An endpoint that solves the problems of a page; for the one with a judge, one that grades as well."""
    if page.stem == "chat":
        with judging(lambda asked: 0.9 if "score" in asked else None) as judge:
            judge.grade = True
            yield judge.url
    else:
        with faulty(words=answered) as teacher:
            yield teacher.url


@pytest.mark.parametrize("page", JOBS, ids=lambda page: page.stem)
def test_what_a_page_says_works_as_written(page: Path, tmp_path: Path) -> None:
    ran = 0
    with endpoint_for(page) as url:
        environment = os.environ | {
            "BASE_URL": url,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }
        for kind, name, content in _BLOCK.findall(page.read_text()):
            if name:
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_text(content)
            elif kind == "bash":
                words = ["bash", "-euo", "pipefail", "-c", content]
                done = subprocess.run(
                    words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
                )
                assert done.returncode == 0, f"{content}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
                ran += content.count("factory ") + content.count("python ")
    assert ran, "a page of a job has commands"


def test_every_page_that_is_named_is_there() -> None:
    for page in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]:
        for target in re.findall(r"\]\(([^)#:]+\.md)", page.read_text()):
            assert (page.parent / target).exists(), (
                f"{page.relative_to(ROOT)} names {target}, which is not there"
            )
