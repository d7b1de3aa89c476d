"""Stages that judge completions and references."""
