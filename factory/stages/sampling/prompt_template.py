"""A prompt made of a row's columns: Jinja in its sandbox, strict about what is missing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from factory.core import prompt_text

__all__ = ["RowTemplate", "TemplateFailure"]


class TemplateFailure(Exception):
    """A row for which the template gives no prompt."""


class RowTemplate:
    """A template and the columns it reads. Raises ValueError when the text is no template."""

    def __init__(self, text: str) -> None:
        self._template, self.columns = _compiled(text)

    def render(self, row: Mapping[str, Any]) -> str:
        """The prompt of one row. Raises TemplateFailure."""
        seen = dict(row)
        if "prompt" in seen:
            seen["prompt"] = prompt_text(seen["prompt"] or ())
        try:
            return self._template.render(seen)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise TemplateFailure(f"{type(error).__name__}: {error}") from error


@lru_cache(maxsize=64)
def _compiled(text: str) -> tuple[Template, frozenset[str]]:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, finalize=_present, keep_trailing_newline=True
    )
    environment.filters["from_json"] = json.loads
    try:
        found = meta.find_undeclared_variables(environment.parse(text))
        return environment.from_string(text), frozenset(found - environment.globals.keys())
    except TemplateError as error:
        raise ValueError(f"not a Jinja template: {error}") from error


def _present(value: Any) -> Any:
    if value is None:
        raise ValueError("an empty column is printed; ask for it with `{% if column %}`")
    return value
