"""A cap on spending that is kept although nobody knows how long a completion will be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import sqrt

from factory.core import BudgetSpent

__all__ = ["Budget"]

_MEMORY = 0.01
"""Weight of the newest cost in the running mean and variance."""
_DEVIATIONS = 2.0
"""Standard deviations that are kept free for what is under way."""


class Budget:
    """What may still be spent, in whole units.

    A request may begin while all that is under way will likely fit: as many means of what was settled, and
    two standard deviations of their sum. The nearer the cap, the fewer are under way, and the last one alone
    may end above it or be the one that is missing. Used from one event loop.
    """

    def __init__(
        self, *, cap: int | None, field: str = "token_budget", shown: Callable[[int], str] = str
    ) -> None:
        """No cap: everything may be spent. `field` sets the cap, `shown` writes an amount for a person."""
        self._cap = cap
        self._field, self._shown = field, shown
        self._under_way = 0
        self._guessed = 0
        self._count = 0
        self._mean = self._variance = 0.0
        self._settled = asyncio.Event()
        self.spent = 0
        """Units paid for."""

    async def set_aside(self, guess: int) -> None:
        """Wait until one more request may begin; the guess is its cost as long as nothing was settled.

        Raises BudgetSpent when nothing under way can make room.
        """
        while self._cap is not None and self.spent + self._likely(guess) > self._cap:
            if self._under_way == 0:
                raise BudgetSpent(
                    f"{self._shown(self.spent)} of the {self._shown(self._cap)} that were left are spent and "
                    f"the next completion wants about {self._shown(self._likely(guess))}; raise "
                    f"`{self._field}` in the step's `resources` and run again to go on"
                )
            self._settled.clear()
            await self._settled.wait()
        self._under_way += 1
        self._guessed += guess

    def settle(self, guess: int, *, cost: int | None) -> None:
        """A request has ended at a cost of so many units; null: it cost nothing and tells nothing."""
        self._under_way -= 1
        self._guessed -= guess
        if cost is not None:
            self.spent += cost
            self._learn(cost)
        self._settled.set()

    def _likely(self, guess: int) -> int:
        """Cost of all that is under way and of one more."""
        if self._count == 0:
            return self._guessed + guess
        if self._under_way == 0:
            return max(1, round(self._mean))
        requests = self._under_way + 1
        # The costs scatter about their mean, and the mean that is known about the true one.
        scatter = requests + requests * requests * self._weight() / 2
        return round(requests * self._mean + _DEVIATIONS * sqrt(scatter * self._variance))

    def _weight(self) -> float:
        return max(_MEMORY, 1 / self._count)

    def _learn(self, cost: int) -> None:
        self._count += 1
        weight = self._weight()
        step = cost - self._mean
        self._mean += weight * step
        self._variance = (1 - weight) * (self._variance + weight * step * step)
