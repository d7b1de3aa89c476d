"""Measures how often a problem was solved."""

from __future__ import annotations

from collections import defaultdict
from typing import ClassVar, Literal

import pyarrow as pa

from factory.core import Flow, Stage, cut
from factory.core.intervals import wilson

__all__ = ["Difficulty"]

"""Quantile of the normal distribution for a two-sided 95 % interval."""


class Difficulty(Stage):
    """Adds the pass rate of each problem over its completions, with its counts and its 95 % interval.

    Pass rate = pass / (pass + fail): a completion that could not be judged counts for neither side.
    """

    type: Literal["difficulty"] = "difficulty"
    requires: ClassVar[frozenset[str]] = frozenset({"id", "verdict"})
    adds: ClassVar[pa.Schema] = pa.schema(
        [
            ("n_samples", pa.int32()),
            ("n_judged", pa.int32()),
            ("n_passed", pa.int32()),
            ("pass_rate", pa.float64()),
            ("pass_rate_low", pa.float64()),
            ("pass_rate_high", pa.float64()),
        ]
    )

    def apply(self, batch: pa.Table) -> Flow:
        """Counts by problem; all completions of a problem are in one shard. Cuts nothing."""
        verdicts: dict[str, list[str | None]] = defaultdict(list)
        ids = batch["id"].to_pylist()
        for problem, verdict in zip(ids, batch["verdict"].to_pylist(), strict=True):
            verdicts[problem].append(verdict)
        measured = {problem: _measured(found) for problem, found in verdicts.items()}
        columns = {name: [measured[problem][name] for problem in ids] for name in self.adds.names}
        kept = batch
        for field in self.adds:
            kept = kept.append_column(field, pa.array(columns[field.name], field.type))
        return cut(kept, pa.nulls(kept.num_rows, pa.string()))


def _measured(verdicts: list[str | None]) -> dict[str, float | int | None]:
    passed, failed = verdicts.count("pass"), verdicts.count("fail")
    judged = passed + failed
    low, high = wilson(passed, judged) if judged else (None, None)
    return {
        "n_samples": len(verdicts),
        "n_judged": judged,
        "n_passed": passed,
        "pass_rate": passed / judged if judged else None,
        "pass_rate_low": low,
        "pass_rate_high": high,
    }
