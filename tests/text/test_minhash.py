from __future__ import annotations

from random import Random

import numpy as np
import pyarrow as pa
import pytest

from factory.stages.decontamination.planted_copies import KINDS, plant
from factory.stages.dedup.minhash import MinHashSearch, fuzzy_pairs, sketch

WORDS = [f"{a}{b}{c}" for a in "bdfgkl" for b in "aeiou" for c in ("mnor", "stan", "pel", "rint")]


def sentences(n, *, seed=0):
    rng = Random(seed)
    return [
        " ".join([*rng.choices(WORDS, k=30), str(rng.randrange(1000)), *rng.choices(WORDS, k=9), "end."])
        for _ in range(n)
    ]


def pairs(texts, *, rank=None, search=None, **options):
    search = search or MinHashSearch(threshold=0.5, words=3)
    sketches = sketch(pa.array(texts, pa.string()), search=search)
    rank = np.arange(len(texts)) if rank is None else rank
    found = [
        (int(a), int(b))
        for e in fuzzy_pairs(sketches, rank=rank, search=search, **options)
        for a, b in zip(e.left, e.right, strict=True)
    ]
    return set(found)


def test_finds_copies_and_leaves_number_changes():
    base, rng = sentences(150), Random(1)
    texts, kinds, source = list(base), [], []
    for kind in KINDS:
        for i in range(60):
            made = plant(base[i], kind=kind, rng=rng)
            texts.append(made)
            kinds.append(kind)
            source.append(i)
    found = pairs(texts)
    for kind in KINDS:
        rows = [r for r, k in enumerate(kinds) if k == kind]
        share = sum((source[r], 150 + r) in found for r in rows) / len(rows)
        bar = share == 0 if kind == "number_changed" else share >= 0.95
        assert bar, f"{kind}: {share:.2f} of the copies are found"
    assert not {p for p in found if p[1] < 150}, "unrelated texts are no pair"


def test_the_estimate_is_close_to_the_true_jaccard():
    search = MinHashSearch(threshold=0.05, words=3)
    one = sentences(80)
    other = [" ".join(t.split()[: 20 + k % 20]) for k, t in enumerate(one)]
    sketches = sketch(pa.array([*one, *other]), search=search)
    errors = []
    for k, (a, b) in enumerate(zip(one, other, strict=True)):
        sets = [{tuple(w[i : i + 3]) for i in range(len(w) - 2)} for w in (a.split(), b.split())]
        true = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
        errors.append(float((sketches.signatures[k] == sketches.signatures[80 + k]).mean()) - true)
    assert abs(np.mean(errors)) < 0.02, "the estimate has no bias"
    assert np.sqrt(np.mean(np.square(errors))) < 0.06, "its error is that of 128 minima"


def test_texts_without_words_are_no_copies_and_short_texts_are_compared_whole():
    assert pairs(["", "?!", None, "two words", "Two, words!", "two wordz"]) == {(3, 4)}


def test_bands_over_workers_find_what_one_finds():
    texts = [t for t in sentences(60) for _ in range(3)]
    whole = pairs(texts)
    spread = [pairs(texts, bands=range(8 * w, 8 * w + 8)) for w in range(4)]
    assert set().union(*spread) == whole
    assert len(whole) == 180


def test_large_buckets_propose_bounded_pairs_that_lead_to_the_best_row():
    texts = sentences(1) * 2000
    rank = np.random.default_rng(0).permutation(2000)
    found = pairs(texts, rank=rank)
    best = int(np.argmin(rank))
    assert sum(best in pair for pair in found) == 1999
    assert len(found) <= 2000 * 64


@pytest.mark.parametrize("seed", [0, 1])
def test_order_does_not_change_what_is_proposed(seed):
    base, rng = sentences(80, seed=seed), Random(seed)
    texts = (
        base
        + [plant(t, kind="typo", rng=rng) for t in base]
        + [plant(t, kind="edited", rng=rng) for t in base]
    )
    expected = None
    for turn in (1, 2, 7):
        order = np.random.default_rng(turn).permutation(len(texts))
        found = pairs([texts[i] for i in order], rank=order)
        named = {tuple(sorted((int(order[a]), int(order[b])))) for a, b in found}
        expected = expected or named
        assert named == expected, f"order {turn}"


def test_earlier_releases_are_not_compared_with_each_other():
    texts = sentences(1) * 4
    assert pairs(texts, new_from=3) == {(0, 3), (1, 3), (2, 3)}


def test_copies_in_a_crowd_of_like_texts_are_found():
    crowd = [f"write a function to find the {w} of the given array" for w in WORDS]
    assert len(crowd) > 100
    texts = [crowd[5], *crowd, crowd[5]]
    assert (0, len(texts) - 1) in pairs(texts), "a crowded bucket does not hide a copy"
