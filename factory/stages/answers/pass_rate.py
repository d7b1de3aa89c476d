"""Keeps problems whose pass rate lies in a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field, model_validator

from factory.core import Filter, Flow, cut
from factory.stages.answers.verdict_evidence import verdict_evidence

__all__ = ["PassRate"]


class PassRate(Filter):
    """Keeps completions of problems that are neither too easy nor too hard for the model that was sampled.

    Windows in use: [0.25, 0.625] for Light-R1's reinforcement learning set (2503.10460), at most 6/16 for
    AceReason. A pass rate of 0 means a hard problem or a wrong reference: check the reference before cutting.
    """

    version: ClassVar[int] = 2
    type: Literal["pass-rate"] = "pass-rate"
    requires: ClassVar[frozenset[str]] = frozenset({"pass_rate"})
    minimal: ClassVar[Mapping[str, Any]] = {"min": 0.25, "max": 0.625}
    examples: ClassVar[Sequence[tuple[Any, str | None]]] = (
        (0.25, None),
        (0.625, None),
        (0.0, "too_hard"),
        (1.0, "too_easy"),
        (None, "unjudged"),
    )
    min: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Smallest pass rate kept."""
    max: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Largest pass rate kept."""

    @model_validator(mode="after")
    def _check(self) -> PassRate:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self

    def reject(self, batch: pa.Table) -> pa.Array:
        """One of unjudged, too_hard, too_easy."""
        return pa.array([self._reason(rate) for rate in batch["pass_rate"].to_pylist()], pa.string())

    def apply(self, batch: pa.Table) -> Flow:
        """Splits the batch by `reject`; the evidence is the pass rate and what the verifiers said."""
        reasons = self.reject(batch)
        return cut(batch, reasons, evidence=verdict_evidence(batch, reasons.is_valid().to_pylist()))

    def _reason(self, rate: float | None) -> str | None:
        if rate is None:
            return "unjudged"
        if rate < self.min:
            return "too_hard"
        return "too_easy" if rate > self.max else None
