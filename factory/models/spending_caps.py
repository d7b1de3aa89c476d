"""Caps on tokens and on money, kept together for whoever is paid: a teacher or a judge."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from factory.core import BudgetSpent, Resources
from factory.storage.files import join, list_names, read_json, write_json

__all__ = ["Reserved", "SpendingCaps", "SpendingLedger"]

_TEMPLATE_TOKENS = 64
"""What a chat template adds to a prompt: roles, marks, a system turn of its own. More is learned from the
answers."""
_LONGEST = 32_768
"""Tokens reserved for a completion that has no `max_tokens` of its own."""


class Reserved(NamedTuple):
    """What a request may cost at most, set aside until it has ended."""

    prompt_tokens: int
    tokens: int
    micro_dollars: int


class SpendingCaps:
    """What one worker may spend. A request reserves the most that it can cost, and settles at its end.

    The most is its `max_tokens` and a token for each byte of its prompt, so a cap is never passed; where
    there is no `max_tokens`, 32,768 stand for it. The nearer the cap, the fewer requests are under way, and
    less than one reservation stays unspent. Workers do not know of each other's spending: each has its share
    of what was left at the start. A turn of several `requests` reserves what all of them may read again. Used
    from one event loop.
    """

    def __init__(
        self, resources: Resources, *, prompt_tokens: int, completion_tokens: int, requests: int = 1
    ) -> None:
        """The tokens are what was paid for before; a completion takes so many `requests` at most."""
        self._requests = requests
        self._price = resources.price
        workers, money = resources.workers or 1, resources.money_budget
        self._tokens = _Cap(
            _share(resources.token_budget, paid=prompt_tokens + completion_tokens, workers=workers),
            field="token_budget",
            shown=lambda cost: f"{cost:,} tokens",
        )
        self._money = _Cap(
            _share(
                None if money is None else round(money * 1e6),
                paid=self._micro_dollars(prompt_tokens, completion_tokens),
                workers=workers,
            ),
            field="money_budget",
            shown=lambda cost: f"${cost / 1e6:,.6f}",
        )
        self._settled = asyncio.Event()
        self._under_way = 0
        self._template_tokens = _TEMPLATE_TOKENS
        self.prompt_tokens = self.completion_tokens = 0
        """Tokens paid for since the start."""

    async def reserve(self, *, prompt_bytes: int, max_tokens: int | None) -> Reserved:
        """Wait until the request can be paid for. Raises BudgetSpent when a cap is reached."""
        most = max_tokens or _LONGEST
        # Each request of a turn but the first reads again what the teacher has written.
        prompt = self._requests * (prompt_bytes + self._template_tokens) + (self._requests - 1) * most
        reserved = Reserved(prompt, prompt + most, self._micro_dollars(prompt, most))
        wanted = ((self._tokens, reserved.tokens), (self._money, reserved.micro_dollars))
        while full := next((cap for cap, amount in wanted if not cap.fits(amount)), None):
            if self._under_way == 0:
                raise BudgetSpent(full.reached(dict(wanted)[full]))
            self._settled.clear()
            await self._settled.wait()
        for cap, amount in wanted:
            cap.reserved += amount
        self._under_way += 1
        return reserved

    def settle(self, reserved: Reserved, *, prompt_tokens: int = 0, completion_tokens: int = 0) -> None:
        """The request has ended and cost so much; nothing where it was not answered."""
        self._under_way -= 1
        self._tokens.settle(reserved.tokens, cost=prompt_tokens + completion_tokens)
        self._money.settle(reserved.micro_dollars, cost=self._micro_dollars(prompt_tokens, completion_tokens))
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens
        over = prompt_tokens - reserved.prompt_tokens
        if over > 0:
            self._template_tokens += -(-over // self._requests)
        self._settled.set()

    def _micro_dollars(self, prompt_tokens: int, completion_tokens: int) -> int:
        return 0 if self._price is None else self._price.micro_dollars(prompt_tokens, completion_tokens)


class _Cap:
    """What may be spent in whole units; null: everything."""

    def __init__(self, most: int | None, *, field: str, shown: Callable[[int], str]) -> None:
        self._most, self._field, self._shown = most, field, shown
        self._spent = 0
        self.reserved = 0

    def fits(self, amount: int) -> bool:
        return self._most is None or self._spent + self.reserved + amount <= self._most

    def settle(self, reserved: int, *, cost: int) -> None:
        self.reserved -= reserved
        self._spent += cost

    def reached(self, amount: int) -> str:
        return (
            f"{self._shown(self._spent)} of the {self._shown(self._most or 0)} that were left are spent and "
            f"the next completion may cost {self._shown(amount)}; raise `{self._field}` in the step's "
            "`resources` and run again to go on"
        )


def _share(cap: int | None, *, paid: int, workers: int) -> int | None:
    return None if cap is None else max(0, cap - paid) // workers


class SpendingLedger:
    """What was paid for over all runs where no journal says so: a file for each worker, below one folder."""

    def __init__(self, url: str) -> None:
        """Reads what others have left at `url`, a local folder or fsspec URL."""
        self._file = join(url, f"{uuid.uuid4().hex}.json")
        found: list[dict[str, Any]] = [
            read_json(join(url, name)) for name in list_names(url) if name.endswith(".json")
        ]
        self.prompt_tokens = sum(record["prompt_tokens"] for record in found)
        self.completion_tokens = sum(record["completion_tokens"] for record in found)

    def write(self, caps: SpendingCaps) -> None:
        """Leaves what this worker has paid for so far."""
        if caps.prompt_tokens or caps.completion_tokens:
            paid = {"prompt_tokens": caps.prompt_tokens, "completion_tokens": caps.completion_tokens}
            write_json(self._file, paid)
