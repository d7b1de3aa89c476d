"""Chooses, per problem, the completions to release."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from factory.core import Flow, Stage, cut
from factory.core.choice import draw
from factory.stages.answers.verdict_evidence import verdict_evidence

__all__ = ["Select"]

_COLUMNS = ("id", "completion_id", "sample_index", "completion_tokens", "content", "verdict")


class Select(Stage):
    """Keeps up to `per_problem` completions of each problem, those that passed unless told otherwise.

    Light-R1 (2503.10460) keeps one correct answer per problem, at random where there are several.
    """

    version: ClassVar[int] = 2
    type: Literal["select"] = "select"
    requires: ClassVar[frozenset[str]] = frozenset(_COLUMNS)
    verdict: Literal["pass", "any"] = "pass"
    """Which completions may be kept: those judged right, or all."""
    per_problem: Annotated[int, Field(ge=1)] | None = 1
    """Most completions kept of one problem; null: all that may be kept."""
    choose: Literal["first", "shortest", "longest", "random"] = "first"
    """Which of several: the first drawn, by tokens of the whole completion, or at random by their ids."""
    seed: int | None = None
    """Seed of the random choice; null: the pipeline's."""

    def apply(self, batch: pa.Table) -> Flow:
        """Cuts as failed, unjudged or not_selected; all completions of a problem are in one shard.

        The evidence of a row is what its verifiers said; of one not selected also which were kept.
        """
        rows = batch.select(list(_COLUMNS)).to_pylist()
        reasons = [self._unfit(row["verdict"]) for row in rows]
        fit: dict[str, list[int]] = defaultdict(list)
        for place, row in enumerate(rows):
            if reasons[place] is None:
                fit[row["id"]].append(place)
        rivals: dict[int, dict[str, Any]] = {}
        for places in fit.values():
            places.sort(key=lambda place: self._order(rows[place]))
            chosen = [rows[place]["completion_id"] for place in places[: self.per_problem]]
            for place in places[len(chosen) :]:
                reasons[place] = "not_selected"
                rivals[place] = {"choose": self.choose, "kept": chosen}
        evidence = verdict_evidence(batch, [reason is not None for reason in reasons], more=rivals)
        return cut(batch, pa.array(reasons, pa.string()), evidence=evidence)

    def _unfit(self, verdict: str | None) -> str | None:
        if self.verdict == "any" or verdict == "pass":
            return None
        return "failed" if verdict == "fail" else "unjudged"

    def _order(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        drawn = (row["sample_index"], row["completion_id"])
        if self.choose == "random":
            return (draw(self.seed, row["completion_id"]), *drawn)
        # A teacher that counts no tokens is measured in characters, about four to a token.
        length = row["completion_tokens"]
        length = len(row["content"] or "") / 4 if length is None else length
        return ({"first": 0, "shortest": length, "longest": -length}[self.choose], *drawn)
