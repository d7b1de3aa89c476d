"""Measures how often a problem was solved."""

from __future__ import annotations

from collections import defaultdict
from typing import ClassVar, Literal

import pyarrow as pa

from factory.core import MEASURED_COLUMNS, Flow, Stage, cut
from factory.core.intervals import wilson

__all__ = ["Difficulty"]


class Difficulty(Stage):
    """Adds the pass rate of each problem over its completions, with its counts and its 95 % interval.

    Pass rate = pass / (pass + fail): a completion that could not be judged counts for neither side.
    """

    type: Literal["difficulty"] = "difficulty"
    requires: ClassVar[frozenset[str]] = frozenset({"id", "verdict"})
    adds: ClassVar[pa.Schema] = MEASURED_COLUMNS

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
