"""How sure a share is that was counted."""

from __future__ import annotations

from math import sqrt

__all__ = ["wilson"]

_Z95 = 1.959963984540054


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share (E. B. Wilson, JASA 1927); 0 to 1 without trials."""
    if trials == 0:
        return 0.0, 1.0
    share, z2 = hits / trials, _Z95 * _Z95
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z95 / (1 + z2 / trials) * sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials))
    # At a share of 0 or 1 the limit is the share itself, but for rounding.
    return min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half))
