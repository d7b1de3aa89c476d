"""Caps on tokens and on money, kept together."""

from __future__ import annotations

from factory.core import Resources
from factory.teachers.base import Completion, Request
from factory.teachers.budget import Budget

__all__ = ["Purse"]

_BYTES_PER_TOKEN = 2
"""Fewer than text has in any tokenizer in use, but for strings of digits: a guess of the most."""
_LONGEST = 32_768
"""Tokens of a completion that nothing but the teacher's context ends."""


class Purse:
    """What one worker may spend. A request sets aside what it is likely to cost, and settles at its end.

    Workers do not know of each other's spending: each has its share of what was left at the start.
    """

    def __init__(
        self, resources: Resources, *, prompt_tokens: int, completion_tokens: int, requests: int = 1
    ) -> None:
        """The tokens are what the journal holds already; a completion takes so many `requests` at most."""
        self._requests = requests
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
        size = sum(len(m["content"].encode("utf-8", "replace")) for m in request.messages)
        prompt, longest = 1 + size // _BYTES_PER_TOKEN, request.sampling.max_tokens
        most = longest or _LONGEST
        # Each request of a turn but the first reads again what the teacher has written.
        read = self._requests * prompt + (self._requests - 1) * most
        alone, tokens = prompt + (longest or 0), read + most
        await self._tokens.set_aside(tokens, alone=alone)
        money = self._micro_dollars(read, most)
        try:
            await self._money.set_aside(money, alone=self._micro_dollars(prompt, longest or 0))
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
