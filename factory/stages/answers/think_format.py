"""Rejects completions that do not split into one thinking part and one answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import pyarrow as pa

from factory.core import Filter
from verifiers.format import form_fault

__all__ = ["ThinkFormat"]


def _row(thinking: str | None, answer: str | None) -> dict[str, Any]:
    return {"reasoning_content": thinking, "content": answer}


class ThinkFormat(Filter):
    """Rejects completions without thinking, without an answer, or with a tag of the format left in either.

    A release in the AM layout wraps both parts in tags, so a tag inside would break its rows.
    """

    type: Literal["think-format"] = "think-format"
    version: ClassVar[int] = 2
    requires: ClassVar[frozenset[str]] = frozenset({"content", "reasoning_content"})
    examples: ClassVar[Sequence[tuple[Any, str | None]]] = (
        (_row("2 and 3 is 5.", "5"), None),
        (_row(None, "5"), "no_reasoning"),
        (_row(" \n", "5"), "no_reasoning"),
        (_row("2 and 3 is", ""), "no_answer"),
        (_row("2 and 3 is 5.</think>", "5"), "stray_tag"),
        (_row("2 and 3 is 5.", "<answer>5"), "stray_tag"),
        (_row("二加三等于五。", "五"), None),
    )
    reasoning: Literal["wanted", "optional"] = "wanted"
    """Whether a completion without thinking is rejected."""

    def reject(self, batch: pa.Table) -> pa.Array:
        """One of no_answer, no_reasoning, stray_tag."""
        pairs = zip(batch["reasoning_content"].to_pylist(), batch["content"].to_pylist(), strict=True)
        return pa.array(
            [self._reason(thinking or "", answer or "") for thinking, answer in pairs], pa.string()
        )

    def _reason(self, thinking: str, answer: str) -> str | None:
        fault = form_fault(
            thinking,
            answer,
            min_thinking_words=1,
            answer_tags="forbidden",
            thinking_wanted=self.reasoning == "wanted",
        )
        return fault.kind if fault else None
