"""Verification of programs against tests, in the sandbox."""
