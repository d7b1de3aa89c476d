"""How fast rows pass through the engine itself, and what a run costs that has nothing to do.

    python tests/bench/engine.py

Bars: 5,000 rows/s through two stages that do nothing, 100,000 rows, on a Ray cluster of this machine with its
start-up left out; a rerun with nothing to do within 1 s beyond the start-up of the command line. Baselines:
the rate of writing the same rows as Parquet three times without any engine; the time of `factory --help`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import ray

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from factory.engine.ray_executor import connect
from factory.engine.run import run
from factory.engine.steps import make_steps
from tests.bench._report import figure, finish
from tests.engine.noop import Numbers, Pass

ROWS, SHARD_ROWS = 100_000, 1000
PIPELINE = """
pipeline: nothing
stages:
  - type: source
    inputs: [{files: problems.jsonl, columns: {prompt: question, reference: answer}}]
  - type: clean
release: {layout: rows}
"""


def plain_rate(folder: Path) -> float:
    """Rows/s of writing every shard three times (a source and two steps) and nothing else."""
    started = time.monotonic()
    for shard in range(0, ROWS, SHARD_ROWS):
        table = pa.table({"id": pa.array(range(shard, shard + SHARD_ROWS), pa.int64())})
        for step in range(3):
            pq.write_table(table, folder / f"{step}-{shard}.parquet", compression="zstd")
    return ROWS / (time.monotonic() - started)


def engine_rate(folder: Path) -> float:
    """Rows/s of the same shards through source and two no-op steps, with receipts, on Ray."""
    connect("local")
    stages = [Numbers(rows=ROWS, shard_rows=SHARD_ROWS), Pass(), Pass(name="again")]
    warm = make_steps(
        [Numbers(rows=20), Pass()], resources={}, root=str(folder / "warm"), workspace=str(folder)
    )
    run(warm, root=str(folder / "warm"), run_id="warm", quiet=True)
    steps = make_steps(stages, resources={}, root=str(folder / "p"), workspace=str(folder))
    started = time.monotonic()
    manifests = run(steps, root=str(folder / "p"), run_id="bench", quiet=True).manifests
    seconds = time.monotonic() - started
    if manifests[-1]["rows_kept"] != ROWS:
        raise SystemExit(f"{manifests[-1]['rows_kept']} rows came out of {ROWS}")
    ray.shutdown()
    return ROWS / seconds


def command_s(*words: str, cwd: Path) -> float:
    """Best of three wall times of a command, in seconds."""
    times = []
    for _ in range(3):
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "factory", *words], cwd=cwd, check=True, capture_output=True)
        times.append(time.monotonic() - started)
    return min(times)


def rerun_s(folder: Path) -> tuple[float, float]:
    """Seconds of a rerun with nothing to do, and of the command line's start-up."""
    lines = "".join(f'{{"question": "What is {i} + 1?", "answer": "{i + 1}"}}\n' for i in range(5000))
    (folder / "problems.jsonl").write_text(lines)
    (folder / "p.yaml").write_text(PIPELINE)
    subprocess.run(
        [sys.executable, "-m", "factory", "run", "p.yaml", "--local"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return command_s("run", "p.yaml", cwd=folder), command_s("--help", cwd=folder)


def main() -> None:
    """Measures both figures."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "plain").mkdir()
        plain = plain_rate(folder / "plain")
        rate = engine_rate(folder)
        figure(
            "engine_rows_per_s",
            round(rate),
            unit="rows/s",
            baseline=round(plain),
            bar=5000,
            holds=rate >= 5000,
        )
        again, start_up = rerun_s(folder)
        extra = again - start_up
        figure(
            "rerun_beyond_start_up_s",
            round(extra, 2),
            unit="s",
            baseline=round(start_up, 2),
            bar=1.0,
            holds=extra <= 1.0,
        )
    finish()


if __name__ == "__main__":
    main()
