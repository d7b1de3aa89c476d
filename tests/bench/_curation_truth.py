"""What curation must find on the real sets, and that shards do not change it."""

from __future__ import annotations

from collections import defaultdict
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
from _curation_dedup import decided, table_of
from _curation_inputs import benchmark_items, prompts, records
from _report import figure

from factory.stages.decontamination.gram_rule import GramRule
from factory.stages.decontamination.ngrams import NgramIndex
from factory.stages.decontamination.planted_copies import KINDS, plant
from factory.stages.dedup.exact import DedupExact
from factory.stages.dedup.fuzzy import DedupFuzzy

__all__ = ["run"]


def run() -> None:
    """All figures on real data."""
    _copies_of_math500()
    _uncheckable()
    _shards()


def _copies_of_math500() -> None:
    """Truth by plain Python sets: MATH train rows whose word 3-grams have a Jaccard of 0.8 with an item's."""
    items = [item for item in benchmark_items() if item[0] == "math500"]
    rows = [r["problem"] for r in records("math/deepscaler_math_train.json")]
    grams = [_word_grams(text) for _, _, text in items]
    where = defaultdict(list)
    for i, have in enumerate(grams):
        for gram in have:
            where[gram].append(i)
    truth = set()
    for row, text in enumerate(rows):
        have = _word_grams(text)
        for i in {i for gram in have for i in where.get(gram, ())}:
            if len(have & grams[i]) >= 0.8 * len(have | grams[i]):
                truth.add(row)
    found = set(NgramIndex.build(items).match(pa.array(rows))["row"].to_pylist())
    share = len(truth & found) / len(truth)
    figure("math500_copies_found", share, unit="share", baseline=len(truth), bar=1.0, holds=share == 1)
    figure("math_train_rows_flagged", len(found), unit="rows", baseline=len(rows), bar=None, holds=True)


def _word_grams(text: str) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[i : i + 3]) for i in range(max(1, len(words) - 2))}


def _uncheckable() -> None:
    items = benchmark_items()
    for name, rule in (
        ("8_words", GramRule(tokens="whitespace", short_items="unseen")),
        ("32_words", GramRule(n=32, tokens="whitespace", short_items="unseen")),
        ("default", GramRule()),
    ):
        counted = NgramIndex.build(items, rule=rule).uncheckable().num_rows
        short = sum(len(text.split()) < rule.n for _, _, text in items) if rule.short_items == "unseen" else 0
        figure(
            f"uncheckable_{name}", counted, unit="items", baseline=short, bar=short, holds=counted == short
        )


def _shards() -> None:
    """Exact, fuzzy and n-gram outcomes for 1, 2 and 7 shards."""
    rng = Random(1)
    texts = prompts()[:6000]
    texts += [made for t in texts[:1500] if (made := plant(t, kind=rng.choice(KINDS), rng=rng))]
    outcomes = [_outcome(texts, shards) for shards in (1, 2, 7)]
    same = sum(outcome == outcomes[0] for outcome in outcomes)
    sizes = "+".join(str(len(part)) for part in outcomes[0])
    figure("shard_counts_alike", same, unit=f"of 3 runs ({sizes} rows)", baseline=3, bar=3.0, holds=same == 3)


def _outcome(texts: list[str], shards: int) -> tuple[Any, ...]:
    cuts = np.array_split(np.arange(len(texts)), shards)
    table, column = table_of(texts), pa.array(texts)
    parts = [table.take(pa.array(c)) for c in cuts]
    stages = (DedupExact(), DedupFuzzy())
    kept = [pa.concat_tables(decided(stage, parts)[0])["origin"].to_pylist() for stage in stages]
    index = NgramIndex.build(benchmark_items())
    hits = [
        (int(c[h["row"]]), h["item_id"], h["span_end"])
        for c in cuts
        for h in index.match(column.take(pa.array(c))).to_pylist()
    ]
    return kept[0], kept[1], sorted(hits)
