"""What the verifiers said of a row, as the evidence of a cut that stands on it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

__all__ = ["verdict_evidence"]

_COLUMNS = ("verdict", "pass_rate", "n_judged", "verdicts")
_DETAIL = 200
"""Characters of a verifier's detail that are repeated; the column `verdicts` has them all."""


def verdict_evidence(
    batch: pa.Table, rows: Sequence[bool], *, more: Mapping[int, Mapping[str, Any]] | None = None
) -> pa.Array:
    """JSON for each row that is true in `rows`, null elsewhere.

    It holds the verdict, the pass rate and what each verifier said and why, as far as the batch has these
    columns; `more` adds to it by the row's place.
    """
    there = [name for name in _COLUMNS if name in batch.column_names]
    values = batch.select(there).to_pylist() if there else [{} for _ in rows]
    told = [
        json.dumps({**_told(value), **(more or {}).get(place, {})}, ensure_ascii=False) if wanted else None
        for place, (wanted, value) in enumerate(zip(rows, values, strict=True))
    ]
    return pa.array(told, pa.string())


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: row[name] for name in _COLUMNS[:-1] if name in row}
    if "verdicts" in row:
        told["said"] = [
            {
                "verifier": one["verifier"],
                "verdict": one["verdict"],
                "detail": (one["detail"] or "")[:_DETAIL],
            }
            for one in row["verdicts"] or ()
        ]
    return told
