"""Small tables of problems and completions for the tests of stages."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from factory.core import COMPLETION_COLUMNS, PROBLEM_SCHEMA, GlobalStage, Resources, Site, problem_id


def problems(texts: Sequence[str], **columns: Sequence[Any]) -> pa.Table:
    """Problems with these user turns; other columns by keyword, one value per row."""
    rows = []
    for n, text in enumerate(texts):
        prompt = [{"role": "user", "content": text}]
        row = {"source": "s", "origin": f"s.jsonl:{n + 1}", "domain": "math", "prompt": prompt}
        row |= {name: values[n] for name, values in columns.items()}
        rows.append({"id": problem_id(prompt, str(row["domain"])), **row})
    return pa.Table.from_pylist(rows, PROBLEM_SCHEMA)


def completions(rows: Sequence[dict[str, Any]], *, extra: Sequence[pa.Field] = ()) -> pa.Table:
    """Completions; a row says what differs from a finished one of the problem `p`."""
    schema = pa.schema([*PROBLEM_SCHEMA, *COMPLETION_COLUMNS, *extra])
    base = {
        "id": "p",
        "domain": "math",
        "prompt": [{"role": "user", "content": "What is 2 + 3?"}],
        "reference": "5",
        "teacher": "t",
        "content": "The answer is 5.",
        "finish_reason": "stop",
        "completion_tokens": 6,
    }
    full = [{**base, "completion_id": f"c{n}", "sample_index": n, **row} for n, row in enumerate(rows)]
    return pa.Table.from_pylist(full, schema)


def site(folder: object) -> Site:
    """A site with its cache and journal below `folder`."""
    return Site(resources=Resources(), cache_url=f"{folder}/cache", journal_url=f"{folder}/journal")


def run_global(
    stage: GlobalStage, shards: Sequence[pa.Table], *, at: Site
) -> tuple[list[pa.Table], list[pa.Table], pa.Table]:
    """Kept and rejected rows per shard, and the decision, as the engine gets them."""
    with stage.open_survey(at) as survey:
        surveys = [survey(shard) for shard in shards]
    decision = stage.decide(surveys, site=at, spread=spread_as_pickles)
    kept, rejected = [], []
    for number, shard in enumerate(shards):
        part = decision.filter(pa.compute.equal(decision["shard"], number))
        flow = stage.settle(shard, part)
        kept.append(flow.kept)
        rejected.append(flow.rejected)
    return kept, rejected, decision


def spread_as_pickles(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
    """Runs calls here, but takes function, arguments and result through pickle, as a cluster does."""
    for call in calls:
        there, given = pickle.loads(pickle.dumps((function, call)))
        yield pickle.loads(pickle.dumps(there(*given)))
