"""Compiled loops over the bytes of Arrow strings; import these modules only inside functions."""

from __future__ import annotations

__all__: list[str] = []
