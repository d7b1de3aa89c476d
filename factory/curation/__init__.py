"""Numeric library under dedup and decontamination: functions over Arrow arrays and numpy.

Importing this package loads neither numba, torch, faiss nor sentence-transformers; each is imported by the
function that needs it.
"""

from __future__ import annotations

__all__: list[str] = []
