"""Does decontamination find what it should? Plants known copies of the benchmark items and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random

import numpy as np
import pyarrow as pa

from factory.stages.decontamination.ngrams import Item
from factory.stages.decontamination.planted_copies import KINDS, Kind, plant

__all__ = ["SELFTEST", "planted_rows", "selftest"]

SELFTEST = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("planted", pa.int64(), nullable=False),
        pa.field("found", pa.int64(), nullable=False),
        pa.field("right_item", pa.int64(), nullable=False),
        pa.field("recall", pa.float64()),
        pa.field("precision", pa.float64()),
    ]
)
"""Per kind of copy: rows planted, rows flagged, rows flagged for the very item; recall = found / planted and
precision = found / (found + flagged clean rows), null without rows. The line `clean` has in `planted` the
clean rows and in `found` those flagged. `number_changed` is no copy: its recall is what is flagged anyway."""

Planted = tuple[str, int, str]
"""(kind, item, text)."""


def planted_rows(
    items: Sequence[Item], *, kinds: Iterable[Kind] = KINDS, per_kind: int = 200, seed: int = 0
) -> list[Planted]:
    """Copies of random items, at most `per_kind` of each kind; items that a kind cannot change drop."""
    rng = Random(seed)
    rows: list[Planted] = []
    for kind in kinds:
        for item in rng.sample(range(len(items)), min(per_kind, len(items))):
            text = plant(items[item][2], kind=kind, rng=rng)
            if text is not None:
                rows.append((kind, item, text))
    return rows


def selftest(
    items: Sequence[Item], *, clean: Sequence[str], flag: Callable[[pa.Array], pa.Table],
    rephrased: Sequence[tuple[int, str]] = (), per_kind: int = 200, seed: int = 0,
) -> pa.Table:  # fmt: skip
    """Precision and recall (`SELFTEST`) of `flag` on planted copies among clean rows.

    `flag` maps texts to a table with `row`, `benchmark` and `item_id` of what it would reject. `rephrased`
    gives (item, text) pairs written by others. Rows of `clean` that hold benchmark items count as false.
    """
    planted = planted_rows(items, per_kind=per_kind, seed=seed)
    planted += [("rephrased", item, text) for item, text in rephrased]
    flagged = flag(pa.array([*(text for _, _, text in planted), *clean], pa.large_string()))
    hits: dict[int, set[tuple[str, str]]] = {}
    for hit in flagged.select(["row", "benchmark", "item_id"]).to_pylist():
        hits.setdefault(hit["row"], set()).add((hit["benchmark"], hit["item_id"]))
    false = sum(row >= len(planted) for row in hits)
    lines = [_line(kind, planted, items, hits, false) for kind in dict.fromkeys(k for k, _, _ in planted)]
    share = false / len(clean) if clean else None
    lines.append({"kind": "clean", "planted": len(clean), "found": false, "right_item": 0, "recall": share})
    return pa.Table.from_pylist(lines, schema=SELFTEST)


def _line(
    kind: str, planted: list[Planted], items: Sequence[Item], hits: dict[int, set[tuple[str, str]]],
    false: int,
) -> dict[str, object]:  # fmt: skip
    rows = np.flatnonzero([k == kind for k, _, _ in planted]).tolist()
    found = sum(row in hits for row in rows)
    right = sum(items[planted[row][1]][:2] in hits.get(row, set()) for row in rows)
    return {
        "kind": kind,
        "planted": len(rows),
        "found": found,
        "right_item": right,
        "recall": found / len(rows) if rows else None,
        "precision": found / (found + false) if found + false else None,
    }
