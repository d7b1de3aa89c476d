"""What counts as an overlap of word n-grams."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["MIN_WHOLE", "GramRule"]

MIN_WHOLE = 4
"""A text of fewer tokens matches only when row and item are equal: "True or false?" is everywhere."""


class GramRule(BaseModel):
    """One rule of overlap by word n-grams.

    In use: 8 words, any (s1, open-r1); 9, any (AceReason); 13, any (OpenThoughts3); 32, any, with digits
    stripped (Light-R1). The default finds 8-grams that cover 0.3 of the benchmark item: on real prompts any
    shared 8-gram flags 1.5 % of clean rows, most for a common phrase, and coverage 0.3 flags 0.3 %.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    n: Annotated[int, Field(ge=1, le=100)] = 8
    """Tokens of an n-gram."""
    tokens: Literal["alnum", "symbols", "whitespace"] = "alnum"
    """How texts are cut: runs of letters and digits, the same with operators, or what blanks separate."""
    rule: Literal["coverage", "any"] = "coverage"
    """Whether n-grams must cover a share of the item and what they cover be its copy, or one is enough."""
    min_coverage: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Smallest share of the item's n-grams that a contaminated text holds; for the rule `coverage`."""
    short_items: Literal["whole", "unseen"] = "whole"
    """Whether texts with fewer than n tokens are compared whole, or not at all as in most scripts."""
    digits_stripped: bool = False
    """Whether a text that equals an item but for digits and punctuation is contaminated too (Light-R1)."""
    min_letters: Annotated[int, Field(ge=1)] = 12
    """Fewest letters of an item that is compared without digits: "Compute 3+4" would meet every "Compute".
    Light-R1 has no such limit: 1."""

    @property
    def threshold(self) -> float:
        """Smallest coverage of a hit; 0 stands for any shared n-gram."""
        return self.min_coverage if self.rule == "coverage" else 0.0
