"""Whole runs of a pipeline file in a process of their own, and what they leave on disk."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl

__all__ = ["ROOT", "finish", "journalled", "rows_of", "start", "write_problems"]

ROOT = Path(__file__).parent.parent.parent


def start(pipeline: Path, *options: str) -> subprocess.Popen[str]:
    """`factory run` of a pipeline file, its workspace beside it."""
    words = ["run", str(pipeline), "--workspace", str(pipeline.parent / "w"), "--json", *options]
    return subprocess.Popen(
        [sys.executable, "-m", "factory", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(pipeline: Path, *options: str) -> tuple[int, str, str]:
    """A run to its end: exit code, standard output, standard error."""
    run = start(pipeline, *options)
    out, err = run.communicate(timeout=300)
    return run.returncode, out, err


def journalled(pipeline: Path) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """Whole lines of all journals of a pipeline file's workspace, by problem and sample index."""
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for segment in sorted((pipeline.parent / "w").rglob("journal/*/*.jsonl")):
        for line in segment.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                record = json.loads(line)
                found.setdefault((record["problem"], record["index"]), []).append(record)
    return found


def rows_of(pipeline: Path, step: str, part: str = "shards") -> pl.DataFrame:
    """Kept (`shards`) or `rejected` rows of a step that was run once."""
    [folder] = (pipeline.parent / "w").glob(f"*/steps/*-{step}-*")
    return pl.read_parquet(folder / part / "*.parquet")


def write_problems(path: Path, count: int) -> None:
    """A file of problems whose references are right."""
    lines = [{"question": f"What is {n} plus {n}?", "answer": str(2 * n)} for n in range(count)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
