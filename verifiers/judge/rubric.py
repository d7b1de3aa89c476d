"""Rubrics: what an answer must say or do, item by item, each with its weight."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from verifiers.judge.model import stated_value

__all__ = ["RubricItem", "read_rubric", "require_positive", "rubric_score"]

_TEXTS = ("criterion", "text", "item", "description", "title")
_WEIGHTS = ("weight", "points")
MAX_ITEMS = 100


class RubricItem(BaseModel):
    """One thing that an answer must say or do."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    criterion: str = Field(pattern=r"\S")
    """What is asked of the answer, so that yes or no can be said."""
    weight: float = Field(default=1.0, allow_inf_nan=False)
    """What it counts when it is met; below 0 for a fault."""


def read_rubric(tests: str | None) -> tuple[RubricItem, ...]:
    """The rubric in a row's tests: a JSON list, or `{"type": "rubric", "items": [...]}`.

    An item is a text, or an object with `criterion` (or text, item, description, title) and `weight` (or
    points). Raises ValueError for anything else, and where nothing has a weight above 0.
    """
    try:
        held = json.loads(tests or "")
    except (ValueError, RecursionError):
        held = None
    if isinstance(held, dict) and held.get("type", "rubric") == "rubric":
        held = held.get("items")
    if not isinstance(held, list) or not 0 < len(held) <= MAX_ITEMS:
        raise ValueError(f"the tests hold no rubric, a JSON list of 1 to {MAX_ITEMS} items")
    items = tuple(_item(one) for one in held)
    require_positive(items)
    return items


def require_positive(items: Sequence[RubricItem]) -> None:
    """Raises ValueError where no item can earn anything."""
    if not any(item.weight > 0 for item in items):
        raise ValueError("no item of the rubric has a weight above 0, so nothing can be earned")


def _item(value: Any) -> RubricItem:
    given: dict[str, Any] = {"criterion": value}
    if isinstance(value, Mapping):
        text = next((value[name] for name in _TEXTS if name in value), None)
        given = {"criterion": text}
        given |= next(({"weight": value[name]} for name in _WEIGHTS if name in value), {})
    try:
        return RubricItem.model_validate(given)
    except ValidationError as error:
        detail = error.errors()[0]
        raise ValueError(f"an item of the rubric is wrong: {detail['loc'][0]}: {detail['msg']}") from error


def rubric_score(text: str, items: Sequence[RubricItem]) -> float | None:
    """Weights of the items met over the weights above 0, from 0 to 1; null where an item has no yes or no.

    The text ends with `{"items": {"1": true, "2": false}}`, its thinking left out. A fault that is met takes
    its weight off, as HealthBench counts (arXiv 2505.08775).
    """
    stated = stated_value(text, form="rubric")
    if stated is None:
        return None
    try:
        held, _ = json.JSONDecoder().raw_decode(text, stated[1])
    except (ValueError, RecursionError):
        return None
    met = held["items"]
    if isinstance(met, list):
        met = {str(number): value for number, value in enumerate(met, 1)}
    if not isinstance(met, dict) or set(met) != {str(number) for number in range(1, len(items) + 1)}:
        return None
    if not all(isinstance(value, bool) for value in met.values()):
        return None
    earned = sum(item.weight for number, item in enumerate(items, 1) if met[str(number)])
    return min(1.0, max(0.0, earned / sum(item.weight for item in items if item.weight > 0)))
