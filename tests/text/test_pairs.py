from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from factory.embeddings.vectors import Vectors
from factory.stages.dedup.pair_search import PairSearch, assign, cluster_pairs, train_centroids
from factory.stages.dedup.pairs import Edges, PairStore
from factory.stages.dedup.semantic_pairs import spread_pairs

FLAT = PairSearch(threshold=0.9, margin=0.1, flat_below=20_000)
SOFT = PairSearch(threshold=0.9, margin=0.1, flat_below=0, cluster_rows=150)


def find_pairs(vectors, *, search, new_from=0):
    return spread_pairs(
        vectors, search=search, spread=lambda call, calls: (call(*c) for c in calls), new_from=new_from
    )


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
    clear = pair_set(find_pairs(vectors, search=FLAT))
    assert set(zip(*map(np.ndarray.tolist, np.nonzero(cosine > 0.9 + 1e-6)), strict=True)) <= clear
    assert clear <= set(zip(*map(np.ndarray.tolist, np.nonzero(cosine > 0.9 - 1e-6)), strict=True))
    assert len(clear) > 100, "the rows hold pairs to find"


def test_soft_clusters_find_what_the_flat_search_finds():
    vectors = Vectors.exact(clustered(3000))
    flat = pair_set(find_pairs(vectors, search=FLAT))
    soft = pair_set(find_pairs(vectors, search=SOFT))
    assert soft <= flat, "a cluster search invents no pair"
    assert len(soft) >= 0.99 * len(flat), f"{len(soft)} of {len(flat)} pairs"


@pytest.mark.parametrize("shards", [2, 7])
def test_any_number_of_shards_finds_the_same_pairs(shards):
    vectors = Vectors.quantised(clustered(2000))
    centroids = train_centroids(vectors, search=SOFT)
    cuts = np.linspace(0, 2000, shards + 1).astype(int).tolist()
    members = [
        assign(vectors.select(slice(a, b)), centroids, search=SOFT, first_row=a) for a, b in pairwise(cuts)
    ]
    rows, clusters, home = (
        np.concatenate([getattr(m, name) for m in members]) for name in ("rows", "clusters", "home")
    )
    spread = set()
    for cluster in range(centroids.shape[0] - 1, -1, -1):
        inside = np.flatnonzero(clusters == cluster)
        spread |= pair_set(
            cluster_pairs(vectors.select(rows[inside]), rows[inside], home[inside], threshold=0.9)
        )
    assert len(spread) > 100
    assert spread == pair_set(find_pairs(vectors, search=SOFT)), f"{shards} shards find other pairs"


def test_earlier_releases_are_compared_with_new_rows_only():
    vectors = Vectors.exact(clustered(1200))
    every = pair_set(find_pairs(vectors, search=FLAT))
    new = {pair for pair in every if pair[1] >= 900}
    for search in (FLAT, replace(SOFT, cluster_rows=1200)):
        assert pair_set(find_pairs(vectors, search=search, new_from=900)) == new


def test_pairs_come_by_later_row_the_most_alike_first_and_once():
    store = PairStore(np.array([3, 0, 1, 2]))
    for _ in range(2):
        store.add(Edges(np.array([0, 0, 1]), np.array([1, 2, 2]), np.array([0.7, 0.9, 0.8], np.float32)))
    found = [(later, heads, [round(s, 1) for s in scores]) for later, heads, scores in store.by_later()]
    assert found == [(1, [0], [0.8]), (3, [1, 0], [0.9, 0.7])]
    assert [later for later, _, _ in store.by_later(fixed=2)] == [3], "rows of earlier releases are not asked"


def test_pairs_on_disk_are_the_pairs_in_memory():
    rng = np.random.default_rng(3)
    left, right = np.sort(rng.choice(500, (4000, 2)), axis=1).T
    edges = Edges(left, right, rng.random(4000, np.float32)).where(left < right)
    outcomes = []
    for most in (10**6, 100):
        store = PairStore(np.arange(500), max_edges=most)
        for part in np.array_split(np.arange(edges.left.size), 50):
            store.add(Edges(edges.left[part], edges.right[part], edges.score[part]))
        outcomes.append(list(store.by_later()))
    assert outcomes[0] == outcomes[1]
