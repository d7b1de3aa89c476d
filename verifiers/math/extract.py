"""Finding the final answer in a completion: the last box, else what the text says the answer is."""

from __future__ import annotations

import re

from verifiers.math.boxes import Rival, Same, boxed, boxes
from verifiers.math.canonical import canonical
from verifiers.math.compare import same_answer
from verifiers.math.endings import Found
from verifiers.math.hedges import denied_behind
from verifiers.math.statements import stated

__all__ = ["Found", "answer_part", "find_answer"]

MAX_SCAN = 20_000
"""Characters from the end of the answer part that are searched."""
MAX_ANSWER = 2_000
"""Longer answers are never compared; no reference comes near."""
_THINK_END = "</think>"
_SOLUTION = "<|begin_of_solution|>"
_TURN_END = re.compile(r"(?<=\S)\s*<\|(?:im_start|im_end|endoftext|eot_id|end_of_text|end)\|>")
"""What follows is no part of the turn."""
_ANSWER_TAG = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


def answer_part(content: str) -> str | None:
    """The text after the thinking; null when thinking was opened and never closed."""
    if "<" not in content:
        return _tail(content)
    cut = content.rfind(_THINK_END)
    if cut >= 0:
        content = content[cut + len(_THINK_END) :]
    elif "<think>" in content:
        return None
    cut = content.rfind(_SOLUTION)
    if cut >= 0:
        content = content[cut + len(_SOLUTION) :]
    end = _TURN_END.search(content) if "<|" in content else None
    return _tail(content[: end.start()] if end is not None else content)


def _tail(content: str) -> str:
    """The end of a long text, from a space on: no number is cut in two."""
    if len(content) <= MAX_SCAN:
        return content
    tail = content[-MAX_SCAN:]
    gap = re.search(r"\s", tail)
    return tail[gap.end() :] if gap else ""


def find_answer(
    text: str, *, rival: Rival = "none", finished: bool = True, same: Same = same_answer
) -> Found:
    """Finds the final answer in the answer part of a completion, or in a worked reference.

    `rival` says what boxes that contradict each other come to. `finished` is false for a text that the limit
    of tokens cut off: only what it had concluded by then counts. `same` may compare boxes by algebra.
    """
    tags = _ANSWER_TAG.findall(text) if "</answer>" in text else []
    if tags:
        return _tagged(text, tags, rival=rival, same=same)
    found = boxed(text, rival=rival, finished=finished, same=same)
    if found is None:
        found = stated(text, finished=finished)
    if found.answer is not None and len(found.answer) > MAX_ANSWER:
        return Found(None, f"answer longer than {MAX_ANSWER} characters")
    return found


def _tagged(text: str, tags: list[str], *, rival: Rival, same: Same) -> Found:
    if len({canonical(tag) for tag in tags}) > 1:
        return Found(None, "several answer tags that differ")
    inside = find_answer(tags[-1], rival=rival, same=same)
    last = text.rindex("</answer>")
    behind, _ = boxes(text, last)
    before, _ = boxes(text[: text.rindex("<answer>")], 0)
    taken_back = before and denied_behind(text, before[-1].end)
    for box in [*behind[-1:], *([] if behind or taken_back else before[-1:])]:
        if same_answer(inside.answer or tags[-1], box.inner) is False:
            return Found(None, "an answer tag and a box that differ")
    if inside.answer is not None:
        return inside
    if "box" in inside.how or len(tags[-1]) > MAX_ANSWER:
        return inside
    return Found(tags[-1].strip(), "answer tag")
