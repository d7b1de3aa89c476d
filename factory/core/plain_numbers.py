"""What YAML takes for a number, or pydantic makes one of, and nobody means as one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

__all__ = ["misread"]

_LARGEST = 2**63 - 1
Place = tuple[tuple[Any, ...], str]


def misread(given: Any, made: Any, *, keys: tuple[Any, ...] = ()) -> Place | None:
    """Where a settings file says yes or no for a number, or a number without bounds, and why not.

    `given` is the content of the file, `made` the model that was made of it. Null: nowhere.
    """
    if isinstance(given, bool) and isinstance(made, int | float) and not isinstance(made, bool):
        return keys, f"wanted a number, found {str(given).lower()} (YAML reads yes, on and true as one word)"
    if isinstance(given, float) and not math.isfinite(given):
        return keys, f"wanted a finite number, found {given}"
    if isinstance(given, int) and not -_LARGEST <= given <= _LARGEST:
        return keys, "wanted a number of at most 64 bits"
    if isinstance(given, Mapping):
        parts = [(key, value, _part(made, key)) for key, value in given.items()]
    elif isinstance(given, list):
        same = isinstance(made, list | tuple) and len(made) == len(given)
        parts = [(place, value, made[place] if same else None) for place, value in enumerate(given)]
    else:
        return None
    found = (misread(value, part, keys=(*keys, key)) for key, value, part in parts)
    return next((one for one in found if one is not None), None)


def _part(made: Any, key: Any) -> Any:
    if isinstance(made, BaseModel):
        return getattr(made, key, None) if isinstance(key, str) else None
    return made.get(key) if isinstance(made, Mapping) else None
