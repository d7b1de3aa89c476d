"""Kinds of rewrites, and the samples they make."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.verifiers.metamorphic.references import Reference
from verifiers.base import Case

__all__ = ["Kind", "Maker", "Table", "boxed", "kinds_of", "samples"]

Maker = Callable[[Reference, random.Random], "Case | str | None"]
"""A completion for the reference, a case of its own, or null where the rewrite does not apply."""
Table = Mapping[str, Mapping[str, Maker]]
"""Form of reference, then name of the kind."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One mechanism; `keeps` says whether the answer stays the same."""

    name: str
    form: str
    keeps: bool
    make: Maker


def kinds_of(table: Table, *, keeps: bool) -> list[Kind]:
    """The kinds of a table, by form."""
    return [
        Kind(f"{form}: {name}", form, keeps, make)
        for form, makers in table.items()
        for name, make in makers.items()
    ]


def samples(
    kind: Kind, references: Mapping[str, Sequence[Reference]], *, n: int, seed: int = 11
) -> Iterator[Case]:
    """Up to `n` cases of a kind, from references in random order."""
    source = random.Random(f"{seed} {kind.name}")
    pool = list(references.get(kind.form, ()))
    source.shuffle(pool)
    made = 0
    for reference in pool:
        case = kind.make(reference, source)
        if case is None:
            continue
        if isinstance(case, str):
            case = Case(reference.prompt, case, reference=reference.text, finish_reason="stop")
        yield case
        made += 1
        if made == n:
            return


def boxed(answer: str) -> str:
    """A completion that ends in a boxed answer."""
    return f"Adding this up, we conclude that the answer is $\\boxed{{{answer}}}$."
