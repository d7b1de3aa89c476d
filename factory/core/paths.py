"""Paths in a pipeline file: relative to that file, with environment variables expanded."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

__all__ = ["DataPath", "ModelName", "expand", "is_url", "resolve_path"]

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
_URL = re.compile(r"^[a-z][a-z0-9+.-]+://")


def is_url(path: str) -> bool:
    """Whether fsspec has to open the path by its protocol (`s3://...`)."""
    return bool(_URL.match(path))


def expand(text: str) -> str:
    """Replaces `${NAME}` and `${NAME:-default}` by the environment; a name not set is a ValueError."""

    def value(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        found = os.environ.get(name)
        if found:
            return found
        if default is None:
            raise ValueError(
                f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}"
            )
        return default

    return _VARIABLE.sub(value, text)


def resolve_path(path: str, base: str | Path) -> str:
    """The path as an absolute local path, or unchanged when it is a URL. Wildcards stay as they are."""
    expanded = os.path.expanduser(expand(path))
    if is_url(expanded):
        return expanded
    return os.path.normpath(os.path.join(os.path.abspath(base), expanded))


def _resolve(path: str, info: ValidationInfo) -> str:
    base = (info.context or {}).get("base", ".")
    return resolve_path(path, base)


def _resolve_model(model: str, info: ValidationInfo) -> str:
    # What looks like a path is one; all else may be a packaged name or a hub id.
    return _resolve(model, info) if model.startswith(("./", "../", "/", "~", "${")) else model


DataPath = Annotated[str, AfterValidator(_resolve)]
"""A file, folder, wildcard or fsspec URL; relative paths start at the pipeline file's folder."""
ModelName = Annotated[str, AfterValidator(_resolve_model)]
"""A model by its folder, as `DataPath`, or by its packaged name or hub id."""
