"""Negative controls: what must fail where a verdict rests on code of the solution itself."""

from __future__ import annotations

import ast

from verifiers.testforms.source import parsed

__all__ = ["guarded_cpp", "negated", "negated_cpp", "null_solution", "perturbed"]

_NOTHING = """
class {name}:
    def __init__(self, *arguments, **named):
        pass

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *arguments, **named: None
"""


def null_solution(code: str) -> str:
    """A program with the functions and classes of another, of which none does anything."""
    tree = parsed(code)
    parts = []
    for statement in tree.body if isinstance(tree, ast.Module) else []:
        if isinstance(statement, ast.ClassDef):
            parts.append(_NOTHING.format(name=statement.name))
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            parts.append(f"def {statement.name}(*arguments, **named):\n    return None\n")
    return "\n".join(parts) or "pass\n"


class _Negation(ast.NodeTransformer):
    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        node.test = ast.UnaryOp(ast.Not(), node.test)
        return node


def negated(source: str) -> str | None:
    """Python tests whose every assert says the opposite; null where there is no assert."""
    tree = parsed(source)
    if isinstance(tree, str) or not any(isinstance(node, ast.Assert) for node in ast.walk(tree)):
        return None
    return ast.unparse(ast.fix_missing_locations(_Negation().visit(tree))) + "\n"


_COMPARING = frozenset({"allclose", "isclose", "array_equal", "array_equiv", "approx"})
"""Functions whose last positional argument is what is wanted."""


class _Perturbation(ast.NodeTransformer):
    """Changes the constants on the right of each `==`, and in each call that compares, within an assert."""

    def __init__(self) -> None:
        self.changed = 0
        self._inside = False

    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        for part in ast.walk(node.test):
            if isinstance(part, ast.Compare) and isinstance(part.ops[-1], ast.Eq):
                self._change(part.comparators)
            elif isinstance(part, ast.Call) and part.args and _called(part) in _COMPARING:
                self._change(part.args)
        return node

    def _change(self, items: list[ast.expr]) -> None:
        self._inside = True
        items[-1] = self.visit(items[-1])
        self._inside = False

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        other = _other(node.value) if self._inside else None
        if other is None:
            return node
        self.changed += 1
        return ast.copy_location(ast.Constant(other), node)


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _other(value: object) -> int | float | str | bool | None:
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    return value + "~" if isinstance(value, str) else None


def perturbed(source: str) -> str | None:
    """Python tests that ask for other values; null where they compare with no constant."""
    tree = parsed(source)
    if isinstance(tree, str):
        return None
    change = _Perturbation()
    changed = change.visit(tree)
    return ast.unparse(ast.fix_missing_locations(changed)) + "\n" if change.changed else None


_CPP_ASSERT = "#undef NDEBUG\n#undef assert\n#include <cassert>\n"
_CPP_OPPOSITE = "#undef assert\n#define assert(...) ((__VA_ARGS__) ? __builtin_abort() : (void)0)\n"


def guarded_cpp(source: str) -> str:
    """C++ tests whose `assert` is the standard one, whatever the solution has made of it."""
    return _CPP_ASSERT + source


def negated_cpp(source: str) -> str:
    """C++ tests whose every assert says the opposite."""
    lines = source.split("\n")
    last = max((n for n, line in enumerate(lines) if line.lstrip().startswith("#include")), default=-1)
    return "\n".join([_CPP_ASSERT, *lines[: last + 1], _CPP_OPPOSITE, *lines[last + 1 :]])
