"""Decontamination on real and planted data: recall per kind and place, and what is flagged among clean rows.

The weights of the decision were fitted on 600 of the GSM8K rephrasings, on MMLU abstract algebra and on QQP;
the sample here is drawn from the other GSM8K rows, MMLU sociology and PAWS alone.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from _curation_inputs import records
from _report import figure

from factory.core import Apply, Resources, Site
from factory.stages.decontamination.decontaminate import Decontaminate
from factory.stages.decontamination.disguises import DISGUISES, PLACES
from factory.stages.decontamination.planted_copies import plant
from factory.stages.decontamination.selftest import Planted, stage_rows

__all__ = ["run"]

_SAMPLE = 60
_FITTED = 600
_CLEAN = 1000
_ASIDE = "So let me think about what is wanted here, and go on step by step. " * 8
_BARS = {"alone": 0.90, "every_7th_replaced": 0.7}
_BAR, _COMPLETION_BAR, _FALSE_BAR = 0.85, 0.9, 0.005


def run() -> None:
    """All figures of decontamination."""
    rng = Random(0)
    items, told = _sets(), _rephrased(rng)
    with tempfile.TemporaryDirectory() as scratch:
        site = Site(resources=Resources(), cache_url=f"{scratch}/cache", journal_url=f"{scratch}/journal")
        stage = _stage(items, Path(scratch))
        with stage.open(site) as apply:
            _places(apply, told, rng)
            _disguises(apply, items, rng)
            _false_alarms(apply, rng)
        with stage.model_copy(update={"of": ("reasoning_content",)}).open(site) as apply:
            _completions(apply, told)


def _sets() -> Mapping[str, Sequence[str]]:
    return {
        "gsm8k": [r["question"] for r in records("gsm8k/test.jsonl")],
        "math500": [r["problem"] for r in records("math/deepscaler_math500.json")],
        "sociology": [row[0] for row in _csv("sociology")],
        "algebra": [row[0] for row in _csv("abstract_algebra")],
        "paws": [r["b"] for r in records("paraphrase_t0/paws_pairs.jsonl") if r["label"]],
    }


def _rephrased(rng: Random) -> list[tuple[str, str, str]]:
    """(set, item, text) of items in other words that the decision was not fitted to."""
    pairs = [
        ("gsm8k", n, _bare(r["text"]))
        for n, r in enumerate(records("decontam_rephrased/rephrase_gsm8k.jsonl"))
    ]
    found = rng.sample(pairs[_FITTED:], _SAMPLE)
    name = "decontam_rephrased/sociology_test_rephrase_english_filtered_question.jsonl"
    others = [("sociology", n, r["text"]) for n, r in enumerate(records(name)) if r["text"].strip()]
    found += rng.sample(others, _SAMPLE // 3)
    paws = [r["a"] for r in records("paraphrase_t0/paws_pairs.jsonl") if r["label"]]
    found += rng.sample([("paws", n, text) for n, text in enumerate(paws)], _SAMPLE // 3)
    return [(name, str(n), text) for name, n, text in found]


def _bare(text: str) -> str:
    return re.sub(r"^Question:\s*|\s*Answer:.*$", "", text, flags=re.DOTALL)


def _csv(name: str) -> list[list[str]]:
    folder = Path(os.environ["FACTORY_TEST_DATA"]) / "data" / "decontam_rephrased"
    with (folder / f"{name}_test.csv").open() as file:
        return list(csv.reader(file))


def _stage(items: Mapping[str, Sequence[str]], folder: Path) -> Decontaminate:
    benchmarks = []
    for name, texts in items.items():
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps({"t": text, "id": str(n)}) + "\n" for n, text in enumerate(texts)))
        benchmarks.append({"name": name, "files": str(path), "columns": {"text": "t", "id": "id"}})
    plain = {"benchmarks": benchmarks, "embedding": {}, "answer_in_prompt": False}
    return Decontaminate.model_validate(plain)


def _recall(name: str, apply: Apply, rows: Sequence[Planted], *, bar: float) -> None:
    found = stage_rows(apply, rows)
    share = sum(proof is not None for proof, _ in found) / len(rows)
    noted = sum(noted for _, noted in found)
    unit = f"share rejected ({noted} more for review)"
    figure(name, round(share, 4), unit=unit, baseline=len(rows), bar=bar, holds=share >= bar)


def _places(apply: Apply, told: Sequence[tuple[str, str, str]], rng: Random) -> None:
    others = [r["question"] for r in records("gsm8k/train.jsonl")]
    for place, put in PLACES.items():
        rows = [Planted(place, (name, item), put(text, others, rng)) for name, item, text in told]
        _recall(f"paraphrase_{place}", apply, rows, bar=_BARS.get(place, _BAR))


def _disguises(apply: Apply, items: Mapping[str, Sequence[str]], rng: Random) -> None:
    texts = rng.sample(items["gsm8k"], _SAMPLE // 2) + rng.sample(items["math500"], _SAMPLE // 2)
    for kind in DISGUISES:
        made = [plant(text, kind=kind, rng=rng) for text in texts]  # type: ignore[arg-type]
        rows = [Planted(kind, None, [{"role": "user", "content": text}]) for text in made if text]
        _recall(f"copy_{kind}", apply, rows, bar=_BARS.get(kind, _BAR))


def _completions(apply: Apply, told: Sequence[tuple[str, str, str]]) -> None:
    prompt = [{"role": "user", "content": "Go on."}]
    rows = [
        Planted("completion", (name, item), prompt, f"{_ASIDE}\n{text}\n{_ASIDE}")
        for name, item, text in told
    ]
    _recall("paraphrase_in_completion", apply, rows, bar=_COMPLETION_BAR)


def _false_alarms(apply: Apply, rng: Random) -> None:
    agieval: list[dict[str, Any]] = [
        r for part in ("logiqa_en", "sat_math") for r in records(f"agieval/{part}.jsonl")
    ]
    clean = [r["question"] for r in records("gsm8k/train.jsonl")]
    clean += [r["text"] for r in records("mbpp/mbpp.jsonl")]
    sets = {
        "agieval": [f"{r['passage'] or ''}\n{r['question']}" for r in agieval],
        "clean": rng.sample(clean, _CLEAN),
    }
    for name, texts in sets.items():
        rows = [Planted(name, None, [{"role": "user", "content": text}]) for text in texts]
        found = stage_rows(apply, rows)
        flagged = [(proof, text) for (proof, _), text in zip(found, texts, strict=True) if proof is not None]
        for proof, text in flagged:
            print(json.dumps({"flagged": text[:200], **proof}, ensure_ascii=False)[:700], file=sys.stderr)
        share = len(flagged) / len(rows)
        unit = f"share flagged ({sum(noted for _, noted in found)} more for review)"
        figure(
            f"false_alarms_{name}",
            round(share, 5),
            unit=unit,
            baseline=len(rows),
            bar=_FALSE_BAR,
            holds=share <= _FALSE_BAR,
        )
