"""One typed way to compile a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
import numpy as np

__all__ = ["i64", "jit", "u64"]

F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:

    def i64(value: Any) -> int:
        """A signed 64-bit integer, which the interpreter sees as an int."""

    def u64(value: Any) -> int:
        """An unsigned index: the compiler leaves out the test for a place counted from the end."""
else:
    i64 = np.int64
    u64 = np.uint64


def jit(function: F) -> F:
    """Compiles `function` without the interpreter lock and keeps the machine code on disk.

    A compiled function is rebuilt when its own file changes, not when a callee in another file does: kernels
    therefore call only kernels of the same file.
    """
    return cast(F, numba.njit(cache=True, nogil=True)(function))
