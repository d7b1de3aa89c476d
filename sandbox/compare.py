"""Comparison of outputs and of returned values. Pure functions; none evaluates, searches inside or
truncates."""

from __future__ import annotations

import math
import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any, Literal

__all__ = [
    "MODES",
    "Comparison",
    "Mode",
    "case_insensitive",
    "exact_tokens",
    "float_tokens",
    "lines",
    "resolve",
    "unordered_lines",
    "values_equal",
]

Mode = Literal["exact_tokens", "lines", "float", "case_insensitive", "unordered_lines"]

Comparison = Callable[[str, str], bool]
"""(output of the program, expected output) -> accepted."""

# ASCII only: str.split() would also break at, and so ignore, other scripts' spaces.
_SPACE = re.compile(r"[ \t\n\r\f\v]+")
# Each digit has one place to stand, or a long token that is no number would take hours to be refused.
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)

TOLERANCE = 1e-6
"""Absolute, or relative to the expected value; the usual bound of contest checkers."""

CALL_TOLERANCE = 1e-9
"""Relative tolerance for floats that a function returned."""


def _tokens(text: str) -> list[str]:
    return [token for token in _SPACE.split(text) if token]


def exact_tokens(output: str, expected: str) -> bool:
    """The same tokens, as many and as spelt, whatever ASCII white space stands between them."""
    return _tokens(output) == _tokens(expected)


def lines(output: str, expected: str) -> bool:
    """The same lines; white space at a line's end and empty lines at the end of the text do not count."""
    return _lines(output) == _lines(expected)


def _lines(text: str) -> list[str]:
    found = [line.rstrip(" \t\r\f\v") for line in text.split("\n")]
    while found and not found[-1]:
        found.pop()
    return found


def float_tokens(output: str, expected: str) -> bool:
    """As `exact_tokens`, but where the expected token is a decimal fraction the value may differ by 1e-6.

    The difference may be 1e-6, or 1e-6 of the expected value. An integer is always compared exactly.
    """
    found, wanted = _tokens(output), _tokens(expected)
    return len(found) == len(wanted) and all(map(_token_close, found, wanted))


def _token_close(found: str, wanted: str) -> bool:
    if found == wanted:
        return True
    if (
        not any(mark in wanted for mark in ".eE")
        or not _NUMBER.fullmatch(wanted)
        or not _NUMBER.fullmatch(found)
    ):
        return False
    a, b = float(found), float(wanted)
    return math.isfinite(a) and math.isfinite(b) and abs(a - b) <= TOLERANCE * max(1.0, abs(b))


def case_insensitive(output: str, expected: str) -> bool:
    """As `exact_tokens`, without regard to the case of ASCII letters, for YES/NO problems."""
    return _ascii_lower(output) == _ascii_lower(expected)


def _ascii_lower(text: str) -> list[str]:
    return [
        token.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")
        for token in _tokens(text)
    ]


def unordered_lines(output: str, expected: str) -> bool:
    """The same lines as often, in any order; tokens within a line keep theirs."""

    def count(text: str) -> Counter[tuple[str, ...]]:
        return Counter(tuple(_tokens(line)) for line in text.split("\n") if _tokens(line))

    return count(output) == count(expected)


MODES: Mapping[str, Comparison] = {
    "exact_tokens": exact_tokens,
    "lines": lines,
    "float": float_tokens,
    "case_insensitive": case_insensitive,
    "unordered_lines": unordered_lines,
}


def resolve(compare: Comparison | str) -> Comparison:
    """The comparison of a mode's name, or the function itself.

    Raises:
        ValueError: there is no such mode.
    """
    if callable(compare):
        return compare
    if compare not in MODES:
        raise ValueError(f"unknown comparison {compare!r}; there are {', '.join(sorted(MODES))}")
    return MODES[compare]


def values_equal(
    found: Any, wanted: Any, *, tuple_is_list: bool = True, relative: float = CALL_TOLERANCE
) -> bool:
    """Whether two plain values are equal, type for type.

    True is not 1, an int is not a float (but 1.0 is wanted where 1.0 is expected), NaN equals nothing, and
    finite floats may differ by `relative` of the wanted one. Nested at most as deep as the codec lets pass.
    """
    kind = type(wanted)
    if kind is float:
        return type(found) is float and _floats_equal(found, wanted, relative)
    if kind in (list, tuple, deque):
        if type(found) is not kind and not (tuple_is_list and {type(found), kind} <= {list, tuple}):
            return False
        return len(found) == len(wanted) and all(
            values_equal(a, b, tuple_is_list=tuple_is_list, relative=relative)
            for a, b in zip(found, wanted, strict=True)
        )
    if kind in (dict, Counter, OrderedDict, defaultdict):
        return _maps_equal(found, wanted, tuple_is_list=tuple_is_list, relative=relative)
    if kind in (set, frozenset):
        return type(found) in (set, frozenset) and _keys(found) == _keys(wanted)
    return type(found) is kind and bool(found == wanted)


def _floats_equal(found: float, wanted: float, relative: float) -> bool:
    if not math.isfinite(wanted) or not math.isfinite(found):
        return found == wanted
    return abs(found - wanted) <= relative * abs(wanted) or found == wanted


def _maps_equal(found: Any, wanted: Any, *, tuple_is_list: bool, relative: float) -> bool:
    if type(found) not in (dict, Counter, OrderedDict, defaultdict) or _keys(found) != _keys(wanted):
        return False
    return all(
        values_equal(found[key], value, tuple_is_list=tuple_is_list, relative=relative)
        for key, value in wanted.items()
    )


def _keys(items: Any) -> set[tuple[type, Any]]:
    """Keys with their types, since True and 1 are one key to Python."""
    return {(type(item), item) for item in items}
