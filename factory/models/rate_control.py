"""How fast an endpoint may be asked: as many at once as it bears, and no more a minute than was agreed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

__all__ = ["Pace", "Place", "Pool", "Rate"]

_START = 8.0
_DECREASE = 0.5
_COOL_DOWN_S = 0.5
_LONGEST_COOL_DOWN_S = 30.0
_STUCK_S = 20.0
"""A request under way for so long, and for `_STUCK_MEANS` times the mean answer, holds no place any more."""
_STUCK_MEANS = 4.0
_UNKNOWN_S = 60.0
"""The same, in seconds, before there was an answer."""


class Pace:
    """Requests at once that one replica bears: one more per round that went well, half after a refusal.

    Additive increase and multiplicative decrease, as TCP does it: refusals of requests that were sent before
    the last decrease say nothing new and do not count again. A request that the replica seems to have
    forgotten keeps waiting for its answer, but keeps no other request from being sent.
    """

    def __init__(self, *, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = float(most)
        self._clock = clock
        self._decreased_at = float("-inf")
        self._failures = 0
        self._failed_at = float("-inf")
        self._mean_s: float | None = None
        self._under_way: dict[int, float] = {}
        self._number = 0
        self.limit = min(_START, self._most)
        """Requests at once now; the whole part counts."""
        self.paused_until = float("-inf")
        """Time of the clock before which nothing is sent."""

    @property
    def free(self) -> int:
        """Requests that may be sent now."""
        now = self._clock()
        if now < self.paused_until:
            return 0
        long_s = _UNKNOWN_S if self._mean_s is None else max(_STUCK_S, _STUCK_MEANS * self._mean_s)
        lively = sum(now - sent_at < long_s for sent_at in self._under_way.values())
        return min(int(self.limit) - lively, int(self._most) - len(self._under_way))

    def begin(self) -> int:
        """A request is sent; gives the number by which it ends."""
        self._number += 1
        self._under_way[self._number] = self._clock()
        return self._number

    def end(self, number: int) -> None:
        """The request has ended, one way or another."""
        del self._under_way[number]

    def went_well(self, *, took_s: float | None = None) -> None:
        """A request was answered, or refused for what it asks; `took_s` seconds count for an answer."""
        self._failures = 0
        self.limit = min(self._most, self.limit + 1.0 / self.limit)
        if took_s is not None:
            self._mean_s = took_s if self._mean_s is None else 0.95 * self._mean_s + 0.05 * took_s

    def was_refused(self, *, sent_at: float, retry_after_s: float | None) -> None:
        """The replica had too much to do; it may have said for how long."""
        now = self._clock()
        if sent_at > self._decreased_at:
            self.limit = max(1.0, self.limit * _DECREASE)
            self._decreased_at = now
        self.paused_until = max(
            self.paused_until, now + (_COOL_DOWN_S if retry_after_s is None else retry_after_s)
        )

    def failed(self, *, sent_at: float) -> None:
        """The replica broke off, hung or talked nonsense: it rests, longer each time."""
        now = self._clock()
        if sent_at <= self._failed_at:
            return
        self._failures += 1
        self._failed_at = now
        rest = min(_LONGEST_COOL_DOWN_S, _COOL_DOWN_S * 2.0 ** (self._failures - 1))
        self.paused_until = max(self.paused_until, now + rest)


R = TypeVar("R")


class Place(NamedTuple, Generic[R]):
    """Where a request is sent."""

    replica: R
    pace: Pace
    number: int


class Pool(Generic[R]):
    """Replicas, of which a request gets the one with the most room."""

    def __init__(self, replicas: Sequence[tuple[R, Pace]]) -> None:
        self.replicas = replicas
        """All of them, each with its pace."""
        self._changed = asyncio.Condition()

    async def take(self, *, avoid: R | None = None) -> Place[R]:
        """Wait for room. The replica to avoid is taken only where no other could ever serve."""
        async with self._changed:
            while True:
                open_now = [(pace.free, replica, pace) for replica, pace in self.replicas]
                open_now = [one for one in open_now if one[0] > 0]
                others = [one for one in open_now if one[1] is not avoid]
                if others or (open_now and len(self.replicas) == 1):
                    _, replica, pace = max(others or open_now, key=lambda one: one[0])
                    return Place(replica, pace, pace.begin())
                # Without a paused replica only an answer makes room, or time; clocks differ.
                try:
                    async with asyncio.timeout(self._pause_s()):
                        await self._changed.wait()
                except TimeoutError:
                    continue

    async def give_back(self, place: Place[R]) -> None:
        """The request has ended, one way or another."""
        place.pace.end(place.number)
        async with self._changed:
            self._changed.notify_all()

    def _pause_s(self) -> float:
        now = time.monotonic()
        ends = [p.paused_until - now for _, p in self.replicas if p.paused_until > now]
        return min([*ends, 1.0]) + 0.001


class Rate:
    """A cap per minute, spent evenly: no 60 s hold more than the cap, but for wrong guesses of a cost."""

    def __init__(self, per_minute: float | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        # A full bucket and a minute's flow into it make the cap together.
        self._burst = max(1.0, (per_minute or 0.0) / 61.0)
        self._per_second = (
            None if per_minute is None else max(per_minute - self._burst, per_minute / 2) / 60.0
        )
        self._clock = clock
        self._filled_at = clock()
        self._level = self._burst

    async def take(self, amount: float = 1.0) -> None:
        """Wait until the amount is there (of more than a bucket: a full one), then take it out."""
        while (wait_s := self._wait_s(min(amount, self._burst))) > 0:
            await asyncio.sleep(wait_s)
        self._level -= amount

    def correct(self, amount: float) -> None:
        """What was taken turns out to be this much more (less: negative)."""
        self._level -= amount

    def _wait_s(self, wanted: float) -> float:
        if self._per_second is None:
            return 0.0
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        lacking = wanted - self._level
        return 0.0 if lacking <= 1e-9 else lacking / self._per_second + 1e-4
