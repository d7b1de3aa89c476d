"""The cap on tokens: kept within a completion, said clearly, and only a stop on the way."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.core import BudgetSpent, Resources, Site
from factory.teachers.budget import Budget
from tests.teachers.scripted import ScriptedSample, drawn, problems


async def spend(budget: Budget, costs: list[int], *, at_once: int, seconds: float = 0) -> int:
    """Draws completions of the given costs until the budget is spent; the number that was refused.

    `seconds` is what one unit takes, so that long completions are under way when short ones have ended.
    """
    slots, guess = asyncio.Semaphore(at_once), max(costs, default=0) + 10

    async def one(cost: int) -> bool:
        async with slots:
            try:
                await budget.set_aside(guess)
            except BudgetSpent:
                return False
            await asyncio.sleep(cost * seconds)
            budget.settle(guess, cost=cost)
            return True

    return [await task for task in [asyncio.create_task(one(c)) for c in costs]].count(False)


@pytest.mark.parametrize("at_once", [1, 8, 64])
def test_ends_within_two_percent_of_the_cap_with_costs_that_nobody_can_foretell(at_once: int) -> None:
    for seed in range(20):
        chance = random.Random(seed)
        costs = [chance.choice((50, 100, 100, 2000)) for _ in range(1000)]
        budget = Budget(cap=200_000)
        refused = asyncio.run(spend(budget, costs, at_once=at_once))
        assert refused > 0
        assert abs(budget.spent - 200_000) <= 4_000, (
            f"seed {seed}: {budget.spent} of 200000 tokens were spent"
        )


@pytest.mark.parametrize("at_once", [8, 64, 256])
@pytest.mark.parametrize("rarely", [4, 20])
def test_the_short_ones_that_end_first_are_not_taken_for_all(at_once: int, rarely: int) -> None:
    for seed in range(4):
        chance = random.Random(seed)
        costs = [3000 if chance.randrange(rarely) == 0 else chance.randrange(40, 120) for _ in range(4000)]
        budget = Budget(cap=200_000)
        assert asyncio.run(spend(budget, costs, at_once=at_once, seconds=2e-6)) > 0
        assert abs(budget.spent - 200_000) <= 4_000, (
            f"seed {seed}: {budget.spent} of 200000 tokens were spent"
        )


def test_a_cap_far_away_holds_nothing_back() -> None:
    chance = random.Random(5)
    costs = [min(32_000, int(chance.lognormvariate(7, 0.9))) for _ in range(3000)]
    budget, most = Budget(cap=10 * sum(costs)), 0

    async def draw() -> int:
        nonlocal most
        slots = asyncio.Semaphore(64)

        async def one(cost: int) -> None:
            nonlocal most
            async with slots:
                await asyncio.wait_for(budget.set_aside(32_010), 5)
                most = max(most, budget._under_way)
                await asyncio.sleep(0)
                budget.settle(32_010, cost=cost)

        await asyncio.gather(*(one(cost) for cost in costs))
        return most

    assert asyncio.run(draw()) == 64


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 3000), st.lists(st.integers(1, 500), max_size=40), st.integers(1, 8))
def test_never_hangs_and_spends_all_when_the_cap_allows(cap: int, costs: list[int], at_once: int) -> None:
    budget = Budget(cap=cap)
    refused = asyncio.run(asyncio.wait_for(spend(budget, costs, at_once=at_once), 5))
    assert budget.spent <= sum(costs)
    unlimited = Budget(cap=None)
    assert asyncio.run(spend(unlimited, costs, at_once=at_once)) == 0
    assert unlimited.spent == sum(costs)
    assert refused == 0 or budget.spent < sum(costs)


def test_a_run_stops_at_the_cap_and_goes_on_when_it_is_raised(tmp_path: Path) -> None:
    teacher = {"type": "scripted", "notes": str(tmp_path / "notes"), "delay_ms": 2}
    sample = ScriptedSample.model_validate({"teacher": teacher, "n": 4, "max_tokens": 10, "seed": 1})
    batch = problems(50)
    # A completion costs 10 tokens, a prompt its characters.
    whole = sum(10 + len(p[0]["content"]) for p in batch["prompt"].to_pylist()) * 4

    def run(cap: int | None) -> int:
        site = Site(Resources(token_budget=cap), str(tmp_path / "c"), str(tmp_path / "j"))
        with sample.open(site) as apply:
            return int(apply(batch).kept.num_rows)

    with pytest.raises(BudgetSpent, match="raise `token_budget`"):
        run(whole // 2)
    first = len(drawn(tmp_path / "notes"))
    assert 0.98 * 100 <= first <= 1.02 * 100, f"{first} of 200 completions were drawn for half the tokens"
    with pytest.raises(BudgetSpent):
        run(whole // 2)
    again = len(drawn(tmp_path / "notes"))
    assert again <= 1.02 * 100, f"{again - first} more were drawn for a budget that was spent"
    assert run(None) == 200
    assert len(drawn(tmp_path / "notes")) == len(set(drawn(tmp_path / "notes"))) == 200
