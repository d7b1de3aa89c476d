"""Whether a completion keeps the form `<think>…</think><answer>…</answer>`."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from verifiers.base import Case, Judge, Verdict, Verifier
from verifiers.words import words

__all__ = ["FormFault", "Format", "form_fault"]

_TAG = re.compile(r"</?\s*(?:think|answer)\s*>", re.IGNORECASE)
Tags = Literal["required", "allowed", "forbidden"]


@dataclass(frozen=True, slots=True)
class FormFault:
    """What is wrong with the form of a completion."""

    kind: Literal["no_reasoning", "no_answer", "stray_tag"]
    detail: str


class Format(Verifier):
    """Thinking once, at the start and not empty, then one answer, with no tag inside either.

    Reads the tags of a raw completion, or the two parts of one whose thinking is already cut off.
    """

    type: Literal["format"] = "format"
    answer_tags: Tags | None = None
    """Whether the answer stands in `<answer>` tags of its own.

    Null requires them of a raw completion and allows them in one whose thinking is cut off already.
    """
    min_thinking_words: int = Field(default=10, ge=0)
    """Shorter thinking is a pretence."""
    finished: bool = True
    """Whether a known finish reason other than `stop` fails the completion."""

    @contextmanager
    def open(self) -> Iterator[Judge]:
        """Holds nothing."""
        yield self._judge

    def _judge(self, cases: Sequence[Case]) -> list[Verdict]:
        return [self._verdict(case) for case in cases]

    def _verdict(self, case: Case) -> Verdict:
        start = time.perf_counter()
        fault = self._fault(case)
        outcome: Literal["pass", "fail"] = "fail" if fault else "pass"
        score = 0.0 if fault else 1.0
        return Verdict("format", self.version, outcome, score, fault or "", time.perf_counter() - start)

    def _fault(self, case: Case) -> str | None:
        if self.finished and case.finish_reason not in (None, "stop"):
            return f"finished by {case.finish_reason}, not by itself"
        raw = case.reasoning_content is None
        if case.reasoning_content is None:
            thinking, answer, fault = _parts(case.content)
            if fault:
                return fault
        else:
            thinking, answer = case.reasoning_content, case.content
        found = form_fault(
            thinking,
            answer,
            min_thinking_words=self.min_thinking_words,
            answer_tags=self.answer_tags or ("required" if raw else "allowed"),
        )
        return found.detail if found else None


def form_fault(
    thinking: str, answer: str, *, min_thinking_words: int, answer_tags: Tags, thinking_wanted: bool = True
) -> FormFault | None:
    """What is wrong with a completion of two parts: thinking, then one answer, with no tag inside either."""
    count = len(words(thinking))
    if not count and thinking_wanted:
        return FormFault("no_reasoning", "the thinking is empty")
    if count < min_thinking_words and thinking_wanted:
        return FormFault("no_reasoning", f"{count} words of thinking, fewer than {min_thinking_words}")
    if _TAG.search(thinking):
        return FormFault("stray_tag", "a tag inside the thinking")
    return _answer_fault(answer.strip(), tags_wanted=answer_tags)


def _answer_fault(answer: str, *, tags_wanted: Tags) -> FormFault | None:
    if not answer:
        return FormFault("no_answer", "the answer is empty")
    if not _TAG.search(answer):
        return (
            FormFault("stray_tag", "the answer has no <answer> tags") if tags_wanted == "required" else None
        )
    if tags_wanted == "forbidden":
        return FormFault("stray_tag", "a tag inside the answer")
    tags = [tag.lower().replace(" ", "") for tag in _TAG.findall(answer)]
    if tags != ["<answer>", "</answer>"]:
        return FormFault("stray_tag", f"the answer's tags are {' '.join(tags)}")
    if not (answer.lower().startswith("<answer>") and answer.lower().endswith("</answer>")):
        return FormFault("stray_tag", "text outside the <answer> tags")
    inside = answer[len("<answer>") : -len("</answer>")].strip()
    return None if inside else FormFault("no_answer", "the answer is empty")


def _parts(content: str) -> tuple[str, str, str | None]:
    """Thinking, answer, and what is wrong with the tags that part them."""
    text = content.strip()
    if not text.startswith("<think>"):
        return "", "", "the text does not start with <think>"
    if text.count("<think>") > 1 or text.count("</think>") > 1:
        return "", "", "more than one <think> pair"
    thinking, closed, answer = text[len("<think>") :].partition("</think>")
    return thinking, answer, None if closed else "the thinking is never closed"
