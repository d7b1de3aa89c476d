"""Keeps the judge's interpreter from running code that the solution left in files.

Both work in one directory, so that tests can look at what the solution wrote. Nothing of it is ever
imported, wherever the tests point their search path, and a pickle there builds plain values only.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
from typing import Any

from sandbox.inside.codec import CodecError

__all__ = ["own_module", "stay_aloof"]

_PICKLED = {
    "builtins": "bool bytearray bytes complex dict float frozenset int list range set slice str tuple",
    "collections": "Counter OrderedDict defaultdict deque",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "numpy": "dtype ndarray",
    "numpy.core.multiarray": "_reconstruct scalar",
    "numpy._core.multiarray": "_reconstruct scalar",
    "numpy._core.numeric": "_frombuffer",
}
"""What a pickle may name: makers of values that hold nothing else."""


class _Empty:
    """Finds no module."""

    def find_spec(self, name: str, target: Any = None) -> None:
        """None, whatever is asked for."""
        del name, target


def stay_aloof(directory: str, *, kept: list[str]) -> None:
    """Takes `directory` off the search path for good, but for the read-only places `kept` below it, and
    bounds what pickles may name."""
    home = os.path.realpath(directory)

    def hook(path: str) -> _Empty:
        found = os.path.realpath(path)
        # The way to a kept place must be as safe as the place: a link may point elsewhere later.
        safe = _below(found, kept) and _below(os.path.abspath(path), kept)
        if _below(found, [home]) and not safe:
            return _Empty()
        raise ImportError(path)

    sys.path[:] = [path for path in sys.path if path != directory]
    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.pop(directory, None)
    sys.addaudithook(_audit)


def own_module(name: str) -> types.ModuleType | None:
    """The judge's own copy of a module that the solution imported: never the solution's."""
    first = name.partition(".")[0]
    if (
        first not in sys.stdlib_module_names
        and first not in ("numpy", "pandas", "matplotlib")
        and first not in sys.modules
    ):
        return None
    try:
        return importlib.import_module(name)
    except Exception:
        return None


def _below(path: str, places: list[str]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "pickle.find_class":
        return
    module, name = arguments
    if name not in _PICKLED.get(module, "").split():
        raise CodecError(f"a pickled {module}.{name} may not cross")
