"""Stages that remove copies of the same problem, and how pairs are found and decided."""
