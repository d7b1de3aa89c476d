"""Dedup on real and planted data: what is found, what is wrongly removed, and what is kept for review."""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from _report import figure

from factory.core import PROBLEM_SCHEMA, GlobalStage, Resources, Site, problem_id
from factory.sameness.references import agree
from factory.stages.dedup.exact import DedupExact
from factory.stages.dedup.fuzzy import DedupFuzzy
from factory.stages.dedup.semantic import DedupSemantic

__all__ = ["run"]

Row = dict[str, Any]
STAGES: tuple[GlobalStage, ...] = (DedupExact(), DedupFuzzy(), DedupSemantic())
_SHOWN = 40


def run() -> None:
    """All figures of dedup."""
    folder = Path(os.environ["FACTORY_TEST_DATA"])
    with tempfile.TemporaryDirectory() as scratch:
        site = Site(resources=Resources(), cache_url=f"{scratch}/cache", journal_url=f"{scratch}/journal")
        _labelled_pairs(folder / "cases", site)
        _rephrased(folder / "data", site)
        _real_sets(folder / "data", site)
        _languages(folder / "data", site)


def rows(texts: Sequence[str], *, domain: str = "math", references: Sequence[str | None] = ()) -> list[Row]:
    """Problems with these user turns."""
    made = []
    for n, text in enumerate(texts):
        prompt = [{"role": "user", "content": text}]
        row = {"source": "s", "origin": f"s.jsonl:{n + 1}", "domain": domain, "prompt": prompt}
        made.append(row | {"reference": references[n] if references else None})
    return made


def through(
    stage: GlobalStage, given: Sequence[Row], site: Site
) -> tuple[set[int], set[int], dict[str, Any]]:
    """Numbers of the rows that a stage removes and that it marks for review, and its report."""
    table = pa.Table.from_pylist(
        [{"id": f"{problem_id(r['prompt'], r['domain'])}-{n}", **r} for n, r in enumerate(given)],
        PROBLEM_SCHEMA,
    )
    with stage.open_survey(site) as survey:
        seen = [survey(table.slice(at, 4096)) for at in range(0, table.num_rows, 4096)]
    decision = stage.decide(seen, site=site, spread=lambda function, calls: (function(*c) for c in calls))
    gone: set[int] = set()
    marked: set[int] = set()
    for shard, row, reason in zip(
        *(decision[name].to_pylist() for name in ("shard", "row", "reason")), strict=True
    ):
        (gone if reason else marked).add(4096 * shard + row)
    report = json.loads(decision.schema.metadata[b"report"])
    report["proofs"] = [
        (4096 * s + r, w, json.loads(e))
        for s, r, w, e in zip(
            *(decision[name].to_pylist() for name in ("shard", "row", "reason", "evidence")), strict=True
        )
    ]
    return gone, marked, report


