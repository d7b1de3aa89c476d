"""Finds a reference answer that stands in its own prompt."""

from __future__ import annotations

import re

__all__ = ["answer_span"]

_INTRO = re.compile(
    r"(?:\b(?:correct |final |right )?answer(?: is|\s*:|\s*=)"
    r"|\bthe (?:correct |final )?solution is"
    r"|(?:^|\n)\s*####|答案(?:是|为|：|:))\s*",
    re.IGNORECASE,
)
_OPENED = re.compile(r"(?:\*\*|\$|\\\()\s*")
_BOX = re.compile(r"\\boxed\{\s*")
_END = re.compile(
    r"(?=\s*(?:[)\]},;!?$\n]|\.(?!\d)|$)|\s+(?!or\b|and\b|to\b|if\b|when\b|in\b)[a-z]+\s*(?:[).,!\n]|$))",
    re.IGNORECASE,
)
_CUE = re.compile(r"answer|solution|####|答案|\\boxed", re.IGNORECASE)
"""What every way of naming an answer holds; most prompts have none, and are done with it."""
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
    if _CUE.search(prompt):
        named = _named(prompt, gold)
        if named is not None:
            return named
    if len(_WORD.findall(gold)) < _LONG_WORDS:
        return None
    if len(_OPTION.findall(prompt)) > 1 or _ASKS_TO_PROVE.search(prompt):
        return None
    at = prompt.find(gold)
    return (at, at + len(gold)) if at >= 0 else None


def _named(prompt: str, gold: str) -> tuple[int, int] | None:
    """Where the prompt calls the reference its answer, or boxes it."""
    wanted = gold.casefold()
    for intro in _INTRO.finditer(prompt):
        opened = _OPENED.match(prompt, intro.end())
        for start in (intro.end(), opened.end() if opened else None):
            end = (start or 0) + len(gold)
            if start and prompt[start:end].casefold() == wanted and _END.match(prompt, end):
                return intro.start(), end
    for box in _BOX.finditer(prompt):
        end = box.end() + len(gold)
        closed = prompt[box.end() : end] == gold and re.match(r"\s*\}", prompt[end : end + 9])
        if closed:
            return box.start(), end + closed.end()
    return None
