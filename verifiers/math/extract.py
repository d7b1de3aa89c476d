"""Finding the final answer in a completion: the last box, else what the text says the answer is."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from verifiers.math.canonical import canonical, closing_brace
from verifiers.math.compare import same_answer
from verifiers.math.hedges import COMPARED, CORRECTED, FINALLY, HEDGED, LINKED, denied, rivalled

__all__ = ["Found", "answer_part", "find_answer"]

MAX_SCAN = 20_000
"""Characters from the end of the answer part that are searched."""
MAX_UNCLOSED = 50
"""Boxes without an end, after which a text is not looked through any further."""
MAX_ANSWER = 2_000
"""Longer answers are never compared; no reference comes near."""


class Found(NamedTuple):
    """The answer as text, or null with the reason; `how` names the rule that found it."""

    answer: str | None
    how: str


_THINK_END = "</think>"
_SOLUTION = "<|begin_of_solution|>"
_ANSWER_TAG = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


def answer_part(content: str) -> str | None:
    """The text after the thinking; null when thinking was opened and never closed."""
    if "<" not in content:
        return content[-MAX_SCAN:]
    cut = content.rfind(_THINK_END)
    if cut >= 0:
        content = content[cut + len(_THINK_END) :]
    elif "<think>" in content:
        return None
    cut = content.rfind(_SOLUTION)
    if cut >= 0:
        content = content[cut + len(_SOLUTION) :]
    return content[-MAX_SCAN:]


def find_answer(text: str, *, rival: Literal["none", "last"] = "none") -> Found:
    """Finds the final answer in the answer part of a completion, or in a worked reference.

    `rival` says what boxes that contradict each other come to: no answer, or the last of them.
    """
    tags = _ANSWER_TAG.findall(text) if "</answer>" in text else []
    if tags:
        if len({canonical(tag) for tag in tags}) > 1:
            return Found(None, "several answer tags that differ")
        inside = find_answer(tags[-1], rival=rival)
        behind = _boxes(text, text.rindex("</answer>"))
        if behind and same_answer(inside.answer or tags[-1], behind[-1].inner) is False:
            return Found(None, "an answer tag and a box behind it that differ")
        return inside if inside.answer is not None else Found(tags[-1].strip(), "answer tag")
    found = _boxed(text, rival=rival)
    if found is None:
        found = _stated(text)
    if found.answer is not None and len(found.answer) > MAX_ANSWER:
        return Found(None, f"answer longer than {MAX_ANSWER} characters")
    return found


class _Box(NamedTuple):
    start: int
    end: int
    inner: str


_BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s*(?=(\{)|(\d+|[a-zA-Z])(?![a-zA-Z]))")


def _boxes(text: str, start: int) -> list[_Box]:
    boxes: list[_Box] = []
    unclosed = 0
    for match in _BOX.finditer(text, start):
        if boxes and match.start() < boxes[-1].end:
            continue  # inside the box before it
        if match[1] is None:
            boxes.append(_Box(match.start(), match.end(2), match[2]))
            continue
        end = closing_brace(text, match.end())
        unclosed += end is None
        if unclosed > MAX_UNCLOSED:
            break  # each has looked for its end through the whole text
        if end is not None:
            boxes.append(_Box(match.start(), end + 1, text[match.end() + 1 : end]))
    if len(boxes) < 2:
        return boxes
    return [box for box in boxes if box.inner.strip()] or boxes[-1:]


_FINAL = re.compile(r"(?i)\bfinal\s+answer\b[^\n.:=]{0,60}?(?:\bis\b|:|=)\s*")


def _boxed(text: str, *, rival: str) -> Found | None:
    first = text.find("box")
    if first < 0:
        return None
    boxes = _boxes(text, max(0, first - len(r"\frame")))
    if not boxes:
        return None
    last = boxes[-1]
    retraction = _stated_after(text, last.end)
    if retraction is not None:
        return retraction
    if denied(text, last.start) or rivalled(text, last.end, last.inner):
        return Found(None, "a box that is denied, or stands beside another value")
    if len(boxes) == 1:
        return Found(_with_suffix(text, last), "box")
    inner = [_with_suffix(text, box) for box in boxes]
    if len({canonical(one) for one in inner}) == 1:
        return Found(inner[-1], "box")
    return _several(text, boxes, inner, rival=rival)


_SUFFIX = re.compile(r"\s*(?:\\[)\]]|\$)*\s*(\\?%|percent\b|percentage\b|pct\b)")
_SIGN = re.compile(r"(?:\A|[=:($\n]|\\[(\[]|\bis)\s*-\s*\Z")


def _with_suffix(text: str, box: _Box) -> str:
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
    stated = _clause(text[after[-1].end() :])
    if not stated or "\\boxed" in stated:
        return None
    return Found(_core(stated), "final answer statement")


def _several(text: str, boxes: list[_Box], inner: list[str], *, rival: str) -> Found:
    """Boxes that differ: one enumeration, a correction, or no clear answer.

    Boxes linked by nothing but `and` or commas belong together. The last group counts alone when the text
    before it corrects the earlier one or announces the final answer; two rival answers are no answer.
    """
    groups: list[list[int]] = [[0]]
    for i in range(1, len(boxes)):
        between = text[boxes[i - 1].end : boxes[i].start]
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
    if all(same_answer(inner[last[0]], inner[i]) for i in range(last[0])):
        return Found(answer, "boxes")
    between = text[boxes[before[-1]].end : boxes[last[0]].start]
    corrections = list(CORRECTED.finditer(between))
    tail = between[corrections[-1].end() :] if corrections else between
    if corrections and not HEDGED.search(tail[-60:]):
        return Found(answer, "last box, after a correction")
    if FINALLY.search(between) and not HEDGED.search(between[-60:]):
        return Found(answer, "last box, announced as final")
    return Found(answer if rival == "last" else None, "several boxes that differ")


def _lead_out(between: str) -> str:
    """Without the left side of an assignment that stands before a box: `and $x_2 = `."""
    return re.sub(r"[a-zA-Z](?:_\{?\w+\}?)?\s*=\s*\Z", "", between)


_STATED = re.compile(
    r"(?im)(?:####\s*|^\s*A:\s*|\b(?:final\s+)?answer(?:\s+to\s+[^.\n]{0,60}?)?\s*(?:\*\*)?"
    r"\s*(?:is|:|=|are|would be|should be)\s*(?:\*\*)?:?\s*"
    r"(?:(?:indeed|definitely|simply|just|therefore|thus|exactly|approximately)\s+)?"
    r"|(?:答案|结果)\s*(?:是|为|:|:)\s*:?)"
)
_JUDGEMENT = re.compile(
    r"(?i)(?:correct|right|wrong|consistent|reasonable|valid|the same|not\b|confirmed|as follows)"
)
"""What is said of an answer instead of saying it."""
MAX_AFTER = 600
"""A statement with more text behind it than this was not the last word."""
_LONGEST_LEAD = 400  # characters that `the answer to ... is` may take
_MATH = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)|(?<!\\)\$\n?([^$\n]+?)\n?(?<!\\)\$", re.DOTALL)
_VALUE = re.compile(
    r"(?<![\w.,/])-?(?:\\\$|[$€£])?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:[.,]\d+)?(?:\s*/\s*\d+)?(?:_\{?\d+\}?)?(?:\s*(?:\\?%|percent\b))?"
    r"|(?<![\w.])\.\d+|\\frac\{[^{}]+\}\{[^{}]+\}"
)
_SENTENCE_END = re.compile(r"(?<=[.!?。])\s+|\n+")
_DISPLAY = re.compile(r"\\\[[^\]]*?\\\]|\$\$[^$]*\$\$|\\\([^()]*?\n[^()]*?\\\)")
_PLEASANTRY = re.compile(r"(?i)^(?:i hope|please|let me know|note|thank|<\|)")


def _stated(text: str) -> Found:
    text = text.strip()
    # An earlier statement would be no last word.
    statements = list(_STATED.finditer(text, max(0, len(text) - MAX_AFTER - _LONGEST_LEAD)))
    if statements and len(text) - statements[-1].end() <= MAX_AFTER:
        stated = _clause(text[statements[-1].end() :])
        if stated and not _JUDGEMENT.match(stated):
            return Found(stated if COMPARED.match(stated) else _core(stated), "answer statement")
    if len(text) <= 200 and "\n" not in text and not _is_sentence(text):
        return Found(text, "whole text")
    return _concluded(text)


def _core(stated: str) -> str:
    """The value inside a statement that is a sentence of its own: `there are 12 of them`."""
    stated = re.split(r"(?i)[,;]?\s+(?:because|since|as|which|so that)\s", stated, maxsplit=1)[0]
    if not _is_sentence(stated):
        return stated
    concluded = _concluded(stated).answer
    return stated if concluded is None else concluded


def _is_sentence(text: str) -> bool:
    if re.match(r"\s*[^\W\d]{3,}\s*:\s", text):
        return True
    spelled = _MATH.sub(" ", text)
    words = re.findall(r"(?<!\\)\b[a-zA-Z]{2,}\b", re.sub(r"\\text\{[^{}]*\}|\\[a-zA-Z]+", " ", spelled))
    if len(words) >= 2 and text[:1].isalpha() and any(map(str.isdigit, spelled)):
        return True  # "it fell in 1989", but not "12 more apples"
    return len(words) > 3 or (len(words) > 0 and bool(_MATH.search(text)))


def _clause(after: str) -> str:
    """The value that opens the text behind `the answer is`."""
    after = after.lstrip(" *:\n")
    line = after.split("\n", 1)[0].strip()
    if line in ("$", "$$", "\\["):
        line = after[:300]
    math = _MATH.match(line)
    if math is None:
        sentence = re.split(r"(?<=[^\d])\.(?:\s|\Z)|(?<=\d)\.(?:\s|\Z)|(?<=\*\*)\s|\s*<\|", line, maxsplit=1)[
            0
        ]
        return sentence.strip().strip("*").strip()
    end = math.end()
    # "$1$, $2$ and $3$" goes on; "$5$ meters" keeps its unit.
    while more := re.match(r"(?:\s*,?\s*(?:and|or|,)\s*)(?=\$|\\\()", line[end:]):
        following = _MATH.match(line, end + more.end())
        if following is None:
            break
        end = following.end()
    unit = re.match(r"\s*(?:\\?%|percent\b|[a-zA-Z]+)", line[end:])
    return line[: end + unit.end()] if unit and end == math.end() and len(unit[0]) < 16 else line[:end]


def _concluded(text: str) -> Found:
    """The last value in the last sentence that has one; values listed together stay together."""
    text = _DISPLAY.sub(lambda shown: " ".join(shown[0].split()), text[-4_000:])
    for sentence in reversed([one for one in _SENTENCE_END.split(text) if one.strip()]):
        if _PLEASANTRY.match(sentence.strip()):
            continue
        maths = list(_MATH.finditer(sentence))
        values = list(_VALUE.finditer(_blank_math(sentence, maths)))
        if not maths and not values:
            relation = re.search(r"\S{1,200}\s{0,8}(?:[=<>]|\\[lg]e)\s{0,8}\S+", sentence)
            if relation:
                return Found(relation[0].strip(" ."), "last value")
            continue
        named = _NAMED_ANSWER.search(sentence)
        if named:
            return Found(named[1], "value named as the answer")
        everything = sorted([*maths, *values], key=lambda match: match.start())
        first = everything[-1]
        for match in reversed(everything[:-1]):
            if not re.fullmatch(r"\s*(?:,|,?\s*(?:and|or)\b|;)\s*", sentence[match.end() : first.start()]):
                break
            first = match
        if denied(sentence, first.start()):
            return Found(None, "a value that is denied")
        return Found(sentence[first.start() : everything[-1].end()].strip(), "last value")
    return Found(None, "no answer found")


_NAMED_ANSWER = re.compile(
    rf"({_VALUE.pattern})\s+is\s+(?:indeed\s+)?the\s+(?:correct|final|right|required|desired)\b"
)


def _blank_math(sentence: str, maths: list[re.Match[str]]) -> str:
    for math in maths:
        sentence = sentence[: math.start()] + " " * (math.end() - math.start()) + sentence[math.end() :]
    return sentence
