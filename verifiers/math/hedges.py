"""Words around an answer that correct it, link it to others, take it back or leave it open."""

from __future__ import annotations

import re

from verifiers.math.compare import same_answer
from verifiers.math.number import read_number

__all__ = [
    "COMPARED", "CORRECTED", "FINALLY", "HEDGED", "LINKED", "NEGATED", "UNREAL", "VALUE",
    "denied", "denied_behind", "offered_before", "questioned", "rivalled",
]  # fmt: skip

VALUE = re.compile(
    r"(?<![\w.,/])-?(?:\\\$|[$€£])?(?:\d{1,3}(?:\{?,\}?(?:\\!)?\d{3})+(?!\d)|\d+)(?:[.,]\d+)?(?:\s*/\s*\d+)?(?:_\{?\d+\}?)?(?:\s*(?:\\?%|percent\b))?"
    r"|(?<![\w.])\.\d+|\\frac\{[^{}]+\}\{[^{}]+\}"
)
"""A value in running text."""
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
    r"(?i)final\s+answer|answer[^.\n]{0,40}\bis\b|\bfinally\b"
    r"|\b(?:therefore|thus|hence|so|in total|overall|in conclusion)\b[^\n]{0,200}\Z"
)
COMPARED = re.compile(
    r"(?i)(?:not )?(?:(?:less|more|greater|fewer|smaller|larger) than|at (?:most|least)|between"
    r"|twice|half|double|triple|thrice|no longer|far from|nowhere near|neither|negative|minus"
    r"|(?:the )?(?:(?:square |cube )?root|square|cube|inverse|reciprocal|sum|product|double|half"
    r"|opposite) of)\b"
)
"""Opens what is a bound, or an operation on a value, and not the value."""
NEGATED = re.compile(
    r"(?i)(?:not\b|never\b|nicht\b|kein|n'est pas|n’est pas|pas\b|no es\b|non è|não\b|не\s|не\b|不是|不"
    r"|ではない|niet\b|nie\b|değil|không)"
)
"""Opens what the answer is not."""
UNREAL = re.compile(
    r"(?i)\b(?:suppose|assum(?:e|ing)|if|whether|unless|imagine|pretend|were|say|claims?|nobody"
    r"|no one|hardly|never|doubt|deny)\b"
    r"(?:\s+(?:for a moment|first|now|would|could|can|say|claim|think|believe))*(?:\s+that)?"
    r"(?:\s+the)?(?:\s+(?:final|correct|right))?\s*\Z"
)
"""Ends right before an answer that is only supposed, or put in another's mouth."""
_DENIALS = (
    *(" not", "isn't", "isn’t", "never", "anything but", "other than", "except", "except for", "rather than"),
    *(
        "cannot be",
        "can't be",
        "can’t be",
        "not equal to",
        "not be",
        "more than",
        "less than",
        "greater than",
    ),
    *("fewer than", "smaller than", "larger than", "nicht", "n'est pas", "不是"),
)
_LAST_LETTERS = "".join({denial[-1] for denial in _DENIALS} | {denial[-1].upper() for denial in _DENIALS})
_FALSE_THAT = re.compile(
    r"\b(?:false|wrong|incorrect|untrue|not (?:true|correct|right|the case)|mistake to (?:say|think)"
    r"|nobody|no one|hardly|(?:do|does|did|can|could|would|should)(?: not|n't|n’t) (?:say|mean|think"
    r"|believe|claim|conclude|imply))\b"
    r"[^.\n]{0,60} that\b[^.\n]*\Z"
)
_CLAIMS = (
    "false",
    "wrong",
    "incorrect",
    "untrue",
    "not ",
    "n't",
    "n’t",
    "mistake",
    "nobody",
    "no one",
    "hardly",
)
"""One of these is in every text that the pattern above finds; most texts have none."""
_SUPPOSITION = re.compile(
    r"\b(?:if|suppose|assume|assuming)\b[^.,\n]{0,30}\b(?:answer|result|value|it)\s+(?:is|was|were|be|=)[^.,\n]{0,12}\Z"
)
_SUPPOSED = ("if the", "if it", "if that", "suppos", "assum")
_DRESSING = " \t\n:=*$\\([{"
"""What may stand between a word and the box it is about."""
_CLOSERS = r"(?:\s|\\[)\]]|\$|\*|\)|\})*"
_OR_ELSE = re.compile(
    r"\s*(?:\\[)\]]|\$|\*\*)*\s*[,(]?\s*(?:or|alternatively|maybe|perhaps|possibly)\b[\s,:]*"
    r"(?:(?:maybe|possibly|perhaps|even|else|also)\s+)?(?:\\\(|\$)?\s*"
    r"(-?\d+(?:/\d+)?|-?\\frac\{\d+\}\{\d+\})(?![\d.,:%\w]|\\%|\s*(?:\\?%|percent))"
)
_WRONG = (
    r"(?:wrong|incorrect|false|invalid|impossible|untrue|mistaken|a mistake|an error"
    r"|too (?:large|small|big|high|low)"
    r"|not (?:the )?(?:correct|right|answer|true|valid|possible|acceptable|final))"
)
_BEHIND = re.compile(
    rf"(?i){_CLOSERS}[,.;!]?\s*(?:(?:but|no|and|however|though|which|that|this|it)\b,?\s*)*"
    r"(?:\b(?:is|was|seems|looks|appears to be|must be|would be|turns out to be)\b|'s\b|’s\b)?\s*"
    r"(?:(?:also|clearly|definitely|of course|actually|just|simply|probably|certainly|obviously)\s+)*"
    rf"(?:{_WRONG}\b|(?:cannot|can't|can’t|can not|could not|couldn't|may not)\s+be\b|isn't (?:right"
    rf"|correct|the)|isn’t (?:right|correct|the)"
    r"|does(?: not|n't|n’t) (?:work|satisfy|hold))"
)
_TAKEN_BACK = re.compile(
    rf"(?i)\b(?:this|that|it|above|answer|my result)(?:\s+(?:answer|result|value))?(?:'s|’s|\s+(?:is"
    rf"|was|seems|looks|must be|appears|may be|might be|could be))\s+"
    rf"(?:\w+\s+){{0,2}}?{_WRONG}\b"
    r"|\b(?:wait|hmm|oops|sorry|hold on)\b[^\n]{0,80}\b(?:wrong|mistake|incorrect|error|not (?:right"
    r"|correct)|forgot|missed|overlooked)\b"
    r"|\bi (?:made|have made) (?:a|an) (?:mistake|error)\b"
)
_OTHER = re.compile(
    rf"(?i)(?:\b(?:answer|result|value|solution)\b[^.\n\d$\\]{{0,30}}?\b(?:is|be|equals)\b|\bit\s+(?:could|may|might)\s+(?:also\s+|well\s+)?be\b"
    rf"|\b(?:correction|alternatively|on second thought|rather"
    rf"|instead)\b[^.\n\d$\\]{{0,40}})(?!\s*not\b)\s*:?\s*(?:\\\(|\$"
    rf"|\*\*)?\s*({VALUE.pattern})(?!\s*[=+\-*/^_<>{{]|\s*\\[a-zA-Z]|[a-zA-Z\d])"
)
_EITHER = re.compile(
    rf"(?i)(?:\b(?:answer|either|value|result|it)\b[^.\n]{{0,40}}?)({VALUE.pattern})\$?\s*,?\s*or\s+\$?({VALUE.pattern})\$?\s*[.:]?[\s$\\(\[]*\Z"
)
LOOK_BEHIND = 400
"""Characters behind a box that may take it back."""


