"""What a release says about its rows, gathered while they stream past once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from factory.core.choice import draw
from factory.release.release_gate import verdict_words

__all__ = ["PASS_RATE_BINS", "Tally"]

PASS_RATE_BINS = 10
"""Bins of the pass-rate histograms over [0, 1]; the last one holds 1.0 too."""

_SAMPLES = 20
_REJECTED_SAMPLES = 3  # of each reason of each step
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


class Tally:
    """Counts over released rows. Holds ids and token counts (about 40 bytes a row), never text."""

    def __init__(self) -> None:
        self.rows = 0
        self._ids: list[pa.Array] = []
        self._sources: dict[tuple[str | None, str | None, str | None], list[pa.Array]] = {}
        self._source_rows: Counter[tuple[str | None, str | None, str | None]] = Counter()
        self._tokens: list[Any] = []
        self._sums: Counter[str] = Counter()
        self._teachers: Counter[str] = Counter()
        self._verdicts: Counter[tuple[str, str, str]] = Counter()
        self._released: Counter[str] = Counter()
        self._held_back: Counter[str] = Counter()
        self._pass_rates: Counter[int] = Counter()
        self._dropped: dict[str, int] = {}
        self._last_id: str | None = None
        self._samples: list[tuple[int, dict[str, Any]]] = []
        self._rejected: dict[tuple[str, str], list[tuple[int, dict[str, Any]]]] = {}
        self._without_reasoning = 0

    def add(self, table: pa.Table) -> None:
        """Counts one table of released rows; rows of one problem come one behind the other."""
        if table.num_rows == 0:
            return
        names = set(table.column_names)
        self.rows += table.num_rows
        self._add_sources(table)
        self._add_tokens(table, names)
        if "teacher" in names:
            self._teachers.update(value for value in table["teacher"].to_pylist() if value is not None)
        if "reasoning_content" in names:
            spoken = pc.utf8_length(pc.fill_null(table["reasoning_content"], ""))
            self._without_reasoning += int(pc.sum(pc.equal(spoken, 0)).as_py() or 0)
        self._released.update(_words(table))
        if "verdicts" in names:
            self._verdicts.update(_votes(table["verdicts"]))
        if "pass_rate" in names:
            self._add_pass_rates(table)
        self._add_samples(table)

    def _add_sources(self, table: pa.Table) -> None:
        self._ids.append(pc.unique(table["id"]))
        keys = list(zip(*(_values(table, name) for name in ("source", "license", "domain")), strict=True))
        self._source_rows.update(keys)
        positions: dict[tuple[str | None, ...], list[int]] = {}
        for row, key in enumerate(keys):
            positions.setdefault(key, []).append(row)
        for key, rows in positions.items():
            kept = self._sources.setdefault(key, [])  # type: ignore[arg-type]
            kept.append(pc.unique(table["id"].take(pa.array(rows))))

    def _add_tokens(self, table: pa.Table, names: set[str]) -> None:
        for name in ("prompt_tokens", "completion_tokens"):
            if name in names:
                self._sums[name] += int(pc.sum(table[name]).as_py() or 0)
        if "completion_tokens" in names:
            self._tokens.append(pc.drop_null(table["completion_tokens"]).to_numpy())

    def hold_back(self, table: pa.Table) -> None:
        """Counts one table of rows that the release itself holds back."""
        self._held_back.update(_words(table))

    def add_rejected(self, table: pa.Table) -> None:
        """Counts rejected rows that have a pass rate, and keeps a few of each reason of each step.

        Called once every released row is counted.
        """
        self._add_rejected_samples(table)
        if "pass_rate" not in table.column_names or table.num_rows == 0:
            return
        released = pc.is_in(table["id"], value_set=pa.chunked_array(self._ids, pa.string()).unique())
        rest = table.select(["id", "pass_rate"]).filter(pc.invert(released))
        for row_id, rate in zip(rest["id"].to_pylist(), rest["pass_rate"].to_pylist(), strict=True):
            if rate is not None:
                self._dropped[row_id] = _bin(rate)

    def _add_pass_rates(self, table: pa.Table) -> None:
        for row_id, rate in zip(table["id"].to_pylist(), table["pass_rate"].to_pylist(), strict=True):
            if row_id != self._last_id and rate is not None:
                self._pass_rates[_bin(rate)] += 1
            self._last_id = row_id

    def _add_samples(self, table: pa.Table) -> None:
        self._samples = _lowest([*self._samples, *_drawn(table, _SAMPLES)], _SAMPLES)

    def _add_rejected_samples(self, table: pa.Table) -> None:
        for reason in pc.unique(pc.drop_null(table["reason"])).to_pylist():
            rows = table.filter(pc.equal(table["reason"], pa.scalar(reason, table["reason"].type)))
            key = (str(rows["step"][0].as_py()), str(reason))
            found = [*self._rejected.get(key, []), *_drawn(rows, _REJECTED_SAMPLES)]
            self._rejected[key] = _lowest(found, _REJECTED_SAMPLES)

    @property
    def unique_prompts(self) -> int:
        """Distinct problem ids among the released rows."""
        return _distinct(self._ids)

    @property
    def samples(self) -> list[dict[str, Any]]:
        """A few whole rows, drawn by the hash of their id: the same rows whatever the shards."""
        return [row for _, row in self._samples]

    @property
    def rejected_samples(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """A few whole rejected rows by step and reason, drawn in the same way."""
        return {key: [row for _, row in rows] for key, rows in self._rejected.items()}

    def sources(self) -> list[dict[str, Any]]:
        """Rows and distinct prompts of each source, license and domain."""
        return [
            {
                "source": source,
                "license": licence,
                "domain": domain,
                "rows": self._source_rows[(source, licence, domain)],
                "unique_prompts": _distinct(ids),
            }
            for (source, licence, domain), ids in sorted(self._sources.items(), key=lambda kv: str(kv[0]))
        ]

    def tokens(self) -> dict[str, Any]:
        """Token totals and the quantiles of completion length, in the teacher's own tokens."""
        lengths = np.concatenate(self._tokens) if self._tokens else np.zeros(0)
        spread = {}
        if lengths.size:
            spread = {f"p{round(q * 100)}": int(np.quantile(lengths, q)) for q in _QUANTILES}
        return {
            "prompt": self._sums["prompt_tokens"],
            "completion": self._sums["completion_tokens"],
            "completion_length": spread,
            "completion_histogram": _log_bins(lengths),
        }

    def teachers(self) -> dict[str, int]:
        """Released rows per teacher."""
        return dict(sorted(self._teachers.items()))

    def verdicts(self) -> dict[str, dict[str, int]]:
        """Completions by verdict: `released` and `held_back`."""
        sides = {"released": self._released, "held_back": self._held_back}
        return {side: dict(sorted(counts.items())) for side, counts in sides.items()}

    def verifiers(self) -> list[dict[str, Any]]:
        """How often each verifier, by version, gave each verdict on the released rows."""
        found: dict[tuple[str, str], dict[str, int]] = {}
        for (verifier, version, verdict), count in sorted(self._verdicts.items()):
            found.setdefault((verifier, version), {})[verdict] = count
        return [{"verifier": v, "version": n, "verdicts": counts} for (v, n), counts in found.items()]

    def pass_rates(self) -> list[int]:
        """Released problems per tenth of pass rate; empty when nothing measured it."""
        return _histogram(self._pass_rates)

    def dropped_pass_rates(self) -> list[int]:
        """The same for problems of which no row is released."""
        return _histogram(Counter(self._dropped.values()))

    @property
    def without_reasoning(self) -> int:
        """Released completions that have an answer and no reasoning."""
        return self._without_reasoning


