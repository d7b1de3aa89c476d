"""Words around a boxed answer that correct it, link it to others, or take it back."""

from __future__ import annotations

import re

from verifiers.math.compare import same_answer
from verifiers.math.number import read_number

__all__ = ["CORRECTED", "FINALLY", "HEDGED", "LINKED", "denied", "rivalled"]

CORRECTED = re.compile(
    r"(?i)\b(?:wrong|mistake|incorrect|error|wait|correct(?:ion|ed|ing|ly)|actually|instead|recheck|re-?evaluate"
    r"|not right|recalculat\w*|revis\w+|reconsider\w*|should be)\b"
)
HEDGED = re.compile(
    r"(?i)\b(?:or|either|alternatively|maybe|might|perhaps|possibly|could)\b|another (?:possib|answer)"
)
LINKED = re.compile(
    r"(?i)(?:[\s$,;.&]|\\[()\[\],;! ]|\\quad|\\qquad|\\text\{[^{}]{0,40}\}|\\\\|\b(?:and|or|for|part|also"
    r"|with|the|other|is|so|x|y|z|n|[ivx]+|[a-h])\b|[()=])*\Z"
)
FINALLY = re.compile(
    r"(?i)final\s+answer|answer[^.\n]{0,40}\bis\b"
    r"|\b(?:therefore|thus|hence|so|in total|overall)\b[^\n]{0,200}\Z"
)
_DENIED = re.compile(
    r"(?i)(?:\b(?:not|isn't|never|anything but|other than|except(?: for)?|rather than|cannot be|can't be)"
    r"(?: equal to)?"
    r"|\b(?:false|wrong|incorrect|untrue|not (?:true|correct|right|the case)) that\b[^.\n]{0,80})"
    r"[\s:=]*(?:\\\(|\\\[|\$|\*\*)*\s*\Z"
)
_OR_ELSE = re.compile(
    r"\s*(?:\\[)\]]|\$|\*\*)*\s*[,(]?\s*(?:or|alternatively|maybe|perhaps|possibly)\b[\s,:]*"
    r"(?:(?:maybe|possibly|perhaps|even|else|also)\s+)?(?:\\\(|\$)?\s*"
    r"(-?\d+(?:/\d+)?|-?\\frac\{\d+\}\{\d+\})(?![\d.,:%\w]|\\%|\s*(?:\\?%|percent))"
)


def denied(text: str, start: int) -> bool:
    """Whether the words right before a box say that this is not the answer."""
    return _DENIED.search(text[max(0, start - 160) : start]) is not None


def rivalled(text: str, end: int, inner: str) -> bool:
    """Whether another plain value is offered right behind a box that holds one."""
    match = _OR_ELSE.match(text, end, end + 80)
    return match is not None and read_number(inner) is not None and same_answer(inner, match[1]) is False
