"""Caps on tokens and on money, kept together."""

from __future__ import annotations

from factory.core import Resources
from factory.teachers.base import Completion, Request
from factory.teachers.budget import Budget

__all__ = ["Purse"]

_CHARACTERS_PER_TOKEN = 4


class Purse:
    """What one worker may spend. A request sets aside what it is likely to cost, and settles at its end.

    Workers do not know of each other's spending: each has its share of what was left at the start.
    """

    def __init__(self, resources: Resources, *, prompt_tokens: int, completion_tokens: int) -> None:
        """The tokens are what the journal holds already."""
        workers = resources.workers or 1
        self._price = resources.price
        tokens, money = resources.token_budget, resources.money_budget
        paid = self._micro_dollars(prompt_tokens, completion_tokens)
        self._tokens = Budget(
            cap=_share(tokens, paid=prompt_tokens + completion_tokens, workers=workers),
            field="token_budget",
            shown=lambda cost: f"{cost:,} tokens",
        )
        self._money = Budget(
            cap=_share(None if money is None else round(money * 1e6), paid=paid, workers=workers),
            field="money_budget",
            shown=lambda cost: f"${cost / 1e6:,.6f}",
        )

    async def set_aside(self, request: Request) -> tuple[int, int]:
        """Wait until the request can be paid for. Raises BudgetSpent when a cap is reached."""
        characters = sum(len(m["content"]) for m in request.messages)
        prompt, longest = 1 + characters // _CHARACTERS_PER_TOKEN, request.sampling.max_tokens or 0
        tokens, money = prompt + longest, self._micro_dollars(prompt, longest)
        await self._tokens.set_aside(tokens)
        try:
            await self._money.set_aside(money)
        except BaseException:
            self._tokens.settle(tokens, cost=None)
            raise
        return tokens, money

    def settle(self, set_aside: tuple[int, int], completion: Completion | None) -> None:
        """The request has ended, with a completion that was paid for or with nothing."""
        if completion is None:
            self._tokens.settle(set_aside[0], cost=None)
            self._money.settle(set_aside[1], cost=None)
            return
        prompt, made = completion.all_prompt_tokens, completion.completion_tokens or 0
        self._tokens.settle(set_aside[0], cost=prompt + made)
        self._money.settle(set_aside[1], cost=self._micro_dollars(prompt, made))

    def _micro_dollars(self, prompt_tokens: int, completion_tokens: int) -> int:
        return 0 if self._price is None else self._price.micro_dollars(prompt_tokens, completion_tokens)


def _share(cap: int | None, *, paid: int, workers: int) -> int | None:
    return None if cap is None else max(0, cap - paid) // workers
