"""The slow oracle as its askers see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

__all__ = ["Ask", "Question", "Undecided"]

Question = Literal["value", "identity", "relation", "whole"]
Ask = Callable[[Question, str, str], bool]
"""The oracle: a question about two LaTeX texts, gold first. Raises Undecided when it cannot tell."""


class Undecided(Exception):
    """Nothing is known of the two answers; `outcome` says whether time ran out or something broke."""

    def __init__(self, outcome: Literal["error", "timeout"], detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail
