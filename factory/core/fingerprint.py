"""Machine identity of a step: a hash of all that can change a byte of its output."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from factory.core.stage import Stage

__all__ = ["digest", "fingerprint"]


def digest(value: Any) -> str:
    """SHA-256 over canonical JSON (sorted keys, no spaces), 64 hex digits."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def fingerprint(stage: Stage, *, upstream: str | None) -> str:
    """Fingerprint of a stage behind `upstream`, the fingerprint of the step before (null: the first)."""
    return digest(
        {"type": stage.type, "version": stage.version, "fields": stage.identity(), "upstream": upstream}
    )
