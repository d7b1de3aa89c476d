r"""The boxed answer of a completion: `\boxed{...}`, several of them, and what the text says of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from verifiers.math.canonical import canonical, closing_brace
from verifiers.math.compare import same_answer
from verifiers.math.endings import Found
from verifiers.math.hedges import (
    CORRECTED,
    FINALLY,
    HEDGED,
    LINKED,
    denied,
    denied_behind,
    offered_before,
    questioned,
    rivalled,
)  # fmt: skip
from verifiers.math.statements import clause, core

__all__ = ["Rival", "Same", "boxed", "boxes"]

MAX_UNCLOSED = 50
"""Boxes without an end, after which a text is not looked through any further."""
SILENT = 4
"""Characters behind a box in which nothing can be said of it."""
Same = Callable[[str, str], "bool | None"]
Rival = Literal["none", "all", "last"]
"""What boxes that contradict each other come to: no answer, all of them as a list, or the last."""


class Box(NamedTuple):
    """One closed box."""

    start: int
    end: int
    inner: str


_BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s*(?=(\{)|(\d+|[a-zA-Z])(?![a-zA-Z]))")
_FINAL = re.compile(r"(?i)\bfinal\s+answer\b[^\n.:=]{0,60}?(?:\bis\b|:|=)\s*")
_NO_VALUE = re.compile(
    r"(?i)(?:the\s+)?(?:boxed|above|as\b|given|shown|in the box|provided|correct|right|confirmed"
    r"|verified|indeed|thus|there|what)\b"
)


def boxes(text: str, start: int) -> tuple[list[Box], bool]:
    """The closed boxes from a place on, and whether the last box of all has no end."""
    found: list[Box] = []
    unclosed, open_end = 0, False
    for match in _BOX.finditer(text, start):
        if found and match.start() < found[-1].end:
            continue  # inside the box before it
        if match[1] is None:
            found.append(Box(match.start(), match.end(2), match[2]))
            continue
        end = closing_brace(text, match.end())
        unclosed += end is None
        open_end = end is None
        if unclosed > MAX_UNCLOSED:
            break  # each has looked for its end through the whole text
        if end is not None:
            found.append(Box(match.start(), end + 1, text[match.end() + 1 : end]))
    if len(found) > 1:
        found = [box for box in found if box.inner.strip()] or found[-1:]
    return found, open_end


def boxed(text: str, *, rival: Rival, finished: bool, same: Same) -> Found | None:
    """What the boxes of a text come to; null when it has none."""
    first = text.find("box")
    if first < 0:
        return None
    found, open_end = boxes(text, max(0, first - len(r"\frame")))
    if open_end:
        return Found(None, "a box without an end")
    if not found:
        return None
    last = found[-1]
    if rival == "none":
        said = _said_around(text, last, finished=finished)
        if said is not None:
            return said
    if len(found) == 1:
        return Found(_with_suffix(text, last), "box")
    inner = [_with_suffix(text, box) for box in found]
    if len({canonical(one) for one in inner}) == 1:
        return Found(inner[-1], "box")
    return _several(text, found, inner, rival=rival, same=same)


def _said_around(text: str, last: Box, *, finished: bool) -> Found | None:
    """The finding where the words around the last box outrank it."""
    if len(text) - last.end > SILENT:
        retraction = _stated_after(text, last.end)
        if retraction is not None:
            return retraction
        if denied_behind(text, last.end) or rivalled(text, last.end, last.inner):
            return Found(None, "a box that is denied, or stands beside another value")
    if denied(text, last.start) or questioned(text, last.end):
        return Found(None, "a box that is denied or in doubt")
    if offered_before(text, last.start, last.inner):
        return Found(None, "a box that stands beside another value")
    if not finished and not FINALLY.search(text[max(0, last.start - 250) : last.start]):
        return Found(None, "the text is cut off, and its last box is not announced as the answer")
    return None


_SUFFIX = re.compile(r"\s*(?:\\[)\]]|\$)*\s*(\\?%|percent\b|percentage\b|pct\b)")
_SIGN = re.compile(r"(?:\A|[=:($\n]|\\[(\[]|\bis)\s*-\s*\Z")


def _with_suffix(text: str, box: Box) -> str:
    r"""The box with a minus right before it, or a percent sign right behind: `$\boxed{28}$ percent`."""
    after = text[box.end : box.end + 20]
    plain = ("%" in after or "p" in after) and box.inner[-1:].isdigit() and _SUFFIX.match(after) is not None
    start = box.start - 8 if box.start > 8 else 0
    sign = "-" if "-" in text[start : box.start] and _SIGN.search(text, start, box.start) else ""
    return f"{sign}{box.inner}\\%" if plain else sign + box.inner


def _stated_after(text: str, position: int) -> Found | None:
    """A `final answer is` behind the last box outranks the box: it may correct or retract it."""
    if len(text) - position < len("final answer:") or "nswer" not in text[position:].lower():
        return None
    after = list(_FINAL.finditer(text, position))
    if not after:
        return None
    stated = clause(text[after[-1].end() :])
    if not stated or "\\boxed" in stated or _NO_VALUE.match(stated):
        return None
    return Found(core(stated), "final answer statement")


def _several(text: str, found: list[Box], inner: list[str], *, rival: Rival, same: Same) -> Found:
    """Boxes that differ: one enumeration, a correction, or no clear answer.

    Boxes linked by nothing but `and` or commas belong together. The last group counts alone when the text
    before it corrects the earlier one or announces the final answer; two rival answers are no answer.
    """
    groups: list[list[int]] = [[0]]
    for i in range(1, len(found)):
        between = text[found[i - 1].end : found[i].start]
        bare = not any(symbol.isalnum() for symbol in between)
        if bare or (len(between) <= 80 and LINKED.match(_lead_out(between))):
            groups[-1].append(i)
        else:
            groups.append([i])
    last = groups[-1]
    answer = ", ".join(dict.fromkeys(inner[i] for i in last)) if len(last) > 1 else inner[last[0]]
    if len(groups) == 1:
        return Found(answer, "boxes")
    before = groups[-2]
    between = text[found[before[-1]].end : found[last[0]].start]
    corrections = list(CORRECTED.finditer(between))
    tail = between[corrections[-1].end() :] if corrections else between
    if corrections and not HEDGED.search(tail[-60:]):
        return Found(answer, "last box, after a correction")
    if FINALLY.search(between) and not HEDGED.search(between[-60:]):
        return Found(answer, "last box, announced as final")
    earlier = [inner[i] for i in range(last[0])]
    if all(same_answer(inner[last[0]], one) or same(inner[last[0]], one) for one in earlier):
        return Found(answer, "boxes")
    if rival == "all":
        return Found(", ".join(inner), "all boxes")
    return Found(answer if rival == "last" else None, "several boxes that differ")


def _lead_out(between: str) -> str:
    """Without the left side of an assignment that stands before a box: `and $x_2 = `."""
    return re.sub(r"[a-zA-Z](?:_\{?\w+\}?)?\s*=\s*\Z", "", between)
