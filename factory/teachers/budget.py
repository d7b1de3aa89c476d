"""A cap on spending that is kept although nobody knows how long a completion will be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import sqrt

from factory.core import BudgetSpent

__all__ = ["Budget"]

_DEVIATIONS = 2.0
"""Standard deviations that are kept free for what is under way."""


class Budget:
    """What may still be spent, in whole units.

    A request may begin while all that is under way will likely fit, with two standard deviations to spare.
    What is under way is longer than what was settled, for the short ones end first and the long ones stay:
    where a cost x takes a time in proportion, one that is met under way costs E[x^2] / E[x] (the mean of the
    length-biased distribution; Cox, Renewal Theory, 1962, 5.3). In these means what is under way counts at
    its guess, so that the first ones to end are not taken for all. The nearer the cap, the fewer are under
    way, and the last one alone may end above it or be the one that is missing. Used from one event loop.
    """

    def __init__(
        self, *, cap: int | None, field: str = "token_budget", shown: Callable[[int], str] = str
    ) -> None:
        """No cap: everything may be spent. `field` sets the cap, `shown` writes an amount for a person."""
        self._cap = cap
        self._field, self._shown = field, shown
        self._under_way = self._settled_count = 0
        # Sums of the first, second and third powers of all costs, what is under way at its guess.
        self._powers = [0, 0, 0]
        self._settled = asyncio.Event()
        self.spent = 0
        """Units paid for."""

    async def set_aside(self, guess: int, *, alone: int | None = None) -> None:
        """Wait until one more request may begin; the guess is the most that it will likely cost.

        `alone` is the guess for the very first one, which nothing is known of and nothing runs beside; null:
        the same. Raises BudgetSpent when nothing under way can make room.
        """
        first = guess if alone is None else alone
        while self._cap is not None and self.spent + (likely := self._likely(guess, first)) > self._cap:
            if self._under_way == 0:
                raise BudgetSpent(
                    f"{self._shown(self.spent)} of the {self._shown(self._cap)} that were left are spent and "
                    f"the next completion wants about {self._shown(likely)}; raise "
                    f"`{self._field}` in the step's `resources` and run again to go on"
                )
            self._settled.clear()
            await self._settled.wait()
        self._under_way += 1
        self._count(guess, by=1)

    def settle(self, guess: int, *, cost: int | None) -> None:
        """A request has ended at a cost of so many units; null: it cost nothing and tells nothing."""
        self._under_way -= 1
        self._count(guess, by=-1)
        if cost is not None:
            self.spent += cost
            self._settled_count += 1
            self._count(cost, by=1)
        self._settled.set()

    def _count(self, cost: int, *, by: int) -> None:
        for power in range(3):
            self._powers[power] += by * cost ** (power + 1)

    def _likely(self, guess: int, alone: int) -> int:
        """Cost of all that is under way and of one more."""
        if self._settled_count == 0:
            return self._powers[0] + guess if self._under_way else alone
        first, second, third = (total / (self._settled_count + self._under_way) for total in self._powers)
        if not first:
            return 0
        met = second / first
        spread = self._under_way * max(0.0, third / first - met * met) + max(0.0, second - first * first)
        alone = self._under_way == 0
        return max(1, round(first if alone else self._under_way * met + first + _DEVIATIONS * sqrt(spread)))
