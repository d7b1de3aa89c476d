"""Packages that only some stages need: which of them are missing, and what installs them."""

from __future__ import annotations

from importlib.util import find_spec

__all__ = ["install_line", "lacking"]


def install_line(extra: str) -> str:
    """The command that installs an extra of this project."""
    return f"pip install 'distillation-factory[{extra}]'"


def lacking(extra: str, *modules: str) -> str | None:
    """What to install where one of the modules cannot be imported; null where all are there."""
    missing = [name for name in modules if find_spec(name) is None]
    if not missing:
        return None
    verb = "is" if len(missing) == 1 else "are"
    return f"needs {', '.join(missing)}, which {verb} not installed; run `{install_line(extra)}`"