def denied(text: str, start: int) -> bool:
    """Whether the words right before a box say that this is not the answer."""
    said = text[start - 24 if start > 24 else 0 : start].rstrip(_DRESSING)
    if said[-1:] in _LAST_LETTERS and said.lower().endswith(_DENIALS):
        return True
    first = start - 120 if start > 120 else 0
    window = text[first:start].lower()
    if " that" in window and any(map(window.__contains__, _CLAIMS)):
        return _FALSE_THAT.search(window) is not None
    return any(map(window.__contains__, _SUPPOSED)) and _SUPPOSITION.search(window) is not None


def denied_behind(text: str, end: int) -> bool:
    """Whether the words behind a box, or behind its sentence, say that it is wrong."""
    if len(text) - end < len("is wrong"):
        return False
    after = text[end : end + LOOK_BEHIND]
    return _BEHIND.match(after) is not None or _TAKEN_BACK.search(after) is not None


def questioned(text: str, end: int) -> bool:
    """Whether the value that ends here ends a question."""
    return "?" in text[end : end + 12] and re.match(rf"{_CLOSERS}\?", text[end : end + 12]) is not None


def rivalled(text: str, end: int, inner: str) -> bool:
    """Whether another plain value is offered behind a box that holds one."""
    if len(text) - end < len(" or 1") or read_number(inner) is None:
        return False
    match = _OR_ELSE.match(text, end, end + 80)
    if match is not None and same_answer(inner, match[1]) is False:
        return True
    others = _OTHER.finditer(text, end, min(len(text), end + LOOK_BEHIND))
    return any(same_answer(inner, other[1]) is False for other in others)


def offered_before(text: str, start: int, inner: str) -> bool:
    """Whether the text right before a box leaves its value and another open."""
    if " or " not in text[start - 60 if start > 60 else 0 : start]:
        return False
    match = _EITHER.search(text[start - 160 if start > 160 else 0 : start])
    return match is not None and same_answer(match[1], match[2]) is False
