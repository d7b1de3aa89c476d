"""A judge's prompt of one's own: a Jinja template, run in Jinja's sandbox, strict about names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__ = ["VARIABLES", "check_template", "rendered", "variables_of"]

VARIABLES = ("prompt", "turns", "answer", "reference", "rubric", "mark", "answer_form")
"""What a template may name: the conversation as text between marks and as `{role, content}`, the answer, the
reference (empty where there is none), the rubric's `{number, criterion, weight}`, the mark that parts what is
judged from the rest, and the sentence that says how the verdict is written."""


def check_template(text: str) -> None:
    """Raises ValueError where the text is no template, names what there is not, or shows no answer."""
    named = variables_of(text)
    unknown = sorted(named - set(VARIABLES))
    if unknown:
        raise ValueError(f"the judge's template names {unknown[0]!r}; there are {', '.join(VARIABLES)}")
    if "answer" not in named:
        raise ValueError("the judge's template shows no answer: `{{ answer }}` is missing")


def variables_of(text: str) -> frozenset[str]:
    """The variables that a template names. Raises ValueError where it is none."""
    return _compiled(text)[1]


def rendered(text: str, values: Mapping[str, Any]) -> str:
    """The question. Raises ValueError where the template fails on these values."""
    try:
        question = _compiled(text)[0].render(values)
    except (TemplateError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError) as error:
        raise ValueError(f"the judge's template fails: {type(error).__name__}: {error}") from error
    if "answer_form" in variables_of(text):
        return question
    return f"{question.rstrip()}\n\n{values['answer_form']}"


@lru_cache(maxsize=64)
def _compiled(text: str) -> tuple[Template, frozenset[str]]:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    try:
        found = meta.find_undeclared_variables(environment.parse(text))
        return environment.from_string(text), frozenset(found - environment.globals.keys())
    except TemplateError as error:
        raise ValueError(f"not a Jinja template: {error}") from error
