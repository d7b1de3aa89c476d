"""What every way of finding an overlap with a benchmark gives, and what is done about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from factory.stages.decontamination.likeness import Likeness
from factory.stages.decontamination.passages import Segments
from factory.text.plain import original_span

__all__ = ["Action", "Hit", "Overlap", "Policy"]

_SHOWN = 300
_INSIDE = 0.5
"""Share of a text below which a copy is inside it, rather than the text."""

Action: TypeAlias = Literal["reject", "review", "keep"]


class Policy(BaseModel):
    """What is done about each kind of overlap."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    copied: Action = "reject"
    """The item itself, whatever its markup, case and punctuation."""
    near_copy: Action = "reject"
    """The item with words changed, left out or put in."""
    paraphrase: Action = "reject"
    """The same question in other words."""
    inside: Action = "reject"
    """Any of these as the smaller part of a longer text: behind an instruction, among examples."""
    answer: Action = "reject"
    """Any of these in a completion: a teacher that recites an item."""
    number_twin: Action = "review"
    """The item's words with other numbers, names of variables or formulas: another problem, made from it."""
    translation: Action = "review"
    """The item in another script; needs an embedding model that reads both."""
    doubtful: Action = "review"
    """What may be any of these and was not sure."""

    def actions(self) -> dict[str, Action]:
        """What is done about each kind."""
        return {
            "copied": self.copied,
            "near_copy": self.near_copy,
            "paraphrase": self.paraphrase,
            "inside": self.inside,
            "answer": self.answer,
            "number_twin": self.number_twin,
            "translation": self.translation,
            "doubtful": self.doubtful,
        }


@dataclass(frozen=True, slots=True)
class Hit:
    """One text and the benchmark item that it overlaps with."""

    segment: int
    benchmark: str
    item: str
    span: tuple[int, int]
    """Matched characters of the plain text."""
    likeness: Likeness
    more: dict[str, Any]
    """What the rule measured, and its name."""
    forced: bool = False
    """Whether the rule takes what it finds for contamination, whatever its kind: a published rule does."""

    def kind(self, texts: Segments) -> str:
        """The field of the policy that says what is done about it."""
        if not self.likeness.certain:
            return "doubtful"
        if self.likeness.kind in ("number_twin", "translation"):
            return self.likeness.kind
        if texts.parts[self.segment] != "prompt":
            return "answer"
        start, end = self.span
        if end - start < _INSIDE * len(texts.plain[self.segment].as_py()):
            return "inside"
        return "copied" if self.likeness.kind == "copy" else self.likeness.kind

    def evidence(self, texts: Segments) -> dict[str, Any]:
        """The hit as plain values; the matched text is cut at 300 characters."""
        text = texts.original[self.segment].as_py()
        start, end = self.span
        if text != texts.plain[self.segment].as_py():
            start, end = original_span(text, start, end)
        place = {"part": texts.parts[self.segment], "turn": texts.turns[self.segment]}
        return {
            "benchmark": self.benchmark,
            "item": self.item,
            "kind": self.kind(texts),
            "likeness": self.likeness.kind,
            **self.likeness.measures,
            **self.more,
            **place,
            "role": texts.roles[self.segment],
            "span": [start, end],
            "text": text[start:end][:_SHOWN],
        }

    def proof(self, texts: Segments) -> str:
        """`evidence` as a JSON object."""
        return json.dumps(self.evidence(texts), ensure_ascii=False)


class Overlap(Protocol):
    """A rule, opened over the items of all benchmarks."""

    def find(self, texts: Segments) -> Iterator[Hit]:
        """Hits of the texts, in any order; a text may have several."""
        ...

    def unseen(self, texts: Segments) -> npt.NDArray[np.bool_]:
        """Texts that the rule cannot see at all."""
        ...

    def unseen_items(self) -> set[tuple[str, str]]:
        """Items, as (benchmark, item), that the rule cannot see at all."""
        ...
