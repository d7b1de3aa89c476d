"""Finds a reference answer that stands in its own prompt."""

from __future__ import annotations

import re

__all__ = ["answer_span"]

_INTRO = (
    r"(?:\b(?:correct |final |right )?answer(?: is|\s*:|\s*=)"
    r"|\bthe (?:correct |final )?solution is"
    r"|(?:^|\n)\s*####|答案(?:是|为|：|:))"
)
_WORD = re.compile(r"(?<![\\\w])[^\W\d_]{3,}|[\u3040-\u30ff\u4e00-\u9fff]{2}")
_LONG_WORDS = 6
"""Words of a reference that does not meet its prompt by chance; a formula has none, and is often repeated."""
_OPTION = re.compile(r"(?:^|\s)\(?[A-E][).:]\s", re.MULTILINE)
_ASKS_TO_PROVE = re.compile(r"\b(?:prove|show|verify|given) that\b", re.IGNORECASE)


def answer_span(prompt: str, reference: str) -> tuple[int, int] | None:
    """Characters of the prompt that give the reference away as its answer; null when none do.

    A short reference counts only where it is called the answer ("(answer: 42)", "the answer is 42.", a box):
    its digits alone occur in many a problem. A long text counts wherever it stands, but for problems
    that must hold it: multiple choice, and proofs of a given result.
    """
    gold = reference.strip()
    if not gold:
        return None
    literal = re.escape(gold)
    end = (
        r"(?=\s*(?:[)\]},;!?$\n]|\.(?!\d)|$)|\s+(?!or\b|and\b|to\b|if\b|when\b|in\b)[a-z]+\s*(?:[).,!\n]|$))"
    )
    named = re.search(rf"{_INTRO}\s*(?:\*\*|\$|\\\()?\s*{literal}{end}", prompt, re.IGNORECASE)
    if named is None:
        named = re.search(rf"\\boxed\{{\s*{literal}\s*\}}", prompt)
    if named is not None:
        return named.span()
    if len(_WORD.findall(gold)) < _LONG_WORDS:
        return None
    if len(_OPTION.findall(prompt)) > 1 or _ASKS_TO_PROVE.search(prompt):
        return None
    at = prompt.find(gold)
    return (at, at + len(gold)) if at >= 0 else None
