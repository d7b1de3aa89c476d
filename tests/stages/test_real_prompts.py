"""The filters' defaults over real prompts: what is rejected there is a good prompt lost."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from factory.stages.prompts.clean import Clean
from factory.stages.prompts.prompt_filters import PromptFilters
from tests.stages.tables import problems

MOST = 0.001


def real_prompts(data: Path) -> Iterator[tuple[str, list[str]]]:
    """(name, prompts) of each public set."""

    def rows(name: str) -> list[dict[str, str]]:
        path = data / name
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = raw.decode().splitlines()
        found = json.loads(raw) if path.suffix == ".json" else [json.loads(line) for line in lines if line]
        return list(found)

    yield "gsm8k", [r["question"] for part in ("train", "test") for r in rows(f"gsm8k/{part}.jsonl")]
    yield (
        "math",
        [
            r["problem"]
            for n in ("train", "500")
            for r in rows(f"math/deepscaler_math{'_' * (n == 'train')}{n}.json")
        ],
    )
    yield "mbpp", [r["text"] for r in rows("mbpp/mbpp.jsonl")]
    yield "college_math", [r["question"] for r in rows("college_math/test.jsonl")]
    agieval = [r for part in ("logiqa_en", "sat_math") for r in rows(f"agieval/{part}.jsonl")]
    yield "agieval", [f"{r['passage'] or ''}\n{r['question']}" for r in agieval]
    yield (
        "agieval_options",
        [f"{r['passage'] or ''}\n{r['question']}\n" + "\n".join(r["options"]) for r in agieval],
    )
    yield "humaneval", [r["prompt"] for r in rows("humaneval/HumanEval.jsonl.gz")]
    for name in ("python", "js", "c", "multi"):
        yield f"humaneval_{name}", [r["text"] for r in rows(f"decontam_rephrased/humaneval_{name}.jsonl")]
    for path in sorted((data / "sandboxfusion_samples").glob("*.jsonl")):
        texts = [r.get("content") or r.get("code") or "" for r in rows(f"sandboxfusion_samples/{path.name}")]
        yield path.stem, texts
    for path in sorted((data / "decontam_rephrased").glob("abstract_algebra_test.csv")):
        with path.open() as file:
            yield path.stem, ["{}\nA. {}\nB. {}\nC. {}\nD. {}".format(*row[:5]) for row in csv.reader(file)]


@pytest.mark.realdata
def test_the_defaults_reject_next_to_no_real_prompt(test_data: Path) -> None:
    for name, texts in real_prompts(test_data / "data"):
        texts = [text for text in texts if text.strip()]
        # A set of a few dozen rows cannot lose a thousandth: none of it may go.
        allowed = int(MOST * len(texts))
        for stage in (PromptFilters(), Clean(max_chars=100_000)):
            reasons = stage.reject(problems(texts)).to_pylist()
            lost = [(why, text[:60], text[-60:]) for why, text in zip(reasons, texts, strict=True) if why]
            assert len(lost) <= allowed, (
                f"{stage.type} rejects {len(lost)} of {len(texts)} prompts of {name}: {lost}"
            )
