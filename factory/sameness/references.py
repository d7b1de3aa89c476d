"""Whether two references say the same answer, and whether an answer says much."""

from __future__ import annotations

import json
import re
from functools import lru_cache

__all__ = ["agree", "says_little", "tests_agree"]

_MOST_CHARS = 2000
"""A longer reference is compared as text: what is read apart is bounded."""
_LITTLE = re.compile(r"(?i)\W*(?:[a-j]|yes|no|true|false|none|[01]|option [a-j]|even|odd)\W*\Z")


@lru_cache(maxsize=65536)
def agree(one: str, other: str, *, math: bool) -> bool | None:
    """Whether two references are one answer: as the math verifier reads them, or as text but for blanks and
    case; null where reading alone cannot tell."""
    if "".join(one.split()).lower() == "".join(other.split()).lower():
        return True
    if not math or max(len(one), len(other)) > _MOST_CHARS:
        return False
    from verifiers.math.compare import same_answer

    try:
        return same_answer(one, other)
    except (ValueError, ArithmeticError, RecursionError):
        # What cannot be read is not known to be the same.
        return None


def tests_agree(one: str, other: str) -> bool:
    """Whether two test columns hold the same tests, whatever the order of keys and blanks."""
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return one == other


def says_little(reference: str) -> bool:
    """Whether two problems often share this answer by chance: a letter of a choice, yes, no, 0 or 1."""
    return _LITTLE.match(reference) is not None
