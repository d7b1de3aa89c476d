"""A distributed factory for reasoning datasets: one pipeline file in, one trusted release out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from factory.version import __version__

if TYPE_CHECKING:
    from factory.api import Finished, load, open_release, plan, run

__all__ = ["Finished", "__version__", "load", "open_release", "plan", "run"]


def __getattr__(name: str) -> Any:
    """Loads the Python API when it is first asked for, so that `import factory` stays cheap."""
    if name not in __all__:
        raise AttributeError(f"module 'factory' has no attribute {name!r}; it has {', '.join(__all__)}")
    from factory import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return __all__
