"""What `submit` sends is complete, or it is refused before anything is sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from factory.cli.run import packed_folder

PIPELINE = """
pipeline: sent
stages:
  - {type: source, inputs: [{files: p.jsonl, columns: {prompt: q, reference: a}}]}
release: {layout: rows}
"""


def test_the_folder_that_goes_up_holds_the_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here/in").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert packed_folder("in/p.yaml") == (str(tmp_path / "here"), "in/p.yaml")
    assert packed_folder("../there/p.yaml") == (str(tmp_path / "there"), "p.yaml")
    assert packed_folder(str(tmp_path / "hereafter/p.yaml")) == (str(tmp_path / "hereafter"), "p.yaml")


def test_a_variable_that_is_not_set_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(PIPELINE)
    (tmp_path / "p.jsonl").write_text('{"q": "What is 1 + 1?", "a": "2"}\n')
    words = [sys.executable, "-m", "factory", "submit", str(tmp_path / "p.yaml"), "--env", "NO_SUCH_NAME"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert "--env NO_SUCH_NAME: is not set" in done.stderr
