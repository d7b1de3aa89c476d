"""The control that asks for other values: tests in which what is wanted has been changed at random."""

from __future__ import annotations

import ast
import secrets
from dataclasses import dataclass
from string import ascii_letters, digits

from verifiers.testforms.source import counts_as_test, parsed

__all__ = ["Perturbed", "compares", "perturbed"]

_CHANCE = secrets.SystemRandom()
"""Drawn anew for each control: no solution can be made to foresee what it is asked for."""

_COMPARING = frozenset({
    "allclose", "approx", "array_equal", "array_equiv", "assertAlmostEqual", "assertCountEqual",
    "assertDictEqual", "assertEqual", "assertListEqual", "assertSequenceEqual", "assertSetEqual",
    "assertTupleEqual", "assert_allclose", "assert_almost_equal", "assert_array_almost_equal",
    "assert_array_equal", "assert_equal", "assert_frame_equal", "assert_series_equal", "isclose",
})  # fmt: skip
"""Functions of which an early argument is what is wanted: the second, or the only one."""


@dataclass(frozen=True, slots=True)
class Perturbed:
    """Tests that ask for other values."""

    source: str
    changed: frozenset[int]
    """Places of the top-level tests, counted from 0, that ask for another value themselves."""


def compares(source: str) -> bool:
    """Whether tests compare anything by `==` or by a function for it."""
    tree = parsed(source)
    return isinstance(tree, ast.Module) and any(_wanted(node) is not None for node in ast.walk(tree))


def perturbed(source: str) -> Perturbed | None:
    """Tests with other values in the place of those wanted; null where none is written down.

    What is wanted stands to the right of `==` or in a call that compares; where it is a name, in what the
    name is given: an assignment, the rows of a loop, the table of `parametrize`.
    """
    tree = parsed(source)
    if isinstance(tree, str):
        return None
    change = _Change()
    places: list[int] = []
    for place, statement in enumerate(item for item in tree.body if counts_as_test(item)):
        before = change.changed
        for node in ast.walk(statement):
            change.wanted_of(node)
        if change.changed > before:
            places.append(place)
    for node in ast.walk(tree):
        change.wanted_of(node)
    for node in list(ast.walk(tree)):
        change.given_to(node)
    if not change.changed:
        return None
    return Perturbed(ast.unparse(ast.fix_missing_locations(tree)) + "\n", frozenset(places))


def _wanted(node: ast.AST) -> tuple[list[ast.expr], int] | None:
    """Where a node holds what it compares with: a list of expressions and the place in it."""
    if isinstance(node, ast.Compare) and isinstance(node.ops[-1], ast.Eq):
        return node.comparators, len(node.comparators) - 1
    if not isinstance(node, ast.Call) or not node.args:
        return None
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return (node.args, min(1, len(node.args) - 1)) if name in _COMPARING else None


class _Change(ast.NodeTransformer):
    """Changes each constant below the nodes that it is sent to, once."""

    def __init__(self) -> None:
        self.changed = 0
        self._names: set[str] = set()
        self._seen: set[int] = set()

    def wanted_of(self, node: ast.AST) -> None:
        """Changes what a node compares with, and remembers the names in it."""
        found = _wanted(node)
        if found is None or id(node) in self._seen:
            return
        self._seen.add(id(node))
        items, place = found
        self._names |= {part.id for part in ast.walk(items[place]) if isinstance(part, ast.Name)}
        items[place] = self.visit(items[place])

    def given_to(self, node: ast.AST) -> None:
        """Changes the values of names that are compared with."""
        if isinstance(node, ast.Assign) and any(self._is_known(target) for target in node.targets):
            node.value = self.visit(node.value)
        elif isinstance(node, ast.For):
            self._rows(node.iter, [getattr(item, "id", "") for item in _items(node.target)])
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "attr", "") == "parametrize"
            and len(node.args) > 1
        ):
            names = node.args[0]
            if isinstance(names, ast.Constant) and isinstance(names.value, str):
                self._rows(node.args[1], [name.strip() for name in names.value.split(",")])

    def _is_known(self, target: ast.expr) -> bool:
        return any(isinstance(item, ast.Name) and item.id in self._names for item in _items(target))

    def _rows(self, table: ast.expr, names: list[str]) -> None:
        for row in table.elts if isinstance(table, (ast.List, ast.Tuple, ast.Set)) else ():
            cells = _items(row) if len(names) > 1 else [row]
            for name, cell in zip(names, cells, strict=False):
                if name in self._names:
                    self.visit(cell)

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        other = _other(node.value)
        if other is not None and id(node) not in self._seen:
            self._seen.add(id(node))
            self.changed += 1
            node.value = other
        return node


def _items(target: ast.expr) -> list[ast.expr]:
    return target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]


def _other(value: object) -> int | float | str | bool | None:
    """Another value that looks like the one given; null for what has no other."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + _CHANCE.choice((-1, 1)) * _CHANCE.randint(1, max(9, abs(value)))
    if isinstance(value, float):
        decimals = len(repr(value).partition(".")[2]) if "e" not in repr(value) else 3
        return round(value + _CHANCE.choice((-1, 1)) * _CHANCE.uniform(1, max(9, abs(value))), decimals)
    return _other_text(value) if isinstance(value, str) else None


def _other_text(text: str) -> str:
    place = _CHANCE.randrange(len(text) + 1)
    old = text[place : place + 1]
    pool = digits if old.isdigit() else ascii_letters
    return text[:place] + _CHANCE.choice([sign for sign in pool if sign != old]) + text[place + 1 :]
