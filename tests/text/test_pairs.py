from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from factory.embeddings.vectors import Vectors
from factory.stages.dedup.audit import Audit
from factory.stages.dedup.greedy import GreedyKeep
from factory.stages.dedup.guards import NumberGuard, TailGuard
from factory.stages.dedup.pair_search import (
    Edges,
    PairSearch,
    assign,
    cluster_pairs,
    find_pairs,
    train_centroids,
)

SOFT = PairSearch(flat_below=0, cluster_rows=150)


def clustered(n, *, d=48, seed=0):
    """Half of the rows are near copies of others, at cosines around the threshold."""
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((n // 2, d)) + 2 * rng.standard_normal((20, d))[rng.integers(0, 20, n // 2)]
    copies = base[rng.integers(0, n // 2, n - n // 2)]
    copies = copies + rng.standard_normal(copies.shape) * rng.uniform(0, 0.9, (copies.shape[0], 1))
    return np.concatenate([base, copies])[rng.permutation(n)].astype(np.float32)


def pair_set(blocks):
    return {(a, b) for e in blocks for a, b in zip(e.left.tolist(), e.right.tolist(), strict=True)}


@pytest.mark.parametrize("kind", ["exact", "quantised"])
def test_flat_search_finds_exactly_the_pairs_over_the_threshold(kind):
    vectors = getattr(Vectors, kind)(clustered(1300))
    rows = vectors.take(slice(None)).astype(np.float64)
    cosine = np.triu(rows @ rows.T, 1)
    clear = pair_set(find_pairs(vectors, search=PairSearch()))
    assert set(zip(*map(np.ndarray.tolist, np.nonzero(cosine > 0.9 + 1e-6)), strict=True)) <= clear
    assert clear <= set(zip(*map(np.ndarray.tolist, np.nonzero(cosine > 0.9 - 1e-6)), strict=True))
    assert len(clear) > 100, "the rows hold pairs to find"


def test_soft_clusters_find_what_the_flat_search_finds():
    vectors = Vectors.exact(clustered(3000))
    flat = pair_set(find_pairs(vectors, search=PairSearch()))
    soft = pair_set(find_pairs(vectors, search=SOFT))
    assert soft <= flat, "a cluster search invents no pair"
    assert len(soft) >= 0.99 * len(flat), f"{len(soft)} of {len(flat)} pairs"


@pytest.mark.parametrize("shards", [2, 7])
def test_any_number_of_shards_keeps_the_same_rows(shards):
    vectors = Vectors.quantised(clustered(2000))
    rank = np.random.default_rng(1).permutation(2000)
    whole = GreedyKeep(rank)
    for edges in find_pairs(vectors, search=SOFT):
        whole.add(edges)
    centroids = train_centroids(vectors, search=SOFT)
    cuts = np.linspace(0, 2000, shards + 1).astype(int).tolist()
    members = [
        assign(vectors.select(slice(a, b)), centroids, search=SOFT, first_row=a) for a, b in pairwise(cuts)
    ]
    rows, clusters, home = (
        np.concatenate([getattr(m, name) for m in members]) for name in ("rows", "clusters", "home")
    )
    spread = GreedyKeep(rank)
    for cluster in range(centroids.shape[0] - 1, -1, -1):
        inside = np.flatnonzero(clusters == cluster)
        for edges in cluster_pairs(vectors.select(rows[inside]), rows[inside], home[inside], threshold=0.9):
            spread.add(edges)
    one, other = whole.finish(reason="semantic"), spread.finish(reason="semantic")
    assert one.removals.num_rows > 100
    assert one.removals.equals(other.removals), f"{shards} shards remove other rows"
    assert (one.clusters == other.clusters).all()


def test_earlier_releases_are_compared_with_new_rows_only():
    vectors = Vectors.exact(clustered(1200))
    every = pair_set(find_pairs(vectors, search=PairSearch()))
    new = {pair for pair in every if pair[1] >= 900}
    for search in (PairSearch(), PairSearch(flat_below=0, cluster_rows=1200)):
        assert pair_set(find_pairs(vectors, search=search, new_from=900)) == new


def test_greedy_keeps_what_is_like_no_kept_row():
    keep = GreedyKeep(np.array([0, 1, 2, 3]))
    keep.add(Edges(np.array([1, 0]), np.array([2, 1]), np.array([0.95, 0.91], np.float32)))
    kept = keep.finish(reason="semantic")
    (row,) = kept.removals.to_pylist()
    assert (row["row"], row["kept_row"], row["reason"]) == (1, 0, "semantic"), (
        "row 2 is like a removed row only"
    )
    assert row["score"] == pytest.approx(0.91)
    assert kept.clusters.tolist() == [0, 0, 0, 3], "the chain is one cluster all the same"
    assert kept.largest_share() == 0.75


def test_fixed_rows_stay_whatever_their_pairs():
    keep = GreedyKeep(np.arange(3))
    keep.add(Edges(np.array([0, 1]), np.array([1, 2]), np.array([0.99, 0.99], np.float32)))
    assert keep.finish(reason="semantic", fixed=2).removals["row"].to_pylist() == [2]


def test_pairs_on_disk_decide_as_pairs_in_memory(tmp_path):
    rng = np.random.default_rng(3)
    left, right = np.sort(rng.choice(500, (4000, 2)), axis=1).T
    edges = Edges(left, right, rng.random(4000, np.float32)).where(left < right)
    outcomes = []
    for most in (10**6, 100):
        keep = GreedyKeep(rng.permutation(500) * 0 + np.arange(500), max_edges=most, scratch=str(tmp_path))
        for part in np.array_split(np.arange(edges.left.size), 50):
            keep.add(Edges(edges.left[part], edges.right[part], edges.cosine[part]))
        outcomes.append(keep.finish(reason="semantic").removals)
    assert outcomes[0].equals(outcomes[1])


def test_audit_measures_a_search_that_misses_pairs():
    vectors = Vectors.exact(clustered(1500))
    audit, blind = Audit(1500, sample=400), Audit(1500, sample=400)
    for edges in find_pairs(vectors, search=PairSearch()):
        audit.observe(edges)
        blind.observe(edges.where(edges.left % 2 == 0))
    full, half = audit.report(vectors, threshold=0.9), blind.report(vectors, threshold=0.9)
    assert full.recall == 1.0
    assert full.pairs > 50
    assert half.pairs == full.pairs
    assert half.low < half.recall < 0.8, "a search that drops half of the pairs is found out"


def test_number_guard_stops_pairs_with_other_numbers():
    guard = NumberGuard.of(pa.array(["Tom has 5 apples", "Tom has five apples", "Tom has 6 apples"]))
    edges = Edges(np.array([0, 0]), np.array([1, 2]), np.ones(2, np.float32))
    assert guard.passes(edges).tolist() == [True, False]


def test_tail_guard_reads_what_the_model_did_not():
    passage = "the quick brown fox jumps over the lazy dog " * 3
    texts = [passage + "how many legs has the fox", passage + "who owns the very lazy dog", passage]
    tails = np.array([len(passage), len(passage), -1])
    guard = TailGuard(pa.array([*texts, texts[0] + "!"]), np.array([*tails, len(passage)]))
    edges = Edges(np.array([0, 0, 0]), np.array([1, 3, 2]), np.ones(3, np.float32))
    assert guard.passes(edges).tolist() == [False, True, False]
