"""The verdict on each row: contaminated, worth a review, or clean, by n-grams and by meaning together.

N-grams find copies and miss rephrasings (6 % of rephrased GSM8K); cosine finds rephrasings and, alone, takes
problems with other numbers for copies. Measured on 13,198 clean prompts and planted copies with MiniLM:
8-gram coverage >= 0.3, or cosine >= 0.8 and number Jaccard >= 0.7, finds 0.88 of the rephrased, 0.995 of
those with typos, and flags some 0.2 % of clean rows beyond true contamination.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.embeddings.vectors import Vectors
from factory.text.numbers import Numbers

__all__ = ["CLOSE", "VERDICTS", "MeaningRule", "close_items", "judge"]

CLOSE = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("benchmark", pa.string(), nullable=False),
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("cosine", pa.float32(), nullable=False),
        pa.field("number_jaccard", pa.float32(), nullable=False),
        pa.field("same", pa.bool_(), nullable=False),
    ]
)
"""A row and a benchmark item close in meaning; `same` says that both limits of the rule are met."""

VERDICTS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("benchmark", pa.string(), nullable=False),
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
        pa.field("span_start", pa.int64()),
        pa.field("span_end", pa.int64()),
    ]
)
"""One line per row that is not clean: `verdict` is `contaminated` or `review`, with the strongest evidence;
`kind` is that of the hit or `meaning`, `score` its coverage or cosine, the span null for `meaning`."""

_BLOCK = 2048


@dataclass(frozen=True, slots=True)
class MeaningRule:
    """When a row means what a benchmark item means."""

    cosine: float = 0.8
    """Least cosine of a rephrased copy."""
    number_jaccard: float = 0.7
    """Least multiset Jaccard of the numbers; without it 91 % of number-changed problems count as copies."""
    review_from: float = 0.65
    """Rows from this cosine on, and not contaminated, are for a judge to read."""


def close_items(
    vectors: Vectors, row_numbers: Numbers, items: Vectors, item_numbers: Numbers,
    names: list[tuple[str, str]], *, rule: MeaningRule,
) -> pa.Table:  # fmt: skip
    """Items (`CLOSE`) whose cosine with a row is at least `review_from`: per row the closest, and the closest
    of those that are `same`.

    `names` gives (benchmark, item id) of each item; the work is rows x items, in blocks.
    """
    found: list[tuple[npt.NDArray[np.int64], ...]] = []
    measured: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]] = []
    other = items.take(slice(None)).T
    for first in range(0, len(vectors), _BLOCK):
        scores = vectors.take(slice(first, first + _BLOCK)) @ other
        row, item = np.nonzero(scores >= rule.review_from)
        cosine = scores[row, item]
        jaccard = row_numbers.jaccard(row + first, item_numbers, item)
        same = (cosine >= rule.cosine) & (jaccard >= rule.number_jaccard)
        order = np.lexsort((item, -cosine, ~same, row))
        best = order[np.diff(row[order], prepend=-1) != 0]
        closest = np.lexsort((item, -cosine, row))
        closest = closest[np.diff(row[closest], prepend=-1) != 0]
        chosen = np.unique(np.concatenate([best, closest]))
        found.append((row[chosen] + first, item[chosen], same[chosen].astype(np.int64)))
        measured.append((cosine[chosen], jaccard[chosen]))
    if not found:
        return CLOSE.empty_table()
    row, item, same = (np.concatenate([f[k] for f in found]) for k in range(3))
    cosine, jaccard = (np.concatenate([m[k] for m in measured]) for k in range(2))
    columns = [
        pa.array(row),
        pa.array([names[i][0] for i in item.tolist()], pa.string()),
        pa.array([names[i][1] for i in item.tolist()], pa.string()),
        pa.array(cosine, pa.float32()),
        pa.array(jaccard, pa.float32()),
        pa.array(same.astype(bool)),
    ]
    return pa.table(columns, schema=CLOSE)


def judge(hits: pa.Table, close: pa.Table, *, min_coverage: float = 0.3) -> pa.Table:
    """Verdicts (`VERDICTS`) of the rows that are not clean.

    `hits` come from `NgramIndex.match(..., min_coverage=0)`, so that a shared n-gram below the limit is seen:
    it is for review. `close` comes from `close_items`; give `CLOSE.empty_table()` without embeddings.
    """
    best: dict[int, tuple[tuple[int, float], dict[str, object]]] = {}

    def offer(row: int, strong: bool, score: float, line: dict[str, object]) -> None:
        key = (int(strong), score)
        if row not in best or key > best[row][0]:
            verdict = "contaminated" if strong else "review"
            best[row] = key, {"row": row, "verdict": verdict, "score": score, **line}

    for hit in hits.to_pylist():
        strong = hit["kind"] != "ngram" or hit["coverage"] >= np.float32(min_coverage)
        offer(hit["row"], strong, hit["coverage"], {k: hit[k] for k in _HIT_FIELDS})
    for near in close.to_pylist():
        line = {"kind": "meaning", "benchmark": near["benchmark"], "item_id": near["item_id"]}
        offer(near["row"], near["same"], near["cosine"], line)
    return pa.Table.from_pylist([best[row][1] for row in sorted(best)], schema=VERDICTS)


_HIT_FIELDS = ("kind", "benchmark", "item_id", "span_start", "span_end")
