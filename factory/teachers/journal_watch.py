"""Counts the completions that come into a journal while it is written, without holding it open."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from factory.core.paths import is_url

__all__ = ["JournalWatch"]

_TOKENS = re.compile(rb'"completion_tokens":(\d+)')


class JournalWatch:
    """Each call gives the completions and their tokens that were journalled since the watch was made."""

    def __init__(self, url: str) -> None:
        """Watches the local folder `url`, which need not exist yet; an object store is not watched."""
        self._folder = url
        self._read_up_to = {path: os.path.getsize(path) for path in self._paths()}
        self._completions = self._tokens = 0

    def __call__(self) -> Mapping[str, int]:
        """Reads what is new."""
        for path in self._paths():
            with open(path, "rb") as segment:
                segment.seek(self._read_up_to.get(path, 0))
                block = segment.read()
            whole = block[: block.rfind(b"\n") + 1]
            self._read_up_to[path] = self._read_up_to.get(path, 0) + len(whole)
            self._completions += whole.count(b"\n")
            self._tokens += sum(int(found) for found in _TOKENS.findall(whole))
        return {"completions": self._completions, "completion_tokens": self._tokens}

    def _paths(self) -> list[str]:
        if is_url(self._folder) or not os.path.isdir(self._folder):
            return []
        return [entry.path for entry in os.scandir(self._folder) if entry.name.endswith(".jsonl")]
