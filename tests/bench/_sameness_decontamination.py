"""Decontamination: what is found of copies, paraphrases and disguises, and what is flagged without need."""

from __future__ import annotations

__all__ = ["run"]


def run() -> None:
    """All figures of decontamination."""
