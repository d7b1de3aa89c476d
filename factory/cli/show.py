"""What verbs print: tables for people, JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["console", "counted", "funnel", "plain", "print_json", "table"]

console = Console(
    highlight=False, markup=False, emoji=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200
)
_CONTROL = {c: 0x2400 + c for c in range(32) if c not in (9, 10)} | {127: 0x2421}
_CONTROL |= dict.fromkeys((*range(128, 160), *range(8234, 8239), *range(8294, 8298)), 65533)


def plain(value: Any) -> str:
    """A value as text that cannot steer a terminal: control characters are shown as their pictures."""
    return str(value).translate(_CONTROL)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    text = json.dumps(value, indent=1, ensure_ascii=False, default=str)
    print(plain(text) if sys.stdout.isatty() else text.encode("utf-8", "replace").decode())


def table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str = "", right: Sequence[str] = ()
) -> None:
    """A plain table; the columns in `right` are numbers."""
    shown = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in columns:
        shown.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*["" if v is None else f"{v:,}" if isinstance(v, int) else plain(v) for v in row])
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
