"""Watches the asserts of the tests: what is reached, and what agrees with what is not there.

An array without items agrees with every other that it can be spread over, and a loop over nothing asserts
nothing. Neither is an answer.
"""

from __future__ import annotations

import _ast as ast
import builtins
import sys
from collections.abc import Callable
from typing import Any

from sandbox.inside.arrays import is_array
from sandbox.inside.naming import DECIDING
from sandbox.inside.tree import walk

__all__ = ["Witness"]

# No program can spell these names.
_REACHED, _EQUAL, _CALL = "reached@", "equal@", "call@"
_COMPARING = frozenset(DECIDING["numpy"].split() + DECIDING["numpy.testing"].split())


class Witness:
    """What the asserts of one run came to."""

    def __init__(self) -> None:
        self.expected = False
        """Whether the tests hold asserts, and nothing else that could fail them."""
        self._reached = False
        self._compares = False
        self._compared = False
        for name, function in ((_REACHED, self._reach), (_EQUAL, self._equal), (_CALL, self._call)):
            setattr(builtins, name, function)

    @property
    def saw_nothing(self) -> bool:
        """Whether asserts were there and none of them, or none of their comparisons, was evaluated."""
        return self.expected and not (self._reached and (self._compared or not self._compares))

    def watch(self, tree: ast.Module) -> None:
        """Changes the tests so that their asserts are seen."""
        found = False
        for node in walk(tree):
            if isinstance(node, ast.Assert) and not isinstance(node.test, ast.Constant):
                found = True
                node.test = _called(_REACHED, [_changed(node.test)], like=node.test)
                self._compares = self._compares or any(map(_is_watched, walk(node.test)))
            elif isinstance(node, ast.Expr):
                node.value = _changed(node.value)
        self.expected = found and not any(map(_may_fail, walk(tree)))

    def _reach(self, value: Any) -> Any:
        self._reached = True
        return value

    def _equal(self, found: Any, wanted: Any) -> Any:
        self._compared = True
        result = found == wanted
        if (is_array(found) or is_array(wanted)) and _lopsided(found, wanted):
            return sys.modules["numpy"].zeros(1, dtype=bool)
        return result

    def _call(self, function: Callable[..., Any], found: Any, wanted: Any, *rest: Any, **named: Any) -> Any:
        self._compared = True
        if not _lopsided(found, wanted):
            return function(found, wanted, *rest, **named)
        if getattr(function, "__name__", "").startswith("assert"):
            raise AssertionError("nothing was compared: only one side has items")
        return False


def _is_watched(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in (_EQUAL, _CALL)


def _changed(node: Any) -> Any:
    """An expression with watched comparisons in the place of its own."""
    if not isinstance(node, ast.AST):
        return node
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            value[:] = [_changed(item) for item in value]
        elif isinstance(value, ast.AST):
            setattr(node, name, _changed(value))
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
        return _called(_EQUAL, [node.left, node.comparators[0]], like=node)
    return _watched_call(node) if _compares(node) else node


def _compares(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or len(node.args) < 2:
        return False
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in _COMPARING and not any(isinstance(item, ast.Starred) for item in node.args[:2])


def _watched_call(node: Any) -> ast.Call:
    watched = _called(_CALL, [node.func, *node.args], like=node)
    watched.keywords = node.keywords
    return watched


def _called(name: str, arguments: list[ast.expr], *, like: ast.expr) -> ast.Call:
    place: dict[str, Any] = {
        key: getattr(like, key) for key in ("lineno", "col_offset", "end_lineno", "end_col_offset")
    }
    return ast.Call(ast.Name(name, ast.Load(), **place), arguments, [], **place)


def _may_fail(node: ast.AST) -> bool:
    """Whether a node can fail a test by itself: a wanted exception, an assertion method."""
    if isinstance(node, ast.Raise):
        return True
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name.startswith(("assert", "fail", "raises"))


def _lopsided(found: Any, wanted: Any) -> bool:
    """Whether only one side has items, so that numpy compares nothing."""
    sizes = [_size(found), _size(wanted)]
    return None not in sizes and (sizes[0] == 0) != (sizes[1] == 0)


def _size(value: Any) -> int | None:
    if isinstance(value, (list, tuple)):
        return len(value)
    if is_array(value):
        return int(value.size)
    return 1 if isinstance(value, (int, float, complex)) else None
