"""A YAML file with the line of every value, so that an error can point at it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from factory.core.errors import PipelineError

__all__ = ["YamlFile", "read_value", "read_yaml"]

_NOT_YAML = (yaml.YAMLError, ValueError, RecursionError)
"""What the reader raises; the last two for numbers and dates that are none, and for deep nesting."""


@dataclass(frozen=True)
class YamlFile:
    """The content of a YAML mapping and where each value stands."""

    name: str
    content: dict[str, Any]
    lines: Mapping[tuple[Any, ...], int]

    def where(self, *keys: Any) -> str:
        """`file.yaml:12: ` for the value at these keys, or the nearest value around it."""
        for length in range(len(keys), 0, -1):
            line = self.lines.get(tuple(keys[:length]))
            if line is not None:
                return f"{self.name}:{line}: "
        return f"{self.name}: "


def read_yaml(path: str | Path) -> YamlFile:
    """Reads a YAML file that holds one mapping; all that can be wrong with it is a PipelineError."""
    try:
        text = Path(path).read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise PipelineError(
            f"{path}: no such file; name a pipeline file, for example pipelines/quickstart.yaml"
        ) from None
    except UnicodeDecodeError as error:
        raise PipelineError(f"{path}: not UTF-8 (byte {error.start}); save the file as UTF-8") from None
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except _NOT_YAML as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise PipelineError(f"{path}{line}: not YAML: {_problem(error)}") from None
    if not isinstance(content, dict):
        raise PipelineError(
            f"{path}: wanted a mapping with `pipeline:` and `stages:`, found {type(content).__name__}"
        )
    lines: dict[tuple[Any, ...], int] = {}
    try:
        _note_lines(node, (), lines, str(path))
    except RecursionError:
        raise PipelineError(f"{path}: a value holds itself by an alias (`*name`); write it out") from None
    return YamlFile(str(path), content, lines)


def read_value(text: str, *, of: str) -> Any:
    """One value in YAML, as a setting on the command line is; `of` begins the message of a PipelineError."""
    try:
        return yaml.safe_load(text)
    except _NOT_YAML as error:
        raise PipelineError(f"{of}: the value is not YAML: {_problem(error)}; quote it") from None


def _problem(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "nested too deep"
    return getattr(error, "problem", None) or str(error).splitlines()[0]


def _note_lines(node: Any, keys: tuple[Hashable, ...], lines: dict[tuple[Any, ...], int], path: str) -> None:
    lines[keys] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_lines(item, (*keys, index), lines, path)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise PipelineError(f"{path}:{key.start_mark.line + 1}: a key must be a word")
            if key.value in seen:
                raise PipelineError(
                    f"{path}:{key.start_mark.line + 1}: the key '{key.value}' stands twice; keep one"
                )
            seen.add(key.value)
            _note_lines(value, (*keys, key.value), lines, path)
            lines[(*keys, key.value)] = key.start_mark.line + 1
