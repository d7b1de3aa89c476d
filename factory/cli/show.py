"""What verbs print: tables for people, JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["console", "counted", "funnel", "print_json", "table"]

console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str = "", right: Sequence[str] = ()
) -> None:
    """A plain table; the columns in `right` are numbers."""
    shown = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in columns:
        shown.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*["" if v is None else f"{v:,}" if isinstance(v, int) else str(v) for v in row])
    console.print(shown)


def counted(counts: Mapping[str, int]) -> str:
    """Counts by name on one line: `pass 1,204, fail 3`."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def funnel(manifests: Sequence[Mapping[str, Any]]) -> None:
    """Rows through the steps: in, out of the step, kept, and the rejected by reason."""
    rows = []
    for m in manifests:
        reasons = ", ".join(f"{k} {v}" for k, v in m["reasons"].items())
        rows.append((m["step"], m["rows_in"], m["rows_kept"], m["rows_rejected"], reasons))
    table(["step", "in", "kept", "rejected", "reasons"], rows, right=["in", "kept", "rejected"])
