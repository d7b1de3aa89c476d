"""Which names of the solution the tests see: those that they use and neither define nor find in Python.

Whatever else a solution offers stays with it. A name that stands for a thing of the library means that one:
what decides a comparison is not the solution's to say.
"""

from __future__ import annotations

import _ast as ast
import builtins
import sys
import types
from _symtable import DEF_BOUND, GLOBAL_EXPLICIT, GLOBAL_IMPLICIT, SCOPE_MASK, SCOPE_OFF, symtable  # type: ignore[import-not-found]
from typing import Any

from sandbox.inside.import_guard import own_module
from sandbox.inside.remote import Remote
from sandbox.inside.tree import walk
from sandbox.inside.wire import Wire

__all__ = ["DECIDING", "Names", "root"]

_LIBRARY = sys.stdlib_module_names
_ALIASES = {"np": "numpy", "pd": "pandas", "plt": "matplotlib.pyplot", "mock": "unittest.mock"}
DECIDING = {
    "math": "isclose isnan isinf isfinite",
    "numpy": "allclose array_equal array_equiv isclose",
    "numpy.testing": "assert_allclose assert_almost_equal assert_array_almost_equal assert_array_equal"
    " assert_equal",
    "pandas.testing": "assert_frame_equal assert_index_equal assert_series_equal",
    "operator": "eq ge gt is_ is_not le lt ne",
    "copy": "deepcopy",
    "unittest": "TestCase",
    "unittest.mock": "ANY MagicMock Mock mock_open patch",
}
"""By module: what decides whether a test holds, or what it compares with."""
_COMMON = (
    "math itertools collections functools copy operator typing string re random statistics fractions decimal"
    " datetime bisect heapq pathlib io json time asyncio contextlib dataclasses enum"
)
"""Modules of which programs take single names."""


def root(entry: str) -> str:
    """The first name of an entry such as `f`, `Class.method` or `Solution().method`."""
    for place, sign in enumerate(entry):
        if not (sign.isalnum() or sign == "_"):
            return entry[:place]
    return entry


def _used(source: str) -> set[str]:
    """Global names that a program uses and binds nowhere at its top level."""
    top = symtable(source, "tests.py", "exec")
    waiting, used = [top], set[str]()
    while waiting:
        block = waiting.pop()
        waiting += block.children
        for name, flags in block.symbols.items():
            if (flags >> SCOPE_OFF) & SCOPE_MASK in (GLOBAL_IMPLICIT, GLOBAL_EXPLICIT):
                used.add(name)
    return {name for name in used if not top.symbols.get(name, 0) & DEF_BOUND}


class Names:
    """The names that some tests need from elsewhere, and where each comes from."""

    def __init__(self, wire: Wire, source: str, tree: ast.Module, *, entry: str = ""):
        self._wire = wire
        self.needed = {name for name in {*_used(source), root(entry)} if _may_come(name)}
        self._modules = _meant_modules(self.needed - {root(entry)}, tree)
        deciding = {name for names in DECIDING.values() for name in names.split()}
        tested = self.needed - {*self._modules, *deciding}
        if not tested and not _imports_names(tree):
            # The tests name nothing else: the function under test is called like one of the library's.
            tested = self.needed - {*self._modules}
        self._tested = {root(entry)} if entry else tested

    def all(self) -> dict[str, Any]:
        """Every needed name that can be had, with its value."""
        found: dict[str, Any] = {}
        for name in sorted(self.needed):
            value = self._modules.get(name)
            if value is None and name not in self._tested:
                value = _deciding(name)
            if value is None:
                value = self._of_solution(name)
            if value is not None:
                found[name] = value
        return found

    def _of_solution(self, name: str) -> Any:
        """The solution's value of a name; for a module of the library the judge's own copy."""
        try:
            value = self._wire.ask("name", name)
        except Exception:
            return _usual(name)
        if isinstance(value, Remote) and object.__getattribute__(value, "_kind") == "module":
            return own_module(object.__getattribute__(value, "__name__"))
        if len(self._tested) > 1 or name not in self._tested:
            # What one function of the solution says of another's result is its own word.
            self._wire.weak = self._wire.weak or isinstance(value, Remote)
        return value


def _imports_names(tree: ast.Module) -> bool:
    """Whether the tests take names from a module that is not one of the library: the solution."""
    return any(
        isinstance(node, ast.ImportFrom)
        and (node.module or "").partition(".")[0] not in _LIBRARY
        and any(alias.name != "*" for alias in node.names)
        for node in walk(tree)
    )


def _may_come(name: str) -> bool:
    """Whether a name may come from outside of the tests at all."""
    plain = name.isidentifier() and not name.startswith("__") and not name.startswith("pytest")
    return plain and not hasattr(builtins, name)


def _meant_modules(names: set[str], tree: ast.Module) -> dict[str, types.ModuleType]:
    """Modules that the tests mean by names which they do not import.

    They put behind the name only what the module has. What a solution calls so could say anything.
    """
    doubtful = {name: _ALIASES.get(name, name) for name in names if name in _ALIASES or name in _LIBRARY}
    asked: dict[str, set[str]] = {}
    for node in walk(tree) if doubtful else ():
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            asked.setdefault(node.value.id, set()).add(node.attr)
    own = {name: own_module(module) for name, module in doubtful.items() if name in asked}
    return {n: m for n, m in own.items() if m is not None and all(hasattr(m, part) for part in asked[n])}


def _deciding(name: str) -> Any:
    """The library's thing that decides comparisons by that name."""
    for module, names in DECIDING.items():
        found = getattr(own_module(module), name, None) if name in names.split() else None
        if found is not None:
            return found
    return None


def _usual(name: str) -> Any:
    """What a name stands for that neither the tests nor the solution define."""
    if name in _ALIASES or name in _LIBRARY:
        return own_module(_ALIASES.get(name, name))
    modules = (own_module(module) for module in _COMMON.split())
    return next((getattr(module, name) for module in modules if hasattr(module, name)), None)
