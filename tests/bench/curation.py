# ruff: noqa: E402 (the number of threads is set before the libraries that read it load)
"""Cost and quality of curation against peers and baselines, in the same run, in CPU-seconds of one thread.

`python tests/bench/curation.py [--only NAME]`, NAME one of fuzzy, decontaminate, search, scale, embed, truth,
million. Needs FACTORY_TEST_DATA; `fuzzy` needs rensa and datasketch, `decontaminate` needs datasets. Short
measurements are the best of three runs, on both sides.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from random import Random
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import _curation_truth
import numpy as np
import pyarrow as pa
from _curation_dedup import SEARCH, decided, found_pairs, fuzzy_outcome, fuzzy_pairs_of, table_of
from _curation_inputs import SYNTHETIC, benchmark_items, prompts, synthetic_prompts, unit_rows
from _curation_peers import datasketch, eight_grams, rensa, rensa_pairs
from _report import figure, finish

from factory.core import prompt_texts
from factory.embeddings.vectors import Vectors
from factory.stages.decontamination.gram_rule import GramRule
from factory.stages.decontamination.ngrams import NgramIndex
from factory.stages.decontamination.planted_copies import KINDS, plant
from factory.stages.dedup.exact import DedupExact
from factory.stages.dedup.fuzzy import DedupFuzzy
from factory.stages.dedup.pairs import Edges, PairStore
from factory.stages.dedup.semantic_audit import PairAudit
from factory.stages.prompts.clean import Clean


def spent(work: Callable[[], Any], *, runs: int = 1) -> tuple[Any, float]:
    """The result of some work and the CPU-seconds of its best run."""
    best, result = float("inf"), None
    for _ in range(runs):
        before = time.process_time()
        result = work()
        best = min(best, time.process_time() - before)
    return result, best


def at_least(name: str, value: float, bar: float, *, unit: str = "x", baseline: float | None = None) -> None:
    """A figure that must reach its bar."""
    figure(name, round(value, 5), unit=unit, baseline=baseline, bar=bar, holds=value >= bar)


def at_most(name: str, value: float, bar: float, *, unit: str, baseline: float | None = None) -> None:
    """A figure that must not pass its bar."""
    figure(name, round(value, 5), unit=unit, baseline=baseline, bar=bar, holds=value <= bar)


def noted(name: str, value: float, *, unit: str) -> None:
    """A figure without a bar."""
    figure(name, round(value, 5), unit=unit, baseline=None, bar=None, holds=True)


def child(task: str) -> str:
    """Runs a task in a process of its own, so that its peak memory is its own."""
    asked = [sys.executable, __file__, "--child", task]
    return subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True).stdout


def peak_gb() -> float:
    """Peak resident memory of this process."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


HARMLESS = {"verbatim": 1.0, "wrapped": 0.95, "typo": 0.7}
"""Planted kinds that change nothing, and the least share that must go; other kinds change words."""


def bench_fuzzy() -> None:
    """Pairs proposed by MinHash against rensa and datasketch; what the judgement makes of planted copies.

    The peers end where the judgement begins: they remove what they propose.
    """
    base, rng = prompts(), Random(0)
    texts, planted = list(base), []
    for kind in KINDS:
        for i in rng.sample(range(len(base)), 2000):
            made = plant(base[i], kind=kind, rng=rng)
            if made is not None:
                planted.append((kind, len(texts), i))
                texts.append(made)
    column = pa.array(texts)
    _, own = spent(lambda: fuzzy_pairs_of(column), runs=3)
    peers = (
        ("rensa", rensa, 1.0, 5, 7),
        ("rensa_pairs", rensa_pairs, 0.3, 5, 7),
        ("datasketch", datasketch, 0.2, 50, 1),
    )
    for name, peer, share, bar, runs in peers:
        part, cost = texts[: int(share * len(texts))], float("inf")
        for _ in range(runs):
            # In turns, so that a busy moment of the machine falls on both.
            cost = min(cost, spent(lambda peer=peer, part=part: peer(part))[1])
            own = min(own, spent(lambda: fuzzy_pairs_of(column))[1])
        at_least(f"fuzzy_pairs_vs_{name}", cost / share / own, bar, baseline=round(len(part) / cost))
    noted("fuzzy_pairs_rate", len(texts) / own, unit="rows/cpu-s")
    _judged_copies(base, column, planted)


