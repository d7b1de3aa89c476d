"""Walking a syntax tree by the node classes alone: the module `ast` takes longer to load than a test file."""

from __future__ import annotations

import _ast as ast
from collections.abc import Iterator

__all__ = ["children", "walk"]


def children(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes directly below a node."""
    for name in node._fields:
        value = getattr(node, name, None)
        for item in value if isinstance(value, list) else (value,):
            if isinstance(item, ast.AST):
                yield item


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += children(node)
