from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.text.repeated_windows import CorpusCounts, repeated_rows


def survey(shards, **options):
    whole = CorpusCounts(**options)
    for shard in shards:
        part = CorpusCounts(**options)
        part.add(pa.array(shard, pa.string()))
        whole.merge(part)
    return whole.repeated([whole.candidates(pa.array(shard, pa.string())) for shard in shards])


texts = st.lists(st.lists(st.sampled_from("abcd"), max_size=12).map(" ".join), max_size=12)


@settings(deadline=None)
@given(texts, st.integers(1, 4), st.integers(1, 3), st.integers(1, 4))
def test_agrees_with_a_plain_count(rows, n, limit, shards):
    grams = [[tuple(r.split()[i : i + n]) for i in range(len(r.split()) - n + 1)] for r in rows]
    counts = Counter(g for row in grams for g in row)
    # 16 counters only: strangers share them, and the second pass must part them again.
    strings = survey([rows[k::shards] for k in range(shards)], n=n, limit=limit, slots_log2=4)
    assert sorted(strings.counts.tolist()) == sorted(c for c in counts.values() if c > limit)
    found = {h["row"]: h for h in repeated_rows(pa.array(rows, pa.string()), strings=strings).to_pylist()}
    expected = {i: next(g for g in row if counts[g] > limit) for i, row in enumerate(grams)
                if any(counts[g] > limit for g in row)}  # fmt: skip
    assert set(found) == set(expected)
    for i, gram in expected.items():
        assert found[i]["count"] == counts[gram]
        assert tuple(rows[i][found[i]["span_start"] : found[i]["span_end"]].split()) == gram


def test_counts_stop_at_their_largest_value():
    strings = survey([["a b"] * 70_000], n=2, limit=65_000, slots_log2=4)
    assert strings.counts.tolist() == [70_000], "the second pass is exact"


def test_counts_of_other_settings_are_refused():
    with pytest.raises(ValueError, match="do not add up"):
        CorpusCounts(slots_log2=4).merge(CorpusCounts(slots_log2=5))