def _judged_copies(base: list[str], column: pa.Array, planted: list[tuple[str, int, int]]) -> None:
    outcome, cost = spent(lambda: fuzzy_outcome(column))
    noted("fuzzy_pairs_judged", outcome.verdicts.total() / cost, unit="pairs/cpu-s")
    noted("fuzzy_rate_a_third_planted", len(column) / cost, unit="rows/cpu-s")
    real, alone = spent(lambda: fuzzy_outcome(pa.array(base)))
    noted("fuzzy_rate_real", len(base) / alone, unit="rows/cpu-s")
    noted("fuzzy_real_rows_removed", len(real.removed) / len(base), unit="share")
    for kind in KINDS:
        rows = {row: source for k, row, source in planted if k == kind}
        gone = sum(row in outcome.removed for row in rows) / len(rows)
        if kind == "number_changed":
            wrong = sum(row in outcome.removed and outcome.removed[row].like == rows[row] for row in rows)
            at_most("fuzzy_number_changed_removed", wrong, 0, unit="rows", baseline=len(rows))
        elif kind in HARMLESS:
            at_least(f"fuzzy_removed_{kind}", gone, HARMLESS[kind], unit="share")
        else:
            noted(f"fuzzy_removed_{kind}", gone, unit="share")
            review = sum(row in outcome.doubtful for row in rows) / len(rows)
            noted(f"fuzzy_in_review_{kind}", review, unit="share")


def bench_decontaminate() -> None:
    """The any-8-gram rule over whitespace words, against sets of n-grams through `datasets.map`."""
    from datasets import Dataset, disable_caching, disable_progress_bars

    disable_progress_bars()
    disable_caching()
    items, rows = benchmark_items(), prompts()
    column, rule = pa.array(rows), GramRule(tokens="whitespace", short_items="unseen")
    NgramIndex.build(items[:50], rule=rule).match(column.slice(0, 50))
    index, built = spent(lambda: NgramIndex.build(items, rule=rule), runs=3)
    hits, own = spent(lambda: index.match(column, min_coverage=0.0), runs=3)
    mine = set(zip(hits["row"].to_pylist(), hits["benchmark"].to_pylist(), strict=True))
    names = list(dict.fromkeys(benchmark for benchmark, _, _ in items))
    lookups = {name: {g for b, _, text in items if b == name for g in eight_grams(text)} for name in names}
    table = Dataset.from_dict({"problem": rows})

    def sets_of_ngrams() -> set[tuple[int, str]]:
        """One `map` per benchmark, a list of joined lower-case 8-grams per row: the published script."""
        found = set()
        for name, lookup in lookups.items():

            def mark(row: dict[str, str], lookup: set[str] = lookup) -> dict[str, bool]:
                return {"hit": any(gram in lookup for gram in eight_grams(row["problem"]))}

            found |= {(i, name) for i, hit in enumerate(table.map(mark)["hit"]) if hit}
        return found

    theirs, cost = spent(sets_of_ngrams)
    at_least("decontaminate_vs_sets", cost / own, 50, baseline=round(len(rows) / cost))
    at_most("decontaminate_differences", len(mine ^ theirs), 0, unit="rows", baseline=len(theirs))
    noted("decontaminate_rate", len(rows) / own, unit="rows/cpu-s")
    noted("decontaminate_index_build", len(items) / built, unit="items/cpu-s")


def bench_search() -> None:
    """100,000 vectors of 384 numbers against FAISS's flat range search (10,000 queries, times ten)."""
    import faiss

    n, asked = 100_000, 10_000
    rows = unit_rows(n)
    list(found_pairs(Vectors.exact(rows[:25_000])))
    found, own = spent(lambda: list(found_pairs(Vectors.exact(rows))))
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    (limits, _, other), cost = spent(lambda: index.range_search(rows[:asked], SEARCH.threshold))
    first = np.repeat(np.arange(asked), np.diff(limits.astype(np.int64)))
    truth = {(min(a, b), max(a, b)) for a, b in zip(first.tolist(), other.tolist(), strict=True) if a != b}
    lines = (zip(e.left.tolist(), e.right.tolist(), strict=True) for e in found)
    mine = {pair for line in lines for pair in line if pair[0] < asked}
    whole = cost * n / asked
    at_least("search_vs_flat", whole / own, 10, baseline=round(whole, 1))
    at_least("search_recall", len(truth & mine) / len(truth), 0.999, unit="share", baseline=len(truth))


