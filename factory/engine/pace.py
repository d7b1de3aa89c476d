"""How fast a step goes and when it will be done, by what it did of late."""

from __future__ import annotations

import time
from collections import deque

__all__ = ["Pace"]

_LEAST_S = 2.0
"""A shorter stretch of work says nothing of the rest."""


class Pace:
    """The share of a step's work that is done, seen again and again while it goes on.

    The rate is that of the later half of the time since the share first grew: the start of workers and the
    loading of models, with which a step begins, do not count. Work may come in steps: what has passed since
    the last one is taken off the time left, and a stall longer than that makes the time left longer.
    """

    def __init__(self) -> None:
        self._grown: deque[tuple[float, float, float]] = deque()
        self._began: float | None = None
        self._now = 0.0

    def note(self, share: float, *, tokens: float = 0, now: float | None = None) -> None:
        """The share done, from 0 to 1, and the tokens drawn so far, at a time in seconds."""
        self._now = time.monotonic() if now is None else now
        point = (self._now, share, tokens)
        if not self._grown or (self._began is None and share <= self._grown[-1][1]):
            self._grown.clear()
            self._grown.append(point)
            return
        if share <= self._grown[-1][1] and tokens <= self._grown[-1][2]:
            return
        if self._began is None:
            self._began = self._grown[0][0]
        self._grown.append(point)
        middle = self._began + (self._now - self._began) / 2
        while len(self._grown) > 2 and self._grown[1][0] <= middle:
            self._grown.popleft()

    @property
    def eta_s(self) -> float | None:
        """Seconds until the share is 1; null while nothing can be said."""
        if self._span_s < _LEAST_S or self._grown[-1][1] <= self._grown[0][1]:
            return None
        share = self._grown[-1][1]
        left = (1 - share) * self._span_s / (share - self._grown[0][1])
        stalled = self._now - self._grown[-1][0]
        return max(left - stalled, stalled / 2)

    @property
    def tokens_per_s(self) -> float | None:
        """Tokens a second of late; null while nothing can be said."""
        tokens = self._grown[-1][2] - self._grown[0][2] if self._grown else 0
        return tokens / self._span_s if tokens > 0 and self._span_s >= _LEAST_S else None

    @property
    def _span_s(self) -> float:
        return self._grown[-1][0] - self._grown[0][0] if self._grown else 0.0
