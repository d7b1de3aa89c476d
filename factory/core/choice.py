"""Random choice by a seed and an id alone: alike on every worker and in every order of rows."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["draw"]


def draw(seed: int | None, row_id: str) -> int:
    """A number from 0 to 2^64 - 1, evenly spread over ids, whatever the row's position."""
    text = f"{seed}:{row_id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")