def bench_scale() -> None:
    """Cost per row from 62,500 to 1,000,000 vectors, and the peak memory of the larger."""
    costs, peak = {}, 0.0
    for n in (62_500, 1_000_000):
        seconds, peak, recall, low, high = map(float, child(f"search:{n}").split())
        costs[n] = seconds / n
        noted(f"search_cost_{n}", costs[n] * 1e6, unit="cpu-us/row")
        noted(f"search_audit_{n}", recall, unit=f"share, 95% interval {low:.4f}..{high:.4f}")
    at_most("search_cost_growth", costs[1_000_000] / costs[62_500], 1.3, unit="x")
    at_most("search_peak_memory_1M", peak, 4, unit="GB")


def _child_search(n: int) -> None:
    list(found_pairs(Vectors.exact(unit_rows(25_000))))
    vectors = Vectors.exact(unit_rows(n))
    store, found = PairStore(np.arange(n)), list[Edges]()

    def whole() -> None:
        for edges in found_pairs(vectors):
            store.add(edges)
            found.append(edges)
        for _ in store.by_later():
            pass

    _, cost = spent(whole)
    peak = peak_gb()
    audit = PairAudit(vectors, threshold=SEARCH.threshold, sample=1000)
    audit.begin()
    for edges in found:
        audit.observe(edges)
    measured = audit.recall()
    print(cost, peak, measured.recall, measured.low, measured.high)


def bench_embed() -> None:
    """Token-budget batches against `SentenceTransformer.encode` with its defaults."""
    import torch

    from factory.embeddings.encode import Embedder

    torch.set_num_threads(1)
    texts, embedder = Random(2).sample(prompts(), 256), Embedder(device="cpu")
    model: Any = embedder._model
    embedder.encode_exact(pa.array(texts[:16]))
    (rows, _, _), own = spent(lambda: embedder.encode_exact(pa.array(texts)))
    plain, cost = spent(lambda: model.encode(texts, normalize_embeddings=True, show_progress_bar=False))
    at_least("embed_vs_default", cost / own, 1.4, baseline=round(len(texts) / cost, 1))
    at_least("embed_least_cosine", float((rows * plain).sum(axis=1).min()), 0.9999, unit="cosine")


def bench_truth() -> None:
    """What must be found on the real sets, for 1, 2 and 7 shards."""
    _curation_truth.run()


def bench_million() -> None:
    """1,000,000 synthetic prompts through clean, exact, fuzzy and the n-grams of decontamination."""
    seconds = {}
    for n in (SYNTHETIC // 10, SYNTHETIC):
        lines = [line.split() for line in child(f"million:{n}").splitlines()]
        values = {name: float(value) for name, value, _ in lines}
        seconds[n] = values["cpu_seconds"]
        for name, value, unit in lines:
            noted(f"prompts_{n}_{name}", float(value), unit=unit)
    at_most("million_peak_memory", values["peak_memory"], 4, unit="GB")
    at_most("million_growth", seconds[SYNTHETIC] / seconds[SYNTHETIC // 10], 12, unit="x")


def _child_million(n: int) -> None:
    texts = synthetic_prompts(n)
    shards = [table_of(texts.slice(at, 50_000).to_pylist()) for at in range(0, n, 50_000)]
    index = NgramIndex.build(benchmark_items())
    begun, cpu = time.perf_counter(), time.process_time()
    shards = [Clean().apply(shard).kept for shard in shards]
    shards, exact = decided(DedupExact(doubtful="keep"), shards)
    shards, fuzzy = decided(DedupFuzzy(), shards)
    hits = sum(index.match(prompt_texts(shard["prompt"])).num_rows for shard in shards)
    print("seconds", round(time.perf_counter() - begun, 1), "s")
    print("cpu_seconds", round(time.process_time() - cpu, 1), "cpu-s")
    print("peak_memory", round(peak_gb(), 2), "GB")
    print("removed_exact", exact.num_rows, "rows")
    print("removed_or_doubtful_fuzzy", fuzzy.num_rows, "rows")
    print("benchmark_hits", hits, "hits")


def main() -> None:
    """Runs all benchmarks, or the one that --only names."""
    benches = {name[6:]: work for name, work in globals().items() if name.startswith("bench_")}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(benches))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        name, _, size = chosen.child.partition(":")
        {"search": _child_search, "million": _child_million}[name](int(size))
        return
    for name, work in benches.items():
        if chosen.only in (None, name):
            work()
    finish()


if __name__ == "__main__":
    main()
