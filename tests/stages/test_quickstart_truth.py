"""The planted copies, contaminated rows and broken lines of the quickstart, and nothing else, are cut."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from factory.core import GlobalStage, Stage
from factory.stages.decontamination.decontaminate import Decontaminate
from factory.stages.dedup.exact import DedupExact
from factory.stages.dedup.semantic import DedupSemantic
from factory.stages.prompts.clean import Clean
from factory.stages.source.source import Source
from tests.stages.tables import run_global, site

QUICKSTART = Path(__file__).parent.parent / "data" / "quickstart"


@pytest.mark.embedder
def test_every_planted_row_is_cut_by_its_stage_and_no_other_row_is(tmp_path: Path) -> None:
    truth = [json.loads(line) for line in (QUICKSTART / "truth.jsonl").read_text().splitlines()]
    wanted = {t["line"]: t["outcome"] for t in truth if t["outcome"] != "kept"}
    one = {
        "files": str(QUICKSTART / "problems.jsonl"),
        "columns": {"prompt": "question", "reference": "answer"},
    }
    source = Source.model_validate({"inputs": [one | {"domain": "math"}], "shard_rows": 64})
    flows = [flow for split in source.splits() for flow in source.read(split)]
    shards = [flow.kept for flow in flows]
    outcomes = reasons("source", [flow.rejected for flow in flows])
    bench = {"name": "quickstart-bench", "files": str(QUICKSTART / "benchmark.jsonl")}
    decontaminate = Decontaminate.model_validate({"benchmarks": [bench], "embedding": {}})
    for stage in (Clean(), DedupExact(), DedupSemantic(), decontaminate):
        shards, rejected = run(stage, shards, tmp_path)
        outcomes |= reasons(stage.type, rejected)
    assert outcomes == wanted
    assert sum(s.num_rows for s in shards) >= 100


def run(stage: Stage, shards: list[pa.Table], folder: Path) -> tuple[list[pa.Table], list[pa.Table]]:
    if isinstance(stage, GlobalStage):
        kept, rejected, _ = run_global(stage, shards, at=site(folder))
        return kept, rejected
    with stage.open(site(folder)) as apply:
        flows = [apply(shard) for shard in shards]
    return [f.kept for f in flows], [f.rejected for f in flows]


def reasons(stage: str, rejected: list[pa.Table]) -> dict[int, str]:
    rows = [row for table in rejected for row in table.to_pylist()]
    return {int(row["origin"].rpartition(":")[2]): f"{stage}:{row['reason']}" for row in rows}
