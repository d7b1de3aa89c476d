"""Proposes items by the words that a stretch of text shares with them, weighed by how much they tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import sparse  # type: ignore[import-untyped]

from factory.stages.decontamination.reading import Reading, Weights, content_stem

__all__ = ["SharedWords"]

_BLOCK_WORDS = (160, 480)
"""Words of the stretches that long texts are cut into, each begun halfway through the one before."""
_MOST_ITEMS = 6


class SharedWords:
    """An inverted index of the items' stems and numbers."""

    def __init__(self, items: Sequence[Reading], *, weights: Weights, least: float) -> None:
        self._least = least
        self._column: dict[str, int] = {}
        cells: list[tuple[int, int, float]] = []
        self._long = np.array([len(item.words) > _BLOCK_WORDS[0] // 2 for item in items], bool)
        for row, item in enumerate(items):
            terms = _terms(item)
            total = weights.sum(terms)
            for term in terms if total > 0 else ():
                column = self._column.setdefault(term, len(self._column))
                cells.append((column, row, weights.of(term) / total))
        columns, rows, values = zip(*cells, strict=True) if cells else ((), (), ())
        shape = (max(1, len(self._column)), max(1, len(items)))
        self._items = sparse.csr_matrix((values, (columns, rows)), shape=shape, dtype=np.float32)

    def find(self, texts: Sequence[Reading]) -> Iterator[tuple[int, int, int, int]]:
        """(text, item, first and last character) of stretches that hold `least` of an item's weight."""
        where: list[tuple[int, int, int, bool]] = []
        columns: list[int] = []
        opens = [0]
        for number, text in enumerate(texts):
            for start, end, long, terms in _blocks(text):
                known = {self._column[term] for term in terms if term in self._column}
                where.append((number, start, end, long))
                columns += known
                opens.append(len(columns))
        if not columns:
            return
        shape = (len(where), self._items.shape[0])
        held = sparse.csr_matrix((np.ones(len(columns), np.float32), columns, opens), shape=shape)
        for first in range(0, len(where), 4096):
            shares = (held[first : first + 4096] @ self._items).tocsr()
            yield from self._close(shares, where[first : first + 4096])

    def _close(
        self, shares: sparse.csr_matrix, where: Sequence[tuple[int, int, int, bool]]
    ) -> Iterator[tuple[int, int, int, int]]:
        for row, (text, start, end, long) in enumerate(where):
            cells = slice(shares.indptr[row], shares.indptr[row + 1])
            items, share = shares.indices[cells], shares.data[cells]
            close = np.flatnonzero((share >= self._least) & (self._long[items] | (not long)))
            best = close[np.argsort(-share[close], kind="stable")[:_MOST_ITEMS]]
            for item in items[best].tolist():
                yield text, int(item), start, end


def _terms(reading: Reading) -> frozenset[str]:
    return reading.stems | {word.replace(",", "") for word in reading.words if word[0].isdigit()}


def _blocks(text: Reading) -> Iterator[tuple[int, int, bool, set[str]]]:
    """Stretches of a text: characters, whether for long items alone, and terms."""
    places = text.places
    if len(places) <= 2 * _BLOCK_WORDS[0]:
        yield 0, len(text.text), False, set(_terms(text))
        return
    terms = [w.replace(",", "") if w[0].isdigit() else content_stem(w) for w, _, _ in places]
    for size in _BLOCK_WORDS:
        for first in range(0, max(1, len(places) - size // 2), size // 2):
            last = min(first + size, len(places))
            held = {term for term in terms[first:last] if term}
            yield places[first][1], places[last - 1][2], size != _BLOCK_WORDS[0], held
