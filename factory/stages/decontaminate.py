"""Rejects problems that overlap with evaluation sets, or that hold their own answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from factory.core import Apply, Flow, Site, Stage, cut, digest, prompt_texts
from factory.core.paths import DataPath
from factory.stages.answer_leak import answer_span
from factory.stages.benchmarks import Benchmark, BenchmarkItem, declared
from factory.stages.cached import cached_bytes

if TYPE_CHECKING:
    from factory.curation.ngrams import NgramIndex

__all__ = ["Decontaminate", "GramRule"]

_SHOWN = 300


class GramRule(BaseModel):
    """One rule of overlap by word n-grams.

    In use: 8 words, any (s1, open-r1); 9, any (AceReason); 13, any (OpenThoughts3); 32, any, with digits
    stripped (Light-R1). The default finds 8-grams that cover 0.3 of the benchmark item: on real prompts any
    shared 8-gram flags 1.5 % of clean rows, most for a common phrase, and coverage 0.3 flags 0.3 %.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    n: Annotated[int, Field(ge=1, le=100)] = 8
    """Tokens of an n-gram."""
    tokens: Literal["alnum", "symbols", "whitespace"] = "alnum"
    """How texts are cut: runs of letters and digits, the same with operators, or what blanks separate."""
    rule: Literal["coverage", "any"] = "coverage"
    """Whether n-grams must cover a share of the item, or one shared n-gram is enough."""
    min_coverage: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Smallest share of the item's n-grams that a contaminated prompt holds; for the rule `coverage`."""
    short_items: Literal["whole", "unseen"] = "whole"
    """Whether texts with fewer than n tokens are compared whole, or not at all as in most scripts."""
    digits_stripped: bool = False
    """Whether a prompt that equals an item but for digits and punctuation is contaminated too (Light-R1)."""

    def index(self, items: Sequence[BenchmarkItem]) -> NgramIndex:
        """The items, indexed for this rule."""
        from factory.curation.ngrams import NgramIndex, NgramRule

        rule = NgramRule(
            n=self.n, tokens=self.tokens, short=self.short_items, digit_stripped=self.digits_stripped
        )
        return NgramIndex.build([(i.benchmark, i.item, i.text) for i in items], rule=rule)

    @property
    def threshold(self) -> float:
        """Smallest coverage of a hit; 0 stands for any shared n-gram."""
        return self.min_coverage if self.rule == "coverage" else 0.0


class Decontaminate(Stage):
    """Rejects prompts that hold a benchmark item in whole or in part, with the item and the matched text.

    Receipts count `uncheckable_rows`, prompts that no rule can see.
    """

    type: Literal["decontaminate"] = "decontaminate"
    minimal: ClassVar[Mapping[str, Any]] = {"benchmarks": [{"name": "bench", "files": "bench.jsonl"}]}
    benchmarks: DataPath | Annotated[list[Benchmark], Field(min_length=1)]
    """Evaluation sets, given here or as the path of a YAML file with a list `benchmarks`."""
    rules: Annotated[list[GramRule], Field(min_length=1)] = [GramRule()]  # noqa: RUF012 (pydantic copies it)
    """N-gram rules; a prompt that one of them finds is contaminated."""
    answer_in_prompt: bool = True
    """Whether prompts that give their own reference away are rejected."""

    def needs(self) -> frozenset[str]:
        """`prompt`, and `reference` to find it in the prompt."""
        return frozenset({"prompt", "reference"} if self.answer_in_prompt else {"prompt"})

    def identity(self) -> dict[str, Any]:
        """Fields with the benchmarks' content in place of their paths."""
        plain = self.model_dump(mode="json", exclude={"name"})
        return plain | {"benchmarks": [b.identity() for b in declared(self.benchmarks)]}

    @contextmanager
    def open(self, site: Site) -> Iterator[Apply]:
        """Holds one index per rule, built once and kept in the cache by content."""
        indexes = self._indexes(site)
        yield lambda batch: self._applied(batch, indexes)

    def coverage_report(self, site: Site) -> dict[str, dict[str, int]]:
        """Per benchmark: `items`, and `uncheckable` items that no rule can see."""
        indexes = self._indexes(site)
        unseen = [
            {(b, i) for b, i in zip(*(t[c].to_pylist() for c in ("benchmark", "item_id")), strict=True)}
            for t in (index.uncheckable() for index in indexes)
        ]
        items = Counter(indexes[0].benchmarks)
        lost = Counter(benchmark for benchmark, _ in set.intersection(*unseen))
        return {name: {"items": items[name], "uncheckable": lost[name]} for name in sorted(items)}

    def _indexes(self, site: Site) -> list[NgramIndex]:
        from factory.curation.ngrams import NgramIndex

        sets = declared(self.benchmarks)
        content = [b.identity() for b in sets]
        items: list[BenchmarkItem] = []

        def built(rule: GramRule) -> bytes:
            if not items:
                items.extend(item for one in sets for item in one.items())
            return rule.index(items).save()

        def stored(rule: GramRule) -> NgramIndex:
            key = digest([content, rule.model_dump(mode="json"), self.version])
            return NgramIndex.load(cached_bytes(f"{site.cache_url}/ngrams/{key}.npz", lambda: built(rule)))

        return [stored(rule) for rule in self.rules]

    def _applied(self, batch: pa.Table, indexes: Sequence[NgramIndex]) -> Flow:
        texts = prompt_texts(batch["prompt"])
        reasons: list[str | None] = [None] * batch.num_rows
        evidence: list[str | None] = [None] * batch.num_rows
        spent: Counter[str] = Counter()
        for row, hit in self._best_hits(texts, indexes).items():
            reasons[row], evidence[row] = "contaminated", json.dumps(hit, ensure_ascii=False)
            spent[f"contaminated_{hit['benchmark']}"] += 1
        if self.answer_in_prompt:
            for row, reference in enumerate(batch["reference"].to_pylist()):
                if reasons[row] is None and reference is not None:
                    reasons[row], evidence[row] = _leak(texts[row].as_py(), reference)
        spent["uncheckable_rows"] = min(index.unseen_rows(texts) for index in indexes)
        flow = cut(batch, pa.array(reasons, pa.string()), evidence=pa.array(evidence, pa.string()))
        return Flow(flow.kept, flow.rejected, spent=dict(spent))

    def _best_hits(self, texts: pa.Array, indexes: Sequence[NgramIndex]) -> dict[int, dict[str, Any]]:
        """Of each row that some rule finds, the hit with the largest coverage; the first of several."""
        best: dict[int, dict[str, Any]] = {}
        for rule, index in zip(self.rules, indexes, strict=True):
            for hit in index.match(texts, min_coverage=rule.threshold).to_pylist():
                known = best.get(hit["row"])
                if known is None or hit["coverage"] > known["coverage"]:
                    best[hit["row"]] = _evidence(hit, texts[hit["row"]].as_py(), rule)
        return best


def _evidence(hit: Mapping[str, Any], text: str, rule: GramRule) -> dict[str, Any]:
    start, end = hit["span_start"], hit["span_end"]
    return {
        "benchmark": hit["benchmark"],
        "item": hit["item_id"],
        "rule": hit["kind"],
        "n": rule.n,
        "coverage": round(hit["coverage"], 4),
        "span": [start, end],
        "text": text[start:end][:_SHOWN],
    }


def _leak(prompt: str, reference: str) -> tuple[str | None, str | None]:
    span = answer_span(prompt, reference)
    if span is None:
        return None, None
    proof = {"span": list(span), "text": prompt[slice(*span)][:_SHOWN]}
    return "answer_in_prompt", json.dumps(proof, ensure_ascii=False)