def _drawn(table: pa.Table, count: int) -> list[tuple[int, dict[str, Any]]]:
    """The rows of a table whose ids draw the lowest numbers."""
    key = "completion_id" if "completion_id" in table.column_names else "id"
    ranks = [draw(0, str(value)) for value in table[key].to_pylist()]
    places = sorted(range(len(ranks)), key=ranks.__getitem__)[:count]
    return [(ranks[row], table.slice(row, 1).to_pylist()[0]) for row in places]


def _lowest(rows: list[tuple[int, dict[str, Any]]], count: int) -> list[tuple[int, dict[str, Any]]]:
    return sorted(rows, key=lambda pair: pair[0])[:count]


def _words(table: pa.Table) -> list[str]:
    """Verdicts of completions; a problem without one has nothing to judge."""
    return verdict_words(table) if "content" in table.column_names else []


def _bin(rate: float) -> int:
    return min(int(rate * PASS_RATE_BINS), PASS_RATE_BINS - 1)


def _histogram(counts: Counter[int]) -> list[int]:
    return [counts[i] for i in range(PASS_RATE_BINS)] if counts else []


def _values(table: pa.Table, name: str) -> list[str | None]:
    values: list[str | None] = (
        table[name].to_pylist() if name in table.column_names else [None] * table.num_rows
    )
    return values


def _votes(column: pa.ChunkedArray) -> Iterator[tuple[str, str, str]]:
    votes: list[list[Mapping[str, Any]] | None] = column.to_pylist()
    for given in votes:
        for vote in given or ():
            yield str(vote["verifier"]), str(vote["version"]), str(vote["verdict"])


def _distinct(parts: list[pa.Array]) -> int:
    return len(pa.chunked_array(parts, pa.string()).unique()) if parts else 0


def _log_bins(lengths: Any) -> list[dict[str, int]]:
    if not lengths.size:
        return []
    top = max(int(lengths.max()), 1)
    edges = [0, *(2**power for power in range(4, top.bit_length() + 1))]
    edges = edges if edges[-1] > top else [*edges, 2 ** top.bit_length()]
    counts, _ = np.histogram(lengths, bins=edges)
    return [
        {"from": low, "below": high, "rows": int(count)}
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
    ]
