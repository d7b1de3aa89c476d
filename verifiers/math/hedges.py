"""Words around a boxed answer that correct it, link it to others, or take it back."""

from __future__ import annotations

import re

from verifiers.math.compare import same_answer
from verifiers.math.number import read_number

__all__ = ["COMPARED", "CORRECTED", "FINALLY", "HEDGED", "LINKED", "denied", "rivalled"]

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
COMPARED = re.compile(r"(?i)(?:not )?(?:(?:less|more|greater|fewer|smaller|larger) than|at (?:most|least))\b")
"""Opens what is a bound and no value."""
_DENIALS = (
    *(" not", "isn't", "isn’t", "never", "anything but", "other than", "except", "except for", "rather than"),
    *("cannot be", "can't be", "can’t be", "not equal to", "not be"),
)
_LAST_LETTERS = "".join({denial[-1] for denial in _DENIALS} | {denial[-1].upper() for denial in _DENIALS})
_FALSE_THAT = re.compile(
    r"\b(?:false|wrong|incorrect|untrue|not (?:true|correct|right|the case)) that\b[^.\n]*\Z"
)
_DRESSING = " \t\n:=*$\\(["
"""What may stand between a word and the box it is about."""
_OR_ELSE = re.compile(
    r"\s*(?:\\[)\]]|\$|\*\*)*\s*[,(]?\s*(?:or|alternatively|maybe|perhaps|possibly)\b[\s,:]*"
    r"(?:(?:maybe|possibly|perhaps|even|else|also)\s+)?(?:\\\(|\$)?\s*"
    r"(-?\d+(?:/\d+)?|-?\\frac\{\d+\}\{\d+\})(?![\d.,:%\w]|\\%|\s*(?:\\?%|percent))"
)


def denied(text: str, start: int) -> bool:
    """Whether the words right before a box say that this is not the answer."""
    said = text[start - 24 if start > 24 else 0 : start].rstrip(_DRESSING)
    if said[-1:] in _LAST_LETTERS and said.lower().endswith(_DENIALS):
        return True
    first = start - 120 if start > 120 else 0
    return text.find(" that", first, start) >= 0 and _FALSE_THAT.search(text[first:start].lower()) is not None


def rivalled(text: str, end: int, inner: str) -> bool:
    """Whether another plain value is offered right behind a box that holds one."""
    if len(text) - end < len(" or 1"):
        return False
    match = _OR_ELSE.match(text, end, end + 80)
    return match is not None and read_number(inner) is not None and same_answer(inner, match[1]) is False
