"""A cap on tokens that is kept although nobody knows how long a completion will be before it is finished."""

from __future__ import annotations

import asyncio

from factory.core import BudgetSpent

__all__ = ["Budget"]

_MEMORY = 0.05
_CHARACTERS_PER_TOKEN = 4


class Budget:
    """Tokens that may still be spent. A request sets aside what it is likely to cost, and settles at its end.

    Likely is the running mean of what was settled, before the first the longest that a completion may be. So
    the sum ends within one completion below the cap, or above it by as much as the last few under way differ
    from the mean. Used from one event loop.
    """

    def __init__(self, *, cap: int | None, spent: int = 0) -> None:
        """`spent` was paid before; no cap: everything may be spent."""
        self._cap = cap
        self._set_aside = 0
        self._mean: float | None = None
        self._settled = asyncio.Event()
        self.spent = spent
        """Tokens paid for, of prompts and completions."""

    def likely(self, *, characters: int, max_tokens: int | None) -> int:
        """Tokens that a request will cost: prompt characters and longest completion are all that is known."""
        if self._mean is None:
            return 1 + characters // _CHARACTERS_PER_TOKEN + (max_tokens or 0)
        # Whole numbers: a remainder of rounding would look like a request that is under way for ever.
        return max(1, round(self._mean))

    async def set_aside(self, tokens: int) -> None:
        """Wait until the tokens are free. Raises BudgetSpent when nothing under way can free them."""
        while self._cap is not None and self.spent + self._set_aside + tokens > self._cap:
            if self._set_aside == 0:
                raise BudgetSpent(
                    f"{self.spent} of {self._cap} tokens are spent and the next completion wants about "
                    f"{tokens}; raise `token_budget` in the step's `resources` and run again to go on"
                )
            self._settled.clear()
            await self._settled.wait()
        self._set_aside += tokens

    def settle(self, set_aside: int, *, cost: int | None) -> None:
        """The request has ended at a cost of so many tokens; null: it cost nothing and tells nothing."""
        self._set_aside -= set_aside
        if cost is not None:
            self.spent += cost
            self._mean = float(cost) if self._mean is None else self._mean + _MEMORY * (cost - self._mean)
        self._settled.set()
