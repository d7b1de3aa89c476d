"""The cap on tokens: never passed, spent but for one request, said clearly, and only a stop on the way."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.core import BudgetSpent, Price, Resources, Site
from factory.models.spending_caps import SpendingCaps, SpendingLedger
from tests.teachers.scripted import ScriptedSample, drawn, problems

TEMPLATE = 64
"""Tokens that are taken for what a chat template adds."""


async def spend(
    resources: Resources, costs: list[int], *, most: int, at_once: int, prompt: int = 10, seconds: float = 0
) -> tuple[SpendingCaps, int, int]:
    """Draws completions of the given costs until a cap is reached.

    Gives the caps, the number that was refused, and the most that were under way. `seconds` is what one token
    takes, so that long completions are under way when short ones have ended.
    """
    caps = SpendingCaps(resources, prompt_tokens=0, completion_tokens=0)
    slots, under_way, top = asyncio.Semaphore(at_once), 0, 0

    async def one(cost: int) -> bool:
        nonlocal under_way, top
        async with slots:
            try:
                reserved = await asyncio.wait_for(caps.reserve(prompt_bytes=prompt, max_tokens=most), 20)
            except BudgetSpent:
                return False
            under_way += 1
            top = max(top, under_way)
            await asyncio.sleep(cost * seconds)
            under_way -= 1
            caps.settle(reserved, prompt_tokens=prompt, completion_tokens=cost)
            return True

    done = [await task for task in [asyncio.create_task(one(c)) for c in costs]]
    return caps, done.count(False), top


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3000), st.lists(st.integers(0, 500), max_size=40), st.integers(1, 8), st.integers(0, 90)
)
def test_no_cap_is_ever_passed_and_less_than_one_request_stays_unspent(
    cap: int, costs: list[int], at_once: int, prompt: int
) -> None:
    caps, refused, _ = asyncio.run(
        spend(Resources(token_budget=cap), costs, most=500, at_once=at_once, prompt=prompt)
    )
    spent = caps.prompt_tokens + caps.completion_tokens
    assert spent <= cap
    assert refused == 0 or cap - spent < 500 + prompt + TEMPLATE, f"{spent} of {cap} are spent"
    free, refused, _ = asyncio.run(spend(Resources(), costs, most=500, at_once=at_once, prompt=prompt))
    assert refused == 0
    assert free.completion_tokens == sum(costs)


@pytest.mark.parametrize("at_once", [1, 64, 256])
@pytest.mark.parametrize("rarely", [4, 20])
def test_long_completions_that_end_last_do_not_pass_the_cap(at_once: int, rarely: int) -> None:
    chance = random.Random(rarely)
    costs = [3000 if chance.randrange(rarely) == 0 else chance.randrange(40, 120) for _ in range(2500)]
    for resources, unit in (
        (Resources(token_budget=100_000), 1.0),
        (Resources(money_budget=0.1, price=Price(prompt=1, completion=1)), 1.0),
    ):
        caps, refused, _ = asyncio.run(spend(resources, costs, most=3000, at_once=at_once, seconds=2e-6))
        spent = (caps.prompt_tokens + caps.completion_tokens) * unit
        assert refused > 0
        assert 100_000 - 3000 - 10 - TEMPLATE < spent <= 100_000


def test_a_cap_far_away_holds_nothing_back() -> None:
    costs = [random.Random(5).randrange(100, 2000)] * 500
    cap = 20 * 2000 * 64
    _, refused, top = asyncio.run(
        spend(Resources(token_budget=cap), costs, most=2000, at_once=64, seconds=1e-7)
    )
    assert (refused, top) == (0, 64)


def test_prompts_that_cost_more_than_their_bytes_are_learned_from() -> None:
    async def tokens() -> int:
        caps = SpendingCaps(Resources(token_budget=2000), prompt_tokens=0, completion_tokens=0)
        for _ in range(4):
            caps.settle(await caps.reserve(prompt_bytes=10, max_tokens=10), prompt_tokens=400)
        with pytest.raises(BudgetSpent, match="may cost 410 tokens"):
            await caps.reserve(prompt_bytes=10, max_tokens=10)
        return caps.prompt_tokens

    assert asyncio.run(tokens()) == 1600


def test_what_workers_left_in_a_ledger_counts_for_the_next(tmp_path: Path) -> None:
    async def one(cost: int) -> None:
        ledger = SpendingLedger(str(tmp_path))
        caps = SpendingCaps(
            Resources(), prompt_tokens=ledger.prompt_tokens, completion_tokens=ledger.completion_tokens
        )
        for _ in range(2):
            reserved = await caps.reserve(prompt_bytes=1, max_tokens=1)
            caps.settle(reserved, prompt_tokens=3, completion_tokens=cost)
            ledger.write(caps)

    for cost in (5, 7):
        asyncio.run(one(cost))
    known = SpendingLedger(str(tmp_path))
    assert (known.prompt_tokens, known.completion_tokens) == (12, 24)


def test_a_run_stops_at_the_cap_and_goes_on_when_it_is_raised(tmp_path: Path) -> None:
    teacher = {"type": "scripted", "notes": str(tmp_path / "notes"), "delay_ms": 2}
    sample = ScriptedSample.model_validate({"teacher": teacher, "n": 4, "max_tokens": 10, "seed": 1})
    batch = problems(50)
    # A completion costs 10 tokens, a prompt its characters.
    prompts = [len(p[0]["content"]) for p in batch["prompt"].to_pylist()]
    half = sum(10 + length for length in prompts) * 4 // 2
    last = 10 + max(prompts) + TEMPLATE

    def run(cap: int | None) -> int:
        site = Site(Resources(token_budget=cap), str(tmp_path / "c"), str(tmp_path / "j"))
        with sample.open(site) as apply:
            return int(apply(batch).kept.num_rows)

    with pytest.raises(BudgetSpent, match="raise `token_budget`"):
        run(half)
    first = len(drawn(tmp_path / "notes"))
    assert 100 - last / (10 + min(prompts)) - 1 <= first <= 100, (
        f"{first} of 200 were drawn for half the tokens"
    )
    with pytest.raises(BudgetSpent):
        run(half)
    assert len(drawn(tmp_path / "notes")) == first, "more were drawn for a budget that was spent"
    assert run(None) == 200
    assert len(drawn(tmp_path / "notes")) == len(set(drawn(tmp_path / "notes"))) == 200
