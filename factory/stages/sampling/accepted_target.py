"""Counts what a whole step has accepted, so that no more is drawn than is still wanted."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from factory.core import Site
from factory.storage.files import exists, join, list_names, read_json, write_json

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
        self._folder = join(site.journal_url, "accepted", site.step[:32] or "alone")
        self._changed = threading.Condition()
        self._here: dict[str, int] = {}
        self._under_way = 0
        self._drawn = self._passed = 0

    def finished(self, group: str) -> list[int] | None:
        """Completions of each problem of a batch that was finished before; null: it was not."""
        url = self._record(group)
        return list(read_json(url)["drawn"]) if exists(url) else None

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
        write_json(self._record(group), {"passed": self._here[group], "drawn": list(drawn)})

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

    def _record(self, group: str) -> str:
        return join(self._folder, f"{group}.json")

    def _elsewhere(self) -> int:
        groups = {name.removesuffix(".json") for name in list_names(self._folder)} - self._here.keys()
        return sum(int(read_json(self._record(group))["passed"]) for group in groups)
