from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from factory.stages.dedup.keep_order import exact_duplicates, keep_rank
from factory.text.normalise import content_hash, hash_shard


def removed(texts, *, rank, shards=1):
    hashes = content_hash(pa.array(texts, pa.string()))
    shard = hash_shard(hashes, shards=shards).to_numpy()
    pairs = set()
    for s in range(shards):
        rows = np.flatnonzero(shard == s)
        table = exact_duplicates(hashes.take(pa.array(rows)), rank=rank[rows])
        pairs |= {(int(rows[r["row"]]), int(rows[r["kept_row"]])) for r in table.to_pylist()}
    return pairs


def test_higher_priority_is_kept_then_the_smaller_id():
    ids = pa.array(["d", "c", "b", "a"])
    rank = keep_rank(ids, priority=[[0, 0, 1, 0], [5, 9, 0, 5]])
    assert rank.tolist() == [3, 1, 0, 2], "first rule, then second rule, then id"


def test_one_row_of_each_group_stays_with_its_evidence():
    rank = keep_rank(pa.array(list("abcdef")), priority=[[0, 0, 0, 1, 0, 0]])
    assert removed(["x", "y", "X!"[0], "x", None, None], rank=rank) == {(0, 3), (2, 3)}


def test_the_outcome_does_not_depend_on_order_or_shards():
    rng = np.random.default_rng(0)
    texts = [f"text {v}" for v in rng.integers(0, 40, 200)]
    ids = [f"{v:04d}" for v in rng.permutation(200)]
    expected = None
    for shards in (1, 2, 7):
        order = rng.permutation(200)
        rank = keep_rank(pa.array([ids[i] for i in order]))
        pairs = removed([texts[i] for i in order], rank=rank, shards=shards)
        by_id = {(ids[order[a]], ids[order[b]]) for a, b in pairs}
        expected = by_id if expected is None else expected
        assert by_id == expected, f"{shards} shards in another order remove other rows"
    assert len(expected) == 200 - len(set(texts)), "one row per distinct text stays"


def test_ranks_must_match_the_hashes():
    with pytest.raises(ValueError, match="one rank per hash"):
        exact_duplicates(content_hash(pa.array(["a"])), rank=np.arange(2))
