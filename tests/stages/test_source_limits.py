"""A source that reads only some of its rows, and says how many it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from factory.stages.source.source import Source
from tests.stages.test_source import ROWS, lines, read, source


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))


def several(folder: Path, *sizes: int, limits: tuple[int | None, ...] = (), **fields: Any) -> Source:
    """One input of each size, with limits of their own."""
    inputs = []
    for number, size in enumerate(sizes):
        path = folder / f"{number}.jsonl"
        path.write_bytes(lines(ROWS[:1] * size))
        inputs.append({"files": str(path), "columns": {"prompt": "q"}})
    for one, limit in zip(inputs, limits, strict=False):
        one |= {"limit": limit}
    return Source.model_validate({"inputs": inputs, "shard_rows": 4, **fields})


def counted(stage: Source) -> list[int]:
    """Rows read of each input."""
    kept, _ = read(stage)
    sources = kept["source"].to_pylist()
    return [sources.count(str(number)) for number in range(len(stage.inputs))]


def test_limit_takes_the_first_rows_over_all_files(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_bytes(lines(ROWS))
    kept, _ = read(source(tmp_path, limit=30))
    origins = kept["origin"].to_pylist()
    assert origins == [f"a.jsonl:{n}" for n in range(1, 26)] + [f"b.jsonl:{n}" for n in range(1, 6)]


def test_an_input_may_have_a_limit_of_its_own(tmp_path: Path) -> None:
    stage = several(tmp_path, 9, 9, 9, limits=(None, 2, 20), limit=5)
    assert counted(stage) == [5, 2, 5]
    assert stage.row_count() == 12


def test_a_preview_takes_each_input_in_its_share_and_one_row_at_least(tmp_path: Path) -> None:
    stage = several(tmp_path, 800, 200, 2)
    assert stage.row_count() == 1002
    assert counted(stage.preview(10)) == [8, 2, 1]
    assert counted(stage.preview(5000)) == [800, 200, 2]


def test_a_preview_keeps_to_the_limits(tmp_path: Path) -> None:
    stage = several(tmp_path, 800, 200, limit=100)
    assert counted(stage.preview(10)) == [5, 5]