def _labelled_pairs(folder: Path, site: Site) -> None:
    """Planted pairs with labels, each pair among all the others."""
    cases = [json.loads(line) for line in (folder / "sameness.jsonl").read_text().splitlines()]
    given = [r for c in cases for r in rows([c["a"], c["b"]], domain=c["domain"])]
    found: dict[str, set[int]] = {}
    for stage in STAGES:
        gone, _, _ = through(stage, given, site)
        hit = {row // 2 for row in gone if row % 2}
        found[stage.type] = hit
        wrong = [c for n, c in enumerate(cases) if n in hit and not c["same"]]
        others = sum(not c["same"] for c in cases)
        bar = 0.0 if stage.type == "dedup-exact" else 0.01
        _at_most(f"sameness_merged_{stage.type}", len(wrong) / others, bar, baseline=others)
        for case in wrong:
            _show("merged", case["kind"], case["a"], case["b"])
    union = found["dedup-fuzzy"] | found["dedup-semantic"]
    same = [n for n, c in enumerate(cases) if c["same"]]
    _at_least("sameness_found", sum(n in union for n in same) / len(same), 0.9, baseline=len(same))
    for kind, bar in (("whitespace", 1.0), ("upper case", 1.0)):
        of = [n for n in same if cases[n]["kind"] == kind]
        _at_least(f"sameness_found_{kind.replace(' ', '_')}", sum(n in union for n in of) / len(of), bar)
    kinds = {cases[n]["kind"] for n in same}
    for kind in sorted(kinds):
        of = [n for n in same if cases[n]["kind"] == kind]
        _noted(f"sameness_found_of_{kind.replace(' ', '_')}", sum(n in union for n in of) / len(of))


def _rephrased(folder: Path, site: Site) -> None:
    """GSM8K's test problems beside their rewording by a model: with equal references, and with none."""
    originals = _lines(folder / "gsm8k/test.jsonl")
    twins = _lines(folder / "decontam_rephrased/rephrase_gsm8k.jsonl")
    texts = [r["question"] for r in originals]
    texts += [re.sub(r"^Question:\s*|\s*Answer:.*$", "", r["text"], flags=re.DOTALL) for r in twins]
    golds = [r["answer"].split("####")[1].strip() for r in originals]
    count, stage = len(originals), DedupSemantic()
    gone, _, _ = through(stage, rows(texts, references=golds * 2), site)
    _at_least(
        "rephrased_found_with_references", len([r for r in gone if r >= count]) / count, 0.8, baseline=count
    )
    gone, marked, _ = through(stage, rows(texts), site)
    _at_most("rephrased_gone_without_references", len(gone) / count, 0.01)
    _at_least("rephrased_in_review_without_references", len([r for r in marked if r >= count]) / count, 0.8)


def _real_sets(folder: Path, site: Site) -> None:
    """Problems as they are: of the removed rows those whose references differ, each shown."""
    sets = {
        "gsm8k_math": list(_gsm8k_math(folder)),
        "college_math": rows(
            [r["question"] for r in _lines(folder / "college_math/test.jsonl")],
            references=[r["answer"] for r in _lines(folder / "college_math/test.jsonl")],
        ),
        "agieval": list(_agieval(folder)),
    }
    for name, given in sets.items():
        for stage in STAGES:
            gone, marked, report = through(stage, given, site)
            _precision(f"{name}_{stage.type}", given, report)
            _noted(f"{name}_{stage.type}_removed", len(gone))
            _noted(f"{name}_{stage.type}_review", len(marked))
            _noted(f"{name}_{stage.type}_conflicts", report["conflicts"])


def _precision(name: str, given: Sequence[Row], report: dict[str, Any]) -> None:
    """Share of the removed rows whose reference differs from the kept row's; conflicts are apart."""
    known = differ = 0
    for row, reason, proof in report["proofs"]:
        if not reason or reason == "reference_conflict":
            continue
        other = int(proof["kept"].rpartition("-")[2])
        one, two = given[row]["reference"], given[other]["reference"]
        if one is None or two is None:
            continue
        known += 1
        if agree(one, two, math=given[row]["domain"] == "math") is not True:
            differ += 1
            texts = [given[n]["prompt"][0]["content"] for n in (row, other)]
            _show(f"{name} references {one!r} and {two!r}", str(proof["difference"]), *texts)
    _at_most(f"{name}_references_differ", differ / known if known else 0.0, 0.02, baseline=known)


def _languages(folder: Path, site: Site) -> None:
    """Different sentences in 24 languages: none goes, alone or all together."""
    lines = _lines(folder / "languages/sentences.jsonl")
    names = sorted({r["language"] for r in lines})
    for stage in STAGES:
        gone, _, report = through(stage, rows([r["text"] for r in lines], domain="chat"), site)
        _at_most(f"languages_removed_together_{stage.type}", len(gone), 0, unit="rows", baseline=len(lines))
        alone = 0
        for name in names:
            part = [r["text"] for r in lines if r["language"] == name]
            alone += len(through(stage, rows(part, domain="chat"), site)[0])
        _at_most(f"languages_removed_alone_{stage.type}", alone, 0, unit="rows", baseline=len(lines))
        if stage.type == "dedup-semantic":
            _noted("languages_unreadable_rows", report["unreadable"])
            print(f"unreadable: {report['unreadable_by_script']}", file=sys.stderr)


def _gsm8k_math(folder: Path) -> Iterator[Row]:
    lines = _lines(folder / "gsm8k/train.jsonl")
    math = json.loads((folder / "math/deepscaler_math_train.json").read_text())
    texts = [r["question"] for r in lines] + [r["problem"] for r in math]
    golds = [r["answer"].split("####")[1].strip() for r in lines] + [str(r["answer"]) for r in math]
    yield from rows(texts, references=golds)


def _agieval(folder: Path) -> Iterator[Row]:
    for file in ("logiqa_en", "sat_math"):
        for r in _lines(folder / f"agieval/{file}.jsonl"):
            text = "\n".join([r["passage"] or "", r["question"], *(r["options"] or ())]).strip()
            yield from rows([text], domain="choice", references=[r["label"] or r["answer"]])


def _lines(path: Path) -> list[dict[str, Any]]:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in raw.decode().splitlines()]


def _show(what: str, kind: str, one: str, other: str) -> None:
    print(f"{what} ({kind}):\n  {one[:300]!r}\n  {other[:300]!r}", file=sys.stderr)


def _at_most(
    name: str, value: float, bar: float, *, unit: str = "share", baseline: float | None = None
) -> None:
    figure(name, round(value, 5), unit=unit, baseline=baseline, bar=bar, holds=value <= bar)


def _at_least(name: str, value: float, bar: float, *, baseline: float | None = None) -> None:
    figure(name, round(value, 5), unit="share", baseline=baseline, bar=bar, holds=value >= bar)


def _noted(name: str, value: float) -> None:
    figure(
        name,
        round(value, 5),
        unit="share" if isinstance(value, float) else "rows",
        baseline=None,
        bar=None,
        holds=True,
    )
