"""One JSON line per figure, and the exit code that says whether every bar holds."""

from __future__ import annotations

import json
import sys
from typing import NoReturn

_broken: list[str] = []


def figure(
    name: str, value: float, *, unit: str, baseline: float | None, bar: float | None, holds: bool
) -> None:
    """Prints one figure; `holds` says whether it meets its bar."""
    line = {"name": name, "value": value, "unit": unit, "baseline": baseline, "bar": bar, "holds": holds}
    print(json.dumps(line), flush=True)
    if not holds:
        _broken.append(name)


def finish() -> NoReturn:
    """Exits 1 when a bar did not hold, else 0."""
    if _broken:
        print(f"bars that do not hold: {', '.join(_broken)}", file=sys.stderr)
    sys.exit(1 if _broken else 0)
