"""Every field that a pipeline may set is read by the code, and says what it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from factory.pipeline import Pipeline

ROOT = Path(__file__).parent.parent


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


@cache
def settings() -> dict[str, type[BaseModel]]:
    """All models that a pipeline file may hold, at any depth, by module and name."""
    found: dict[str, type[BaseModel]] = {}
    waiting: list[type[BaseModel]] = [Pipeline]
    while waiting:
        model = waiting.pop()
        name = f"{model.__module__}.{model.__qualname__}"
        if name not in found:
            found[name] = model
            waiting += [m for field in model.model_fields.values() for m in models_in(field.annotation)]
    return found


@cache
def read_names() -> frozenset[str]:
    """Names that stand behind a dot in an expression that is read, anywhere in the source."""
    files = [f for room in ("factory", "verifiers", "sandbox") for f in (ROOT / room).rglob("*.py")]
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text())))
    return frozenset(n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load))


def test_finds_stages_teachers_verifiers_and_resources() -> None:
    names = {name.rsplit(".", 1)[-1] for name in settings()}
    assert {"Sample", "Vllm", "Http", "Interpreter", "Resources", "Price", "ReleaseSpec"} <= names


@pytest.mark.parametrize("name", sorted(settings()))
def test_every_field_is_read_and_says_what_it_is(name: str) -> None:
    model = settings()[name]
    unread = [field for field in model.model_fields if field not in read_names()]
    assert not unread, f"{name}: nothing reads {unread}"
    silent = [f for f, info in model.model_fields.items() if not info.description and f != "type"]
    assert not silent, f"{name}: {silent} have no docstring"
