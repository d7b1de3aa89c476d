"""Rejects problems that overlap with evaluation sets, or that hold their own answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from factory.core import REVIEW, Apply, Flow, Role, Site, Stage, cut, digest, prompt_texts
from factory.core.paths import DataPath
from factory.embeddings.embedder import opened_embedder
from factory.stages.decisions import with_notes
from factory.stages.decontamination.answer_leak import answer_span
from factory.stages.decontamination.benchmarks import Benchmark, BenchmarkItem, declared
from factory.stages.decontamination.overlap import Hit, Overlap
from factory.stages.decontamination.overlap_embedding import EmbeddingOverlap, EmbeddingRule
from factory.stages.decontamination.overlap_grams import GramOverlap, GramRule
from factory.storage.content_cache import cached_bytes

if TYPE_CHECKING:
    from factory.stages.decontamination.ngrams import NgramIndex

__all__ = ["Decontaminate"]


class Decontaminate(Stage):
    """Rejects prompts that hold a benchmark item in whole or in part, with the item and the matched text.

    Receipts count `uncheckable_rows`, prompts that no rule can see, and the contaminated rows per benchmark.
    """

    type: Literal["decontaminate"] = "decontaminate"
    role: ClassVar[Role] = "decontamination"
    minimal: ClassVar[Mapping[str, Any]] = {"benchmarks": [{"name": "bench", "files": "bench.jsonl"}]}
    benchmarks: DataPath | Annotated[list[Benchmark], Field(min_length=1)]
    """Evaluation sets, given here or as the path of a YAML file with a list `benchmarks`."""
    rules: Annotated[tuple[GramRule, ...], Field(min_length=1)] = (GramRule(),)
    """N-gram rules; a prompt that one of them finds is contaminated."""
    embedding: EmbeddingRule | None = None
    """Rule by sentence embeddings, which finds rephrased items as well; null: none."""
    answer_in_prompt: bool = True
    """Whether prompts that give their own reference away are rejected."""
    review: bool = False
    """Whether kept rows get a column `review`: the strongest doubtful overlap, for a judge; null: none."""

    @property
    def light(self) -> bool:
        """Without an embedder there are only indexes to hold."""
        return self.embedding is None

    def needs(self) -> frozenset[str]:
        """`prompt`, and `reference` to find it in the prompt."""
        return frozenset({"prompt", "reference"} if self.answer_in_prompt else {"prompt"})

    def provides(self) -> pa.Schema:
        """`review` where it is asked for."""
        return pa.schema([REVIEW] if self.review else [])

    def identity(self) -> dict[str, Any]:
        """Fields with the content of benchmarks and model in place of paths and names."""
        plain = self.model_dump(mode="json", exclude={"name"})
        plain["embedding"] = self.embedding.identity() if self.embedding else None
        return plain | {"benchmarks": [b.identity() for b in declared(self.benchmarks)]}

    @contextmanager
    def open(self, site: Site) -> Iterator[Apply]:
        """Holds every rule open over the items; indexes and vectors are cached by content."""
        with ExitStack() as stack:
            rules = self._opened(site, stack)
            yield lambda batch: self._applied(batch, rules)

    def report(self, site: Site) -> dict[str, dict[str, int]]:
        """Per benchmark: `items`, and `uncheckable` items that no rule can see."""
        with ExitStack() as stack:
            unseen = [rule.unseen_items() for rule in self._opened(site, stack)]
        items = Counter(item.benchmark for item in self._items())
        lost = Counter(benchmark for benchmark, _ in set.intersection(*unseen))
        return {name: {"items": items[name], "uncheckable": lost[name]} for name in sorted(items)}

    def _items(self) -> list[BenchmarkItem]:
        return [item for one in declared(self.benchmarks) for item in one.items()]

    def _opened(self, site: Site, stack: ExitStack) -> list[Overlap]:
        content = [b.identity() for b in declared(self.benchmarks)]
        opened: list[Overlap] = [
            GramOverlap(rule, self._index(rule, content, site), review=self.review) for rule in self.rules
        ]
        if self.embedding:
            embed = stack.enter_context(opened_embedder(self.embedding.model, site=site))
            opened.append(EmbeddingOverlap(self.embedding, self._items(), embed, review=self.review))
        return opened

    def _index(self, rule: GramRule, content: Sequence[dict[str, Any]], site: Site) -> NgramIndex:
        from factory.stages.decontamination.ngrams import NgramIndex

        key = digest([content, rule.model_dump(mode="json"), self.version])
        url = f"{site.cache_url.rstrip('/')}/ngrams/{key}.npz"
        return NgramIndex.load(cached_bytes(url, lambda: rule.index(self._items()).save()))

    def _applied(self, batch: pa.Table, rules: Sequence[Overlap]) -> Flow:
        texts = prompt_texts(batch["prompt"])
        contaminated, doubtful = _strongest(texts, rules)
        reasons: list[str | None] = [None] * batch.num_rows
        evidence: list[str | None] = [None] * batch.num_rows
        if self.answer_in_prompt:
            for row, reference in enumerate(batch["reference"].to_pylist()):
                if reference is not None:
                    reasons[row], evidence[row] = _leak(texts[row].as_py(), reference)
        for row, hit in contaminated.items():
            reasons[row], evidence[row] = "contaminated", hit.evidence()
        if self.review:
            notes = [doubtful[row].evidence() if row in doubtful else None for row in range(batch.num_rows)]
            batch = with_notes(batch, notes)
        spent = Counter(f"contaminated_{hit.benchmark}" for hit in contaminated.values())
        spent["uncheckable_rows"] = min(rule.unseen_rows(texts) for rule in rules)
        flow = cut(batch, pa.array(reasons, pa.string()), evidence=pa.array(evidence, pa.string()))
        return Flow(flow.kept, flow.rejected, spent=dict(spent))


def _strongest(texts: pa.Array, rules: Sequence[Overlap]) -> tuple[dict[int, Hit], dict[int, Hit]]:
    """The strongest certain and the strongest doubtful hit of each row; of equals the first rule's."""
    certain: dict[int, Hit] = {}
    doubtful: dict[int, Hit] = {}
    for rule in rules:
        for hit in rule.find(texts):
            best = certain if hit.certain else doubtful
            if hit.row not in best or hit.strength > best[hit.row].strength:
                best[hit.row] = hit
    return certain, doubtful


def _leak(prompt: str, reference: str) -> tuple[str | None, str | None]:
    span = answer_span(prompt, reference)
    if span is None:
        return None, None
    proof = {"span": list(span), "text": prompt[slice(*span)][:300]}
    return "answer_in_prompt", json.dumps(proof, ensure_ascii=False)
