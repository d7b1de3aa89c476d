"""What a prompt defines for its tests beside the function that is asked for."""

from __future__ import annotations

import ast

from verifiers.testforms.source import bound_names, free_names

__all__ = ["given_helpers"]


def given_helpers(prompt: ast.Module, *, used: set[str], entry: str) -> str:
    """Code of the prompt's own functions and imports that the tests use, and of what those need.

    A solution may define them anew, and then its tests would ask its own word. Empty where there are none, or
    where they rest on what only the solution has: a class, whose objects pass between both, or the entry.
    """
    known = {name: statement for statement in prompt.body for name in _names(statement)}
    wanted, seen = [name for name in sorted(used) if name in known and name != entry], set[str]()
    while wanted:
        name = wanted.pop()
        if name == entry or isinstance(known[name], ast.ClassDef) or _is_stub(known[name]):
            return ""
        seen.add(name)
        wanted += [other for other in free_names(known[name]) if other in known and other not in seen]
    chosen = [statement for statement in prompt.body if seen & _names(statement)]
    return "\n".join(ast.unparse(statement) for statement in chosen)


def _names(statement: ast.stmt) -> set[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)):
        return bound_names(statement)
    return set()


def _is_stub(statement: ast.stmt) -> bool:
    """Whether it is a function that says what to do and does not do it."""
    if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    return all(
        isinstance(item, (ast.Pass, ast.Raise))
        or (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant))
        for item in statement.body
    )
