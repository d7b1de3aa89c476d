"""Rejects rows that overlap with evaluation sets, or problems that hold their own answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from factory.core import REVIEW, Apply, Flow, Role, Site, Stage, cut, digest, prompt_texts
from factory.core.extras import lacking
from factory.core.paths import DataPath
from factory.embeddings.embedder import opened_embedder
from factory.stages.decisions import with_notes
from factory.stages.decontamination.answer_leak import answer_span
from factory.stages.decontamination.benchmarks import Benchmark, BenchmarkItem, declared
from factory.stages.decontamination.gram_rule import GramRule
from factory.stages.decontamination.likeness import is_common_phrase
from factory.stages.decontamination.overlap import Hit, Overlap, Policy
from factory.stages.decontamination.overlap_embedding import EmbeddingOverlap, EmbeddingRule
from factory.stages.decontamination.overlap_grams import GramOverlap
from factory.stages.decontamination.passages import Part, Segments, segments
from factory.stages.decontamination.reading import Weights
from factory.stages.decontamination.units import units
from factory.storage.content_cache import cached_bytes

if TYPE_CHECKING:
    from factory.stages.decontamination.ngrams import NgramIndex

__all__ = ["Decontaminate"]


class Decontaminate(Stage):
    """Rejects rows that hold a benchmark item, with the item, the kind of overlap and the matched text.

    Every turn of the prompt is looked at, whoever says it; in a step after `sample`, what the teacher wrote.
    Receipts count `uncheckable_rows` that no rule can see, and rows per benchmark, per kind, and for review.
    """

    type: Literal["decontaminate"] = "decontaminate"
    version: ClassVar[int] = 2
    role: ClassVar[Role] = "decontamination"
    minimal: ClassVar[Mapping[str, Any]] = {"benchmarks": [{"name": "bench", "files": "bench.jsonl"}]}
    benchmarks: DataPath | Annotated[list[Benchmark], Field(min_length=1)]
    """Evaluation sets, given here or as the path of a YAML file with a list `benchmarks`."""
    of: Annotated[tuple[Part, ...], Field(min_length=1)] = ("prompt",)
    """What is looked at: every turn of the prompt, and, after a teacher, its reasoning and its answer."""
    rules: Annotated[tuple[GramRule, ...], Field(min_length=1)] = (GramRule(),)
    """N-gram rules; each finds copies."""
    embedding: EmbeddingRule | None = None
    """Rule by words and sentence embeddings, which finds rephrased items as well; null: none."""
    policy: Policy = Policy()
    """What is done about each kind of overlap; rows for review are kept, with a note in a column `review`."""
    answer_in_prompt: bool = True
    """Whether prompts that give their own reference away are rejected; where prompts are looked at."""

    @property
    def light(self) -> bool:
        """Without an embedder there are only indexes to hold."""
        return self.embedding is None

    @property
    def _leaks(self) -> bool:
        return self.answer_in_prompt and "prompt" in self.of

    def needs(self) -> frozenset[str]:
        """What is looked at, and `reference` to find it in the prompt."""
        return frozenset(self.of) | ({"reference"} if self._leaks else set())

    def provides(self) -> pa.Schema:
        """`review` where any kind is for review."""
        reviewed = "review" in self.policy.actions().values()
        return pa.schema([REVIEW] if reviewed else [])

    def identity(self) -> dict[str, Any]:
        """Fields with the content of benchmarks and model in place of paths and names."""
        plain = self.model_dump(mode="json", exclude={"name"})
        plain["embedding"] = self.embedding.identity() if self.embedding else None
        return plain | {"benchmarks": [b.identity() for b in declared(self.benchmarks)]}

    def lacks(self, site: Site) -> str | None:
        """The embedder of the rule by embeddings."""
        return None if self.embedding is None else lacking("curation", "sentence_transformers")

    @contextmanager
    def open(self, site: Site) -> Iterator[Apply]:
        """Holds every rule open over the items; indexes and vectors are cached by content."""
        with ExitStack() as stack:
            rules = self._opened(site, stack)
            yield lambda batch: self._applied(batch, rules)

    def report(self, site: Site) -> dict[str, dict[str, int]]:
        """Per benchmark: `items`, `uncheckable` ones that no rule can see, and `common_phrases`, which say so
        little that no text can be told to be their copy."""
        found = self._items()
        with ExitStack() as stack:
            unseen = [rule.unseen_items() for rule in self._opened(site, stack)]
        lost = Counter(benchmark for benchmark, _ in set.intersection(*unseen))
        whole = [unit for unit in units(found) if unit.part == "whole"]
        weights = Weights(unit.reading for unit in whole)
        common = Counter(unit.name[0] for unit in whole if is_common_phrase(unit.reading, weights=weights))
        sizes = Counter(item.benchmark for item in found)
        return {
            name: {"items": sizes[name], "uncheckable": lost[name], "common_phrases": common[name]}
            for name in sorted(sizes)
        }

    def _items(self) -> list[BenchmarkItem]:
        return [item for one in declared(self.benchmarks) for item in one.items()]

    def _opened(self, site: Site, stack: ExitStack) -> list[Overlap]:
        content = [b.identity() for b in declared(self.benchmarks)]
        parts = list(units(self._items()))
        whole = [unit for unit in parts if unit.part == "whole"]
        weights = Weights(unit.reading for unit in whole)
        readings = [unit.reading for unit in whole]
        items = [(*unit.name, unit.reading.text) for unit in whole]
        opened: list[Overlap] = [
            GramOverlap(rule, self._index(rule, items, content, site), readings, weights=weights)
            for rule in self.rules
        ]
        if self.embedding:
            embed = stack.enter_context(opened_embedder(self.embedding.model, site=site))
            opened.append(EmbeddingOverlap(self.embedding, parts, embed, weights=weights))
        return opened

    def _index(
        self,
        rule: GramRule,
        items: Sequence[tuple[str, str, str]],
        content: Sequence[dict[str, Any]],
        site: Site,
    ) -> NgramIndex:
        from factory.stages.decontamination.ngrams import NgramIndex

        key = digest([content, rule.model_dump(mode="json"), self.version])
        url = f"{site.cache_url.rstrip('/')}/ngrams/{key}.npz"
        return NgramIndex.load(cached_bytes(url, lambda: NgramIndex.build(items, rule=rule).save()))

    def _applied(self, batch: pa.Table, rules: Sequence[Overlap]) -> Flow:
        texts = segments(batch, of=self.of)
        contaminated, doubtful = self._strongest(texts, rules)
        reasons: list[str | None] = [None] * batch.num_rows
        evidence: list[str | None] = [None] * batch.num_rows
        if self._leaks:
            self._mark_leaks(batch, reasons, evidence)
        for row, hit in contaminated.items():
            reasons[row], evidence[row] = "contaminated", hit.proof(texts)
        if self.provides().names:
            notes = [doubtful[row].proof(texts) if row in doubtful else None for row in range(batch.num_rows)]
            batch = with_notes(batch, notes)
        spent = Counter(f"contaminated_{hit.benchmark}" for hit in contaminated.values())
        spent.update(f"kind_{hit.kind(texts)}" for hit in contaminated.values())
        spent["review_rows"] = len(set(doubtful) - set(contaminated))
        spent["uncheckable_rows"] = _unseen_rows(texts, rules, rows=batch.num_rows)
        flow = cut(batch, pa.array(reasons, pa.string()), evidence=pa.array(evidence, pa.string()))
        return Flow(flow.kept, flow.rejected, spent=dict(spent))

    def _mark_leaks(self, batch: pa.Table, reasons: list[str | None], evidence: list[str | None]) -> None:
        texts = prompt_texts(batch["prompt"])
        for row, reference in enumerate(batch["reference"].to_pylist()):
            if reference is not None:
                reasons[row], evidence[row] = _leak(texts[row].as_py(), reference)

    def _strongest(self, texts: Segments, rules: Sequence[Overlap]) -> tuple[dict[int, Hit], dict[int, Hit]]:
        """The strongest hit to reject and the strongest to review of each row; of equals the first rule's."""
        actions = self.policy.actions()
        found: dict[str, dict[int, Hit]] = {"reject": {}, "review": {}, "keep": {}}
        for rule in rules:
            for hit in rule.find(texts):
                row = int(texts.rows[hit.segment])
                best = found["reject" if hit.forced else actions[hit.kind(texts)]]
                if row not in best or _rank(hit) > _rank(best[row]):
                    best[row] = hit
        return found["reject"], found["review"]


_ORDER = ("translation", "number_twin", "paraphrase", "near_copy", "copy")


def _rank(hit: Hit) -> tuple[bool, int, float]:
    """What is certain before what is not, copies before paraphrases before twins, then by strength."""
    return hit.likeness.certain, _ORDER.index(hit.likeness.kind), hit.likeness.score


def _unseen_rows(texts: Segments, rules: Sequence[Overlap], *, rows: int) -> int:
    """Rows of which no rule can see any text."""
    seen = np.zeros(rows, bool)
    for rule in rules:
        seen[texts.rows[~rule.unseen(texts)]] = True
    return int(rows - seen.sum())


def _leak(prompt: str, reference: str) -> tuple[str | None, str | None]:
    span = answer_span(prompt, reference)
    if span is None:
        return None, None
    proof = {"span": list(span), "text": prompt[slice(*span)][:300]}
    return "answer_in_prompt", json.dumps(proof, ensure_ascii=False)
