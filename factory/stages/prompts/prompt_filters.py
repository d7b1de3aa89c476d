"""Rejects prompts of kinds that cannot be answered from their text, or not be verified."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from factory.core import Filter, prompt_texts
from factory.stages.prompts.prompt_kinds import is_incomplete, needs_page, needs_table

__all__ = ["Kind", "PromptFilters"]

Kind = Literal["unicode", "incomplete", "url", "table", "multiple_choice", "multi_part", "proof"]

_UPPER = re.compile(r"(?:^|[\s$])(?:\(([A-F])\)|([A-F])[).:])\s*\S|\\text(?:bf)?\{\s*\(([A-F])\)")
_LOWER = re.compile(r"(?:^|\s)(?:\(([a-f]|i{1,3}|iv)\)|([a-f])[).])\s+\S", re.MULTILINE)
_OF_THE_FOLLOWING = re.compile(
    r"\bof (?:the following|these)\b|\boptions?:|\bchoices?:|下列|以下哪", re.IGNORECASE
)
_PARTS = re.compile(r"\b[Pp]art \(?(?:[A-D]|[a-d]|[1-4]|I{1,3})\)?\s*[:.\n]")
_NUMBERED = re.compile(
    r"^\s*\(?([1-6])[).]\s+\S.*(?:\?|\b(?:find|show|prove|compute|determine)\b)", re.MULTILINE
)
_PROOF = re.compile(
    r"(?:^|[.:,;!?$\n\])]\s*|\b(?:and|then|to|please|can you|must) )"
    r"(?:prove|show|demonstrate|disprove) (?:that|the|if|why|it)\b"
    r"|\bgive a proof\b|\bprove or disprove\b|求证|证明[：:]?",
    re.IGNORECASE,
)


def _row(text: str) -> dict[str, Any]:
    return {"prompt": [{"role": "user", "content": text}]}


class PromptFilters(Filter):
    """Rejects prompts by kind; the reason is the kind.

    The first four are the query filters of AM-DeepSeek-Distilled-40M (2504.17565); AceReason drops multiple
    choice, multi-part and proof problems too, since no rule can verify their answers.
    """

    type: Literal["prompt-filters"] = "prompt-filters"
    version: ClassVar[int] = 2
    requires: ClassVar[frozenset[str]] = frozenset({"prompt"})
    examples: ClassVar[Sequence[tuple[Any, str | None]]] = (
        (_row("What is 2 + 3?"), None),
        (_row("求 1+1 的值。"), None),
        (_row("▓▒░ ☃☃☃ ꧁༺ ҉҉҉ 🎉🎉🎉"), "unicode"),
        (_row("Find the sum of the numbers 3, 4 and"), "incomplete"),
        (_row("Summarise https://example.org/page"), "url"),
        (_row("int[] twice(int[] xs) {"), None),
        (_row("| a | b |\n|---|---|\n| 1 | 2 |\nWhat is a + b?"), "table"),
    )
    reject_kinds: tuple[Kind, ...] = ("unicode", "incomplete", "url", "table")
    """Kinds of prompts that are rejected; a prompt of several kinds gets the first that is listed here."""
    max_unicode_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Largest share of characters that are neither blank, ASCII, letters of any script, digits, nor signs of
    mathematics and punctuation; for the kind `unicode`."""

    def reject(self, batch: pa.Table) -> pa.Array:
        """The first kind in `reject_kinds` that a prompt is of."""
        texts = prompt_texts(batch["prompt"]).to_pylist()
        return pa.array([self._reason(text) for text in texts], pa.string())

    def _reason(self, text: str) -> str | None:
        return next((kind for kind in self.reject_kinds if self._is(kind, text)), None)

    def _is(self, kind: Kind, text: str) -> bool:
        match kind:
            case "unicode":
                return _odd_share(text) > self.max_unicode_share
            case "incomplete":
                return is_incomplete(text)
            case "url":
                return needs_page(text)
            case "table":
                return needs_table(text)
            case "multiple_choice":
                return _is_choice(text)
            case "multi_part":
                return _is_multi_part(text)
            case "proof":
                return _PROOF.search(text) is not None


def _odd_share(text: str) -> float:
    odd = sum(ord(c) > 127 and unicodedata.category(c)[0] not in "LNPZ" and not _is_math(c) for c in text)
    return odd / max(1, len(text))


def _is_math(char: str) -> bool:
    # Combining marks are part of letters in many scripts; Sm holds the signs of mathematics, Sc currencies.
    return unicodedata.category(char) in ("Sm", "Sc", "Mn", "Mc") or char in "°′″²³√∞"


def _labels(found: list[tuple[str, ...]]) -> list[str]:
    return [next(label for label in labels if label) for labels in found]


def _is_choice(text: str) -> bool:
    """Three labels in a row, from A on: upper case, or lower case after "which of the following"."""
    if _labels(_UPPER.findall(text))[:3] == ["A", "B", "C"]:
        return True
    return _OF_THE_FOLLOWING.search(text) is not None and _labels(_LOWER.findall(text))[:3] == ["a", "b", "c"]


def _is_multi_part(text: str) -> bool:
    """Two parts asked one after the other, which are not the options of a choice."""
    if _is_choice(text):
        return False
    lower = _labels(_LOWER.findall(text))[:2]
    return (
        lower in (["a", "b"], ["i", "ii"])
        or len(_PARTS.findall(text)) > 1
        or _NUMBERED.findall(text)[:2] == ["1", "2"]
    )
