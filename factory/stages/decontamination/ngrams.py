"""Overlap of texts with benchmark items by hashed n-grams: coverage, span, and what no rule can see."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.stages.decontamination.gram_rule import MIN_WHOLE, GramRule
from factory.stages.decontamination.gram_table import GramTable, TokenRows, build_table, token_rows
from factory.stages.decontamination.ngram_match import (
    HITS,
    Hits,
    hit_table,
    match_contained,
    match_equal,
    match_grams,
)
from factory.text.normalise import normalise
from factory.text.strings import Texts, iter_tokens, utf8

__all__ = ["HITS", "Item", "NgramIndex"]

Item: TypeAlias = tuple[str, str, str]
"""(benchmark, item id, text)."""


_DEFAULT = GramRule()


@dataclass(frozen=True, eq=False)
class NgramIndex:
    """Benchmark items, indexed; plain arrays, so it pickles and travels to workers as it is."""

    rule: GramRule
    benchmarks: list[str]
    """Benchmark of each item."""
    item_ids: list[str]
    """Id of each item within its benchmark."""
    tokens: TokenRows
    grams: GramTable
    """All windows of n tokens."""
    starts: GramTable
    """The first `MIN_WHOLE` tokens of each short item."""
    parts: GramTable
    """All windows of `MIN_WHOLE` tokens, for rows shorter than n."""
    letters: npt.NDArray[np.uint64]
    """Hash of the letters of each item, 0 where the digit-stripped rule does not see it."""
    digest: str = field(default="")
    """128-bit hex digest of rule and items: the name to cache the index under."""

    @classmethod
    def build(cls, items: Iterable[Item], *, rule: GramRule = _DEFAULT) -> NgramIndex:
        """Indexes items; the order of items does not change which rows match."""
        rows = list(items)
        texts = pa.array([text for _, _, text in rows], pa.large_string())
        tokens = token_rows(texts, tokens=rule.tokens)
        sizes = np.diff(tokens.rows)
        short = (sizes < rule.n) & (sizes >= MIN_WHOLE) & (rule.short_items == "whole")
        whole = np.full(len(rows), rule.short_items == "whole")
        return cls(
            rule,
            [benchmark for benchmark, _, _ in rows],
            [item_id for _, item_id, _ in rows],
            tokens,
            build_table(tokens, n=rule.n, chosen=sizes >= rule.n, first_only=False),
            build_table(tokens, n=MIN_WHOLE, chosen=short, first_only=True),
            build_table(tokens, n=MIN_WHOLE, chosen=whole, first_only=False),
            _letters(texts, rule),
            _digest(rows, rule),
        )

    def match(self, texts: Texts, *, min_coverage: float = 0.3) -> pa.Table:
        """Hits (`HITS`) of each row, sorted by row and then by the order of items.

        `coverage` is the share of the item's n-gram positions that occur in the row; `min_coverage` 0 keeps
        any shared n-gram. The default 0.3 is measured: on real prompts "any 8-gram" flags 1.5 to 2.2 %, most
        of them template phrases, and 0.3 flags 0.3 %. A row shorter than n is a hit when it lies whole in an
        item and makes up `min_coverage` of its tokens, at least 0.3. An item can have two hits in a row when
        two rules see it.
        """
        text = utf8(texts)
        found: list[Hits] = []
        scratch = np.zeros(self.grams.positions.size, np.int64)
        for block in iter_tokens(texts, tokens=self.rule.tokens):
            found += match_grams(self, block, scratch, min_coverage=min_coverage)
            if self.rule.short_items == "whole":
                found += match_contained(self, block, min_coverage=max(min_coverage, 0.3))
                found += match_equal(self, block)
        if self.rule.digits_stripped:
            found += self._match_letters(texts, text.rows)
        return hit_table(self, found, text)

    def unseen(self, texts: Texts) -> npt.NDArray[np.bool_]:
        """Rows that the rule cannot see: without a token, or below n tokens when short ones are unseen."""
        least = 1 if self.rule.short_items == "whole" else self.rule.n
        blocks = [np.diff(b.rows) < least for b in iter_tokens(texts, tokens=self.rule.tokens)]
        unseen: npt.NDArray[np.bool_] = np.concatenate([np.zeros(0, bool), *blocks])
        if self.rule.digits_stripped:
            unseen &= _letter_hashes(texts) == 0
        return unseen

    def uncheckable(self) -> pa.Table:
        """Items that no rule can see: `benchmark`, `item_id`, `tokens`."""
        sizes = np.diff(self.tokens.rows)
        least = 1 if self.rule.short_items == "whole" else self.rule.n
        lost = np.flatnonzero((sizes < least) & (self.letters == 0)).tolist()
        return pa.table(
            {
                "benchmark": pa.array([self.benchmarks[i] for i in lost], pa.string()),
                "item_id": pa.array([self.item_ids[i] for i in lost], pa.string()),
                "tokens": pa.array(sizes[lost], pa.int64()),
            }
        )

    def _match_letters(self, texts: Texts, rows: npt.NDArray[np.int64]) -> list[Hits]:
        mine = _letter_hashes(texts)
        order = np.argsort(self.letters, kind="stable")
        ranked = self.letters[order]
        low, high = np.searchsorted(ranked, mine, "left"), np.searchsorted(ranked, mine, "right")
        hit = np.flatnonzero((mine != 0) & (high > low))
        counts = (high - low)[hit]
        row = np.repeat(hit, counts)
        place = np.repeat(low[hit] - np.cumsum(counts) + counts, counts) + np.arange(row.size)
        ends = (rows[1:] - rows[:-1])[row]
        return [
            Hits(
                "digit_stripped", row, order[place], np.ones(row.size, np.float32), np.zeros_like(ends), ends
            )
        ]

    def save(self) -> bytes:
        """The index as bytes, free of pickles."""
        buffer = io.BytesIO()
        arrays = {"letters": self.letters, "t.rows": self.tokens.rows, "t.hashes": self.tokens.hashes}
        for name in ("grams", "starts", "parts"):
            table = getattr(self, name)
            arrays |= {f"{name}.{f.name}": getattr(table, f.name) for f in fields(GramTable)}
        names = [self.rule.model_dump(mode="json"), self.benchmarks, self.item_ids, self.digest]
        arrays["names"] = np.frombuffer(json.dumps(names).encode(), np.uint8)
        np.savez(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    @classmethod
    def load(cls, saved: bytes) -> NgramIndex:
        """Reads what `save` wrote."""
        with np.load(io.BytesIO(saved), allow_pickle=False) as arrays:
            rule, benchmarks, item_ids, digest = json.loads(arrays["names"].tobytes())
            tables = [
                GramTable(**{f.name: arrays[f"{name}.{f.name}"] for f in fields(GramTable)})
                for name in ("grams", "starts", "parts")
            ]
            tokens = TokenRows(arrays["t.rows"], arrays["t.hashes"])
            grams, starts, parts = tables
            letters = arrays["letters"]
            return cls(GramRule(**rule), benchmarks, item_ids, tokens, grams, starts, parts, letters, digest)


def _letter_hashes(texts: Texts) -> npt.NDArray[np.uint64]:
    from factory.text.kernels import scan

    letters = utf8(normalise(texts, form="letters"))
    out = np.empty(len(texts), np.uint64)
    scan.string_hashes(letters.data, letters.rows, out)
    return out


def _letters(texts: pa.Array, rule: GramRule) -> npt.NDArray[np.uint64]:
    if not rule.digits_stripped:
        return np.zeros(len(texts), np.uint64)
    sizes = np.array([len(s) for s in normalise(texts, form="letters").to_pylist()], np.int64)
    return np.where(sizes >= rule.min_letters, _letter_hashes(texts), np.uint64(0))


def _digest(items: list[Item], rule: GramRule) -> str:
    whole: list[Any] = [rule.model_dump(mode="json"), sorted(items)]
    return blake2b(json.dumps(whole).encode(), digest_size=16).hexdigest()
