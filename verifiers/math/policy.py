"""How answers are read where mathematics does not say: percent, rounding, order, tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["DEFAULT", "ListOrder", "Percent", "Policy", "Rounding"]

Percent = Literal["asked", "strict"]
Rounding = Literal["exact", "written"]
ListOrder = Literal["free", "kept"]


@dataclass(frozen=True, slots=True)
class Policy:
    """The readings that a pipeline chooses; see the fields of the verifier for what each means."""

    percent: Percent = "asked"
    rounding: Rounding = "exact"
    list_order: ListOrder = "free"
    relative_tolerance: float = 0.0
    significant_digits: int | None = None

    @property
    def loosens(self) -> str:
        """What lets numbers pass that are not equal, for the verdict's detail; empty when nothing does."""
        loose = [f"relative_tolerance {self.relative_tolerance:g}"] if self.relative_tolerance else []
        loose += [f"significant_digits {self.significant_digits}"] if self.significant_digits else []
        loose += ["rounding written"] if self.rounding == "written" else []
        return ", ".join(loose)


DEFAULT = Policy()
