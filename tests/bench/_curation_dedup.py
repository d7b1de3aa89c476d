"""The dedup stages as a pipeline runs them, in one process, for measurements."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from factory.core import PROBLEM_SCHEMA, GlobalStage, Resources, Site, problem_id
from factory.embeddings.vectors import Vectors
from factory.sameness.judgement import Problem
from factory.stages.dedup.fuzzy_pairs import SketchRows, spread_fuzzy_pairs
from factory.stages.dedup.judged import Outcome, keep_greedily
from factory.stages.dedup.lazy_calls import fixed_binary
from factory.stages.dedup.minhash import MinHashSearch, sketch
from factory.stages.dedup.pair_search import PairSearch
from factory.stages.dedup.pairs import Edges, PairStore
from factory.stages.dedup.semantic_pairs import spread_pairs

__all__ = ["SEARCH", "decided", "found_pairs", "fuzzy_outcome", "fuzzy_pairs_of", "in_process", "table_of"]

SEARCH = PairSearch(threshold=0.9, margin=0.1, flat_below=20_000)


def in_process(function: Any, calls: Any) -> Iterator[Any]:
    """Runs spread calls one after the other."""
    return (function(*call) for call in calls)


def fuzzy_pairs_of(texts: pa.Array) -> PairStore:
    """The pairs that fuzzy dedup proposes: sketches, bands, estimated Jaccard index, equal numbers."""
    search, rank = MinHashSearch(threshold=0.5, words=3), np.arange(len(texts))
    whole, rows = sketch(texts, search=search), SketchRows(search.bands)
    columns = {"signature": fixed_binary(whole.signatures), "keys": fixed_binary(whole.keys.T)}
    rows.add(pa.table(columns | {"numbers": whole.numbers}))
    pairs = PairStore(rank)
    for edges in spread_fuzzy_pairs(rows, rank=rank, search=search, new_from=0, spread=in_process):
        pairs.add(edges)
    return pairs


def fuzzy_outcome(texts: pa.Array) -> Outcome:
    """What fuzzy dedup makes of texts: each proposed pair is judged, and rows are kept greedily."""
    read = dict[int, Problem]()

    def problem(row: int) -> Problem:
        return read.get(row) or read.setdefault(row, Problem(texts[row].as_py()))

    return keep_greedily(fuzzy_pairs_of(texts), problem, fixed=0, doubtful="review")


def found_pairs(vectors: Vectors) -> Iterator[Edges]:
    """All pairs of rows whose cosine reaches 0.9, as semantic dedup searches them."""
    return spread_pairs(vectors, search=SEARCH, spread=in_process)


def table_of(texts: Sequence[str]) -> pa.Table:
    """Problems with these user turns."""
    rows = []
    for n, text in enumerate(texts):
        prompt = [{"role": "user", "content": text}]
        row = {"id": problem_id(prompt, "math"), "source": "s", "origin": f"s:{n + 1}", "domain": "math"}
        rows.append(row | {"prompt": prompt})
    return pa.Table.from_pylist(rows, PROBLEM_SCHEMA)


def decided(stage: GlobalStage, shards: Sequence[pa.Table]) -> tuple[list[pa.Table], pa.Table]:
    """The kept rows of each shard, and the decision."""
    with tempfile.TemporaryDirectory() as scratch:
        site = Site(resources=Resources(), cache_url=f"{scratch}/cache", journal_url=f"{scratch}/journal")
        with stage.open_survey(site) as survey:
            surveys = [survey(shard) for shard in shards]
        decision = stage.decide(surveys, site=site, spread=in_process)
    kept = []
    for number, shard in enumerate(shards):
        part = decision.filter(pa.compute.equal(decision["shard"], number))
        kept.append(stage.settle(shard, part).kept)
    return kept, decision
