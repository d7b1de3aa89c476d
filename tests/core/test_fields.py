"""No field is only an identity: what a pipeline file may say is read by the code, and says what it means."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

import factory.catalog
from factory.catalog import STAGES
from factory.core import Resources
from factory.release.spec import ReleaseSpec

ROOT = Path(factory.catalog.__file__).parents[1]
BY_ALL = frozenset({"type"})
"""Fields that the file's reader takes before there is a model."""


def models() -> dict[str, type[BaseModel]]:
    """Every model that a pipeline file can hold: stages, and whatever their fields are made of."""
    found: dict[str, type[BaseModel]] = {}
    waiting: list[Any] = [*STAGES.values(), Resources, ReleaseSpec]
    while waiting:
        one = waiting.pop()
        waiting += get_args(one)
        if isinstance(one, type) and issubclass(one, BaseModel) and one.__name__ not in found:
            found[one.__name__] = one
            waiting += [field.annotation for field in one.model_fields.values()]
    return found


@cache
def readers() -> dict[str, set[tuple[str, int]]]:
    """Where each name is read: as an attribute, or as a text, which `getattr` and `model_dump` go by."""
    found: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for folder in ("factory", "verifiers", "sandbox"):
        for path in (ROOT / folder).rglob("*.py"):
            for name, line in _read_names(ast.parse(path.read_text(encoding="utf-8"))):
                found[name].add((str(path), line))
    return found


def _read_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    named = {id(n) for a in ast.walk(tree) for n in _no_reading(a)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield node.attr, node.lineno
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in named:
            yield node.value, node.lineno


def _no_reading(node: ast.AST) -> Iterator[ast.AST]:
    """Texts that name a field and do not read it: its validator, what a dump leaves out, an example."""
    if isinstance(node, ast.Call):
        function = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if function == "field_validator":
            yield from node.args
        yield from (n for k in node.keywords if k.arg in ("exclude", "update") for n in ast.walk(k.value))
    if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") in ("minimal", "examples"):
        yield from (n for n in ast.walk(node.value or node.target))
    if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "__all__" for t in node.targets):
        yield from ast.walk(node.value)


@pytest.mark.parametrize("name", sorted(models()))
def test_every_field_is_read_and_says_what_it_means(name: str) -> None:
    fields = {n: f for n, f in models()[name].model_fields.items() if n not in BY_ALL}
    unread = sorted(n for n in fields if n not in readers())
    assert not unread, f"{name} takes {unread}, and nothing reads it"
    bare = sorted(n for n, f in fields.items() if not f.description)
    assert not bare, f"{name} does not say what {bare} mean"


def test_a_field_that_only_its_validator_names_is_found() -> None:
    source = """
class Stage(BaseModel):
    lost: str = ""
    used: str = ""
    minimal: ClassVar[Any] = {"lost": "x"}
    @field_validator("lost")
    def check(cls, value): return value
    def apply(self): return self.used, self.model_dump(exclude={"lost"})
"""
    assert {n for n, _ in _read_names(ast.parse(source))} & {"lost", "used"} == {"used"}
