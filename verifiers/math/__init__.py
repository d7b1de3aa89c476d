"""Verification of mathematical answers against a reference."""

from __future__ import annotations

from verifiers.math.verifier import Math

__all__ = ["Math"]
