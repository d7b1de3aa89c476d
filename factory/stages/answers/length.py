"""Rejects completions by the length of their parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from factory.core import Filter
from verifiers.length import length_fault, size_of

__all__ = ["Length"]


def _row(content: str | None, *, tokens: int | None = 10, finish: str = "stop") -> dict[str, Any]:
    return {"content": content, "completion_tokens": tokens, "finish_reason": finish}


class Length(Filter):
    """Rejects completions outside a budget of words or tokens, and those cut off by the token limit."""

    type: Literal["length"] = "length"
    version: ClassVar[int] = 2
    examples: ClassVar[Sequence[tuple[Any, str | None]]] = (
        (_row("The answer is 5."), None),
        (_row(""), "too_short"),
        (_row(None), "too_short"),
        (_row("因此答案是五。"), None),
        (_row("and so", finish="length"), "truncated"),
    )
    min_words: Annotated[int, Field(ge=0)] = 1
    """Fewest words of `content` kept; in a script without blanks each letter is a word."""
    max_words: Annotated[int, Field(ge=1)] | None = None
    """Most words of `content` kept; null: no limit."""
    min_tokens: Annotated[int, Field(ge=0)] | None = None
    """Fewest tokens of the whole completion kept, by the teacher's count; AceReason drops under 2,000."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Most tokens of the whole completion kept, by the teacher's count; REDI drops above 19,000."""
    max_prompt_tokens: Annotated[int, Field(ge=1)] | None = None
    """Most tokens of the prompt kept, by the teacher's count; REDI drops above 800."""
    keep_truncated: bool = False
    """Whether completions that stopped at the token limit are kept."""

    @model_validator(mode="after")
    def _check(self) -> Length:
        for low, high in ((self.min_words, self.max_words), (self.min_tokens, self.max_tokens)):
            if low is not None and high is not None and low > high:
                raise ValueError(f"the smallest length {low} is above the largest {high}")
        return self

    def needs(self) -> frozenset[str]:
        """`content`, and the columns that the limits in use read."""
        tokens = (
            {"completion_tokens"} if self.min_tokens is not None or self.max_tokens is not None else set()
        )
        prompt = set() if self.max_prompt_tokens is None else {"prompt_tokens"}
        return frozenset(
            {"content"} | tokens | prompt | (set() if self.keep_truncated else {"finish_reason"})
        )

    def reject(self, batch: pa.Table) -> pa.Array:
        """One of truncated, too_short, too_long, prompt_too_long; without a token count no limit applies."""
        reasons = pa.nulls(batch.num_rows, pa.string())
        if self.max_tokens is not None:
            reasons = _mark(reasons, pc.greater(batch["completion_tokens"], self.max_tokens), "too_long")
        if self.min_tokens is not None:
            reasons = _mark(reasons, pc.less(batch["completion_tokens"], self.min_tokens), "too_short")
        faults = [self._words_fault(content or "") for content in batch["content"].to_pylist()]
        reasons = pc.coalesce(pa.array(faults, pa.string()), reasons)
        if self.max_prompt_tokens is not None:
            long = pc.greater(batch["prompt_tokens"], self.max_prompt_tokens)
            reasons = _mark(reasons, long, "prompt_too_long")
        if not self.keep_truncated:
            reasons = _mark(reasons, pc.equal(batch["finish_reason"], "length"), "truncated")
        return reasons

    def _words_fault(self, content: str) -> str | None:
        # An answer of signs alone ("≥", ":)") is short, but it is one.
        size = size_of(content, unit="words") or int(bool(content.strip()))
        return length_fault(size, least=self.min_words, most=self.max_words)


def _mark(reasons: pa.Array, where: pa.Array, reason: str) -> pa.Array:
    if isinstance(where, pa.ChunkedArray):
        where = where.combine_chunks()
    return pc.if_else(pc.fill_null(where, False), pa.scalar(reason, pa.string()), reasons)
