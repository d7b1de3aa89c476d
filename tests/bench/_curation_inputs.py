"""Inputs of the curation benchmarks: real prompts and benchmark sets, and synthetic vectors and prompts."""

from __future__ import annotations

import gzip
import json
import os
import re
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa

__all__ = [
    "SYNTHETIC",
    "benchmark_items",
    "prompts",
    "records",
    "rephrased",
    "synthetic_prompts",
    "unit_rows",
]

SYNTHETIC = 1_000_000


def records(name: str) -> list[dict[str, str]]:
    """Rows of a JSON, JSONL or gzipped JSONL file under FACTORY_TEST_DATA/data."""
    path = Path(os.environ["FACTORY_TEST_DATA"]) / "data" / name
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return (
        json.loads(raw)
        if path.suffix == ".json"
        else [json.loads(line) for line in raw.decode().splitlines()]
    )


@cache
def prompts() -> list[str]:
    """Distinct training prompts: MATH train, GSM8K train, AIME 1983-2023, MBPP, code contests."""
    texts = [r["problem"] for r in records("math/deepscaler_math_train.json")]
    texts += [r["question"] for r in records("gsm8k/train.jsonl")]
    texts += [r["problem"] for r in records("aime/aime_1983_2023.json")]
    texts += [r["text"] for r in records("mbpp/mbpp.jsonl")]
    texts += [r["problem"] for r in records("code_contests/code_contests_test.json")]
    return list(dict.fromkeys(texts))


@cache
def benchmark_items() -> list[tuple[str, str, str]]:
    """(benchmark, item id, text) of MATH-500, GSM8K test, AIME 24 and 25, HumanEval, MBPP test."""
    sets = {
        "math500": [r["problem"] for r in records("math/deepscaler_math500.json")],
        "gsm8k": [r["question"] for r in records("gsm8k/test.jsonl")],
        "aime24": [r["problem"] for r in records("aime/aime24.json")],
        "aime25": [r["problem"] for r in records("aime/aime25.json")],
        "humaneval": [r["prompt"] for r in records("humaneval/HumanEval.jsonl.gz")],
        "mbpp": [r["text"] for r in records("mbpp/mbpp.jsonl")[10:510]],
    }
    return [(name, str(i), text) for name, texts in sets.items() for i, text in enumerate(texts)]


def rephrased() -> list[str]:
    """GSM8K's test problems in other words, row by row."""
    texts = [r["text"] for r in records("decontam_rephrased/rephrase_gsm8k.jsonl")]
    return [re.sub(r"^Question:\s*|\s*Answer:.*$", "", text, flags=re.DOTALL) for text in texts]


def unit_rows(n: int, *, d: int = 384, seed: int = 0) -> np.ndarray:
    """n vectors of length 1 from one population: 4,096 topics in themes in fields in domains, eight of each.

    Every fourth row is a copy of another at a cosine of 0.82 to 1. More rows are more of the same population,
    so that costs at different n compare.
    """
    rng = np.random.default_rng(seed)
    topics = np.zeros((4096, d), np.float32)
    for level in (8, 64, 512, 4096):
        part = rng.standard_normal((level, d), dtype=np.float32)
        topics += np.repeat(part / np.linalg.norm(part, axis=1, keepdims=True), 4096 // level, axis=0)
    topics /= np.linalg.norm(topics, axis=1, keepdims=True)
    out = np.empty((n, d), np.float32)
    for first in range(0, n, 40_000):
        block = out[first : first + 40_000]
        size = len(block)
        noise = rng.standard_normal((size, d), dtype=np.float32) * np.float32(0.9 / np.sqrt(d))
        block[:] = topics[rng.integers(0, len(topics), size)] + noise
        block /= np.linalg.norm(block, axis=1, keepdims=True)
        copies = np.arange(3, size, 4)
        source = out[rng.integers(0, first + size, copies.size) // 4 * 4]
        cosine = rng.uniform(0.82, 1, (copies.size, 1)).astype(np.float32)
        aside = rng.standard_normal((copies.size, d), dtype=np.float32)
        aside -= (aside * source).sum(axis=1, keepdims=True) * source
        aside /= np.linalg.norm(aside, axis=1, keepdims=True)
        block[copies] = source * cosine + aside * np.sqrt(1 - cosine**2)
    return out


def synthetic_prompts(n: int, *, seed: int = 0) -> pa.Array:
    """n prompts in the words of real ones: new numbers and two new words each; one in ten repeats another."""
    rng, base = Random(seed), prompts()
    words = sorted({w for text in base for w in re.findall(r"[a-z]{4,}", text)})
    out: list[str] = []
    for i in range(n):
        if i and rng.random() < 0.1:
            out.append(out[rng.randrange(i)] + rng.choice(["", " ", "\n", "!"]))
            continue
        text = re.sub(r"[0-9]+", lambda _: str(rng.randrange(1000)), rng.choice(base)[:600])
        parts = text.split(" ")
        for _ in range(max(2, len(parts) // 4)):
            parts[rng.randrange(len(parts))] = rng.choice(words)
        out.append(" ".join(parts))
    return pa.array(out, pa.large_string())
