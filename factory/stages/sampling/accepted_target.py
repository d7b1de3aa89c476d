"""Counts what a whole step has accepted, so that no more is drawn than is still wanted."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from factory.core import Site

__all__ = ["Target"]

_POLL_S = 0.5


class Target:
    """So many right completions are wanted of a step, over all its shards, workers and runs.

    Draws are allowed as far as their likely yield, the share of right ones so far, is wanted. A finished
    batch leaves its count in the journal's folder, where workers and later runs of the same step find it:
    batches of other workers that are under way are not seen, so these may accept a little too much.
    """

    def __init__(self, wanted: int, *, site: Site) -> None:
        """`wanted` completions in all."""
        self._wanted = wanted
        self._fs, folder = url_to_fs(site.journal_url)
        self._folder = f"{folder}/accepted/{site.step[:32] or 'alone'}"
        self._changed = threading.Condition()
        self._here: dict[str, int] = {}
        self._under_way = 0
        self._drawn = self._passed = 0

    def finished(self, group: str) -> list[int] | None:
        """Completions of each problem of a batch that was finished before; null: it was not."""
        url = f"{self._folder}/{group}.json"
        return list(json.loads(self._fs.cat_file(url))["drawn"]) if self._fs.exists(url) else None

    @contextmanager
    def batch(self, group: str) -> Iterator[None]:
        """One batch, from its first draw to `finish`; what it counted before it failed does not count."""
        with self._changed:
            self._here[group] = 0
        try:
            yield
        except BaseException:
            with self._changed:
                del self._here[group]
                self._changed.notify_all()
            raise

    def finish(self, group: str, drawn: Sequence[int]) -> None:
        """Leaves the batch's count, and how many completions each of its problems got, for later."""
        self._fs.makedirs(self._folder, exist_ok=True)
        record = {"passed": self._here[group], "drawn": list(drawn)}
        _write_whole(self._fs, f"{self._folder}/{group}.json", json.dumps(record).encode())

    def take(self, most: int, *, each: int) -> int:
        """Problems, up to `most`, that may be asked `each` times; waits for draws under way; 0: enough."""
        while most > 0:
            with self._changed:
                missing = self._wanted - sum(self._here.values()) - self._elsewhere()
                if missing <= 0:
                    return 0
                # Before anything is known, as if one of two were right.
                likely = (self._passed + 1) / (self._drawn + 2)
                free = int((missing - likely * self._under_way) / likely / each)
                if free <= 0 and self._under_way == 0:
                    free = 1
                if free > 0:
                    granted = min(free, most)
                    self._under_way += granted * each
                    return granted
                self._changed.wait(_POLL_S)
        return 0

    def settle(self, group: str, problems: int, *, each: int, drawn: int, passed: int) -> None:
        """Draws that `take` allowed have ended."""
        with self._changed:
            self._under_way -= problems * each
            self._drawn += drawn
            self._passed += passed
            self._here[group] += passed
            self._changed.notify_all()

    def _elsewhere(self) -> int:
        if not self._fs.exists(self._folder):
            return 0
        files = self._fs.glob(f"{self._folder}/*.json")
        return sum(
            int(json.loads(self._fs.cat_file(f))["passed"])
            for f in files
            if f.rsplit("/", 1)[-1].removesuffix(".json") not in self._here
        )


def _write_whole(fs: Any, url: str, content: bytes) -> None:
    """Writes a file so that no reader ever sees half of it."""
    if not isinstance(fs, LocalFileSystem):
        fs.pipe_file(url, content)  # an object appears whole
        return
    aside = f"{url}.{os.getpid()}.part"
    fs.pipe_file(aside, content)
    os.replace(aside, url)
