"""Each rule stage, and the whole, as `factory run` runs them: from JSON lines to the last Parquet shard.

    python tests/bench/whole.py [--rows 100000] [--ray]

The prompts have 45 words and a reference; 14 % are exact copies, 14 % near copies, 6 % hold a benchmark item.
Bars: every stage 20,000 rows per worker second, both cores busy (CPU time over wall time of 1.6 on two),
1,000,000 rows in 100 s, under 4 GB, everything planted found. The baseline of a stage is the rate at which
Polars reads the same file and writes it as Parquet, in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.bench._report import figure, finish

WORDS, SHARD_ROWS = 45, 10_000
EXACT, NEAR, ITEM = 0.14, 0.28, 0.34
"""Upper ends of the shares of copies, near copies and benchmark items among the rows."""
STAGES = ("source", "clean", "dedup-exact", "dedup-fuzzy", "decontaminate")


def word(rng: random.Random) -> str:
    """A made-up word, so that two prompts share no phrase by chance."""
    return "".join(rng.choice("bcdfglmnprstv") + rng.choice("aeiou") for _ in range(rng.randint(2, 4)))


def write_inputs(folder: Path, rows: int) -> None:
    """`problems.jsonl` and `benchmark.jsonl`."""
    rng = random.Random(0)
    words = [word(rng) for _ in range(20_000)]
    items = [" ".join(rng.choices(words, k=40)) + f" {i} ?" for i in range(1000)]
    with (folder / "benchmark.jsonl").open("w") as out:
        out.writelines(json.dumps({"question": item}) + "\n" for item in items)
    fresh: list[str] = []
    with (folder / "problems.jsonl").open("w") as out:
        for _ in range(rows):
            kind = rng.random() if fresh else 1.0
            text = rng.choice(fresh) if kind < NEAR else " ".join(rng.choices(words, k=WORDS))
            if EXACT <= kind < NEAR:
                text = text.replace(" ", ", ", 2).capitalize() + "."
            elif NEAR <= kind < ITEM:
                text = f"{text} {rng.choice(items)}"
            elif kind >= ITEM:
                text += f" {rng.randrange(10**6)}"
                fresh.append(text)
            out.write(json.dumps({"question": text, "answer": str(rng.randrange(1000))}) + "\n")


def pipeline(folder: Path) -> Path:
    """The pipeline over these files."""
    path = folder / "whole.yaml"
    path.write_text(
        "pipeline: whole\nstages:\n"
        "  - type: source\n"
        f"    shard_rows: {SHARD_ROWS}\n"
        "    inputs:\n"
        "      - {files: problems.jsonl, columns: {prompt: question, reference: answer}, domain: math}\n"
        "  - type: clean\n  - type: dedup-exact\n  - type: dedup-fuzzy\n"
        "  - type: decontaminate\n"
        "    benchmarks: [{name: bench, files: benchmark.jsonl, columns: {text: question}}]\n"
    )
    return path


def polars_rate(folder: Path, rows: int) -> float:
    """Rows per CPU second of reading the file and writing it as Parquet."""
    began = time.process_time()
    pl.read_ndjson(folder / "problems.jsonl").write_parquet(folder / "plain.parquet", compression="zstd")
    return rows / (time.process_time() - began)


def run(folder: Path, rows: int, *, mode: str, arguments: list[str]) -> None:
    """One run of the command line, measured from outside."""
    workspace = folder / f"workspace-{mode}"
    command = [sys.executable, "-m", "factory", "run", str(pipeline(folder)), "--workspace", str(workspace)]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([*command, *arguments], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    base = round(polars_rate(folder, rows))
    for name in STAGES:
        receipts = next(workspace.glob(f"whole/steps/*-{name}-*")).glob("receipts/*.json")
        read = [json.loads(r.read_text()) for r in receipts]
        seconds, taken = sum(r["seconds"] for r in read), sum(r["rows_expected"] for r in read)
        rate = taken / max(seconds, 1e-9)
        figure(
            f"{mode}_{name}",
            round(rate),
            unit="rows/worker-s",
            baseline=base,
            bar=20_000,
            holds=rate >= 20_000,
        )
    bar = 100.0 * rows / 1e6 + 10
    figure(f"{mode}_wall", round(wall, 1), unit="s", baseline=None, bar=bar, holds=wall <= bar)
    if mode == "local":
        cores = min(2, os.cpu_count() or 1)
        busy = cpu / wall
        figure(
            "local_busy_cores",
            round(busy, 2),
            unit="cores",
            baseline=cores,
            bar=0.8 * cores,
            holds=busy >= 0.8 * cores,
        )
        peak = after.ru_maxrss / 1e6
        figure("local_peak_process", round(peak, 2), unit="GB", baseline=None, bar=4, holds=peak <= 4)


def main() -> None:
    """Runs without Ray, and with --ray on a cluster of this machine as well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--ray", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_inputs(folder, asked.rows)
        run(folder, asked.rows, mode="local", arguments=["--local"])
        if asked.ray:
            run(folder, asked.rows, mode="ray", arguments=[])
    finish()


if __name__ == "__main__":
    main()
