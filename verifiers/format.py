"""Whether a completion keeps the form `<think>…</think><answer>…</answer>`."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from pydantic import Field

from verifiers.base import Case, Judge, Verdict, Verifier

__all__ = ["Format"]

_TAG = re.compile(r"</?\s*(?:think|answer)\s*>", re.IGNORECASE)
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+")
"""One Chinese or Japanese character counts as a word, since such text has no spaces."""


class Format(Verifier):
    """Thinking once, at the start and not empty, then one answer, with no tag inside either.

    Reads the tags of a raw completion, or the two parts of one whose thinking is already cut off.
    """

    type: Literal["format"] = "format"
    answer_tags: Literal["required", "allowed", "forbidden"] | None = None
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
        words = len(_WORD.findall(thinking))
        if not words:
            return "the thinking is empty"
        if words < self.min_thinking_words:
            return f"{words} words of thinking, fewer than {self.min_thinking_words}"
        if _TAG.search(thinking):
            return "a tag inside the thinking"
        return self._answer_fault(
            answer.strip(), tags_wanted=self.answer_tags or ("required" if raw else "allowed")
        )

    def _answer_fault(self, answer: str, *, tags_wanted: str) -> str | None:
        if not answer:
            return "the answer is empty"
        if not _TAG.search(answer):
            return "the answer has no <answer> tags" if tags_wanted == "required" else None
        if tags_wanted == "forbidden":
            return "a tag inside the answer"
        tags = [tag.lower().replace(" ", "") for tag in _TAG.findall(answer)]
        if tags != ["<answer>", "</answer>"]:
            return f"the answer's tags are {' '.join(tags)}"
        if not (answer.lower().startswith("<answer>") and answer.lower().endswith("</answer>")):
            return "text outside the <answer> tags"
        return None if answer[len("<answer>") : -len("</answer>")].strip() else "the answer is empty"


def _parts(content: str) -> tuple[str, str, str | None]:
    """Thinking, answer, and what is wrong with the tags that part them."""
    text = content.strip()
    if not text.startswith("<think>"):
        return "", "", "the text does not start with <think>"
    if text.count("<think>") > 1 or text.count("</think>") > 1:
        return "", "", "more than one <think> pair"
    thinking, closed, answer = text[len("<think>") :].partition("</think>")
    return thinking, answer, None if closed else "the thinking is never closed"
