"""Every kind, in one list."""

from __future__ import annotations

from tests.verifiers.metamorphic.changing_formulas import CHANGING_FORMULAS
from tests.verifiers.metamorphic.changing_numbers import CHANGING_NUMBERS
from tests.verifiers.metamorphic.changing_operators import CHANGING_OPERATORS
from tests.verifiers.metamorphic.changing_wrapping import CHANGING_WRAPPING
from tests.verifiers.metamorphic.keeping_formulas import KEEPING_FORMULAS
from tests.verifiers.metamorphic.keeping_numbers import KEEPING_NUMBERS
from tests.verifiers.metamorphic.keeping_structures import KEEPING_STRUCTURES
from tests.verifiers.metamorphic.keeping_wrapping import KEEPING_WRAPPING
from tests.verifiers.metamorphic.kinds import Kind, kinds_of
from tests.verifiers.metamorphic.variants import CHANGING_VARIANTS

__all__ = ["KINDS"]

KINDS: list[Kind] = [
    *(
        kind
        for table in (KEEPING_NUMBERS, KEEPING_WRAPPING, KEEPING_FORMULAS, KEEPING_STRUCTURES)
        for kind in kinds_of(table, keeps=True)
    ),
    *(
        kind
        for table in (
            CHANGING_NUMBERS,
            CHANGING_WRAPPING,
            CHANGING_FORMULAS,
            CHANGING_OPERATORS,
            CHANGING_VARIANTS,
        )
        for kind in kinds_of(table, keeps=False)
    ),
]
