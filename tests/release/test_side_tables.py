"""Tables that stand beside the rows of a step, on their way into a release."""

from __future__ import annotations

from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest

from factory.core import DamagedFile
from factory.release.store import Folder
from factory.release.versions import verify_release
from factory.stages.sampling.top_logprobs import TOP_LOGPROBS, TOP_LOGPROBS_SCHEMA
from tests.release.conftest import build
from tests.release.steps import make_steps
from tests.release.test_build import read


def test_tables_beside_the_rows_hold_the_released_completions_alone(tmp_path: Path) -> None:
    steps = make_steps(tmp_path / "steps", side_tables={TOP_LOGPROBS: TOP_LOGPROBS_SCHEMA})
    release = build(steps, tmp_path / "releases", max_shard_mb=1, shard_rows=10)
    beside = read(release, "top_logprobs/")
    wanted = [row["completion_id"] for row in read(release, "rows/")]
    assert sorted(row["completion_id"] for row in beside) == sorted(wanted)
    assert release.tables("top_logprobs/")[0].endswith("/train-00000-of-00003.parquet")
    assert not verify_release(release)
    found = datasets.load_dataset(release.url, TOP_LOGPROBS, split="train", cache_dir=str(tmp_path / "c"))
    assert found.features == datasets.Features.from_arrow_schema(TOP_LOGPROBS_SCHEMA)
    assert found[0]["top_token_ids"] == [[7, 9]]
    assert "| `top_logprobs/` | more about the same completions" in Folder(release.url).read_text("README.md")


def test_a_table_beside_the_rows_that_lost_rows_stops_the_release(tmp_path: Path) -> None:
    steps = make_steps(tmp_path / "steps", side_tables={TOP_LOGPROBS: TOP_LOGPROBS_SCHEMA})
    path, _ = next(step for step in steps if step.name == "sample").side_tables()[TOP_LOGPROBS][0]
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(DamagedFile, match="is not the file that was written"):
        build(steps, tmp_path / "releases")
