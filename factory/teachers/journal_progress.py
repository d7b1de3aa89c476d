"""Counts the completions of a journal and of what comes into it, without holding it open."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from factory.core.paths import is_url
from factory.teachers.journal_files import line_facts, whole_lines

__all__ = ["JournalMeans", "JournalWatch", "journal_means"]

_PAUSE_S = 60.0
"""Nothing finished for so long, in seconds: the teacher was not at work."""


@dataclass(frozen=True, slots=True)
class JournalMeans:
    """What the completions of a journal cost."""

    completions: int
    prompt_tokens: float
    """Mean of a completion."""
    completion_tokens: float
    """Mean of a completion."""
    tokens_per_s: float | None
    """Completion tokens a second while the teacher was at work; null: too few to tell."""


def journal_means(url: str) -> JournalMeans | None:
    """Means over all completions in the local folder `url`; null where there are none."""
    count = tokens = made = 0
    finished: list[float] = []
    for path in _segments(url):
        with open(path, "rb") as segment:
            for line in segment:
                facts = line_facts(line)
                if facts is None:
                    continue
                count += 1
                tokens += facts.tokens
                made += facts.completion_tokens
                finished.append(facts.finished)
    if count == 0:
        return None
    finished.sort()
    gaps = [after - before for before, after in pairwise(finished)]
    work_s = sum(gap for gap in gaps if gap < _PAUSE_S)
    rate = made * (count - 1) / count / work_s if work_s > 0 else None
    return JournalMeans(count, (tokens - made) / count, made / count, rate)


def _segments(folder: str) -> list[str]:
    if is_url(folder) or not os.path.isdir(folder):
        return []
    return [entry.path for entry in os.scandir(folder) if entry.name.endswith(".jsonl")]


class JournalWatch:
    """Each call gives the completions and their tokens that were journalled since the watch was made."""

    def __init__(self, url: str) -> None:
        """Watches the local folder `url`, which need not exist yet; an object store is not watched."""
        self._folder = url
        self._read_up_to = {path: os.path.getsize(path) for path in _segments(url)}
        self._completions = self._tokens = 0

    def __call__(self) -> Mapping[str, int]:
        """Reads what is new."""
        for path in _segments(self._folder):
            with open(path, "rb") as segment:
                segment.seek(self._read_up_to.get(path, 0))
                block = segment.read()
            whole = block[: block.rfind(b"\n") + 1]
            self._read_up_to[path] = self._read_up_to.get(path, 0) + len(whole)
            known = [facts for _, line in whole_lines(whole, start=0) if (facts := line_facts(line))]
            self._completions += len(known)
            self._tokens += sum(facts.completion_tokens for facts in known)
        return {"completions": self._completions, "completion_tokens": self._tokens}
