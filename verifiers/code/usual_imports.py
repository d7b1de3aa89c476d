"""What the graders of LiveCodeBench, APPS, TACO and LeetCode import before a program that may rely on it."""

from __future__ import annotations

import ast
import importlib
from functools import cache

from verifiers.testforms.source import free_names, parsed

__all__ = ["with_usual_imports"]

_MODULES = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics"),
    *("itertools", "functools", "operator", "io", "sys", "json", "time", "fractions", "typing"),
)
"""Imported by name and, in this order, with all that they offer."""
_BY_NAME_ALONE = frozenset({"time", "sys", "fractions"})
_RECURSION = "__import__('sys').setrecursionlimit(50000)"
"""As LiveCodeBench's grader sets it."""


def with_usual_imports(code: str) -> str:
    """A Python program with imports of those names that it uses, does not define, and the graders give it.

    A program that imports what it needs stays as it is, but for the depth to which it may call itself.
    """
    tree = parsed(code)
    if isinstance(tree, str):
        return code
    lines = [line for name in sorted(free_names(tree)) if (line := _import_of(name))]
    first = _first_line(tree)
    text = code.split("\n")
    return "\n".join([*text[: first - 1], "; ".join([_RECURSION, *lines]), *text[first - 1 :]])


def _import_of(name: str) -> str | None:
    if name in _MODULES:
        return f"import {name}"
    if name == "np":
        return "import numpy as np"
    module = _offered().get(name)
    return f"from {module} import {name}" if module is not None else None


@cache
def _offered() -> dict[str, str]:
    """Names that the modules offer, and which of them does."""
    found: dict[str, str] = {}
    for name in _MODULES:
        if name not in _BY_NAME_ALONE:
            module = importlib.import_module(name)
            public = getattr(module, "__all__", None) or [x for x in vars(module) if not x.startswith("_")]
            found |= dict.fromkeys(public, name)
    return found


def _first_line(tree: ast.Module) -> int:
    """The line of the first statement before which an import may stand."""
    for place, statement in enumerate(tree.body):
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            continue
        if place == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
        return min([statement.lineno, *(node.lineno for node in decorators)])
    return (tree.body[-1].end_lineno or 0) + 1 if tree.body else 1
