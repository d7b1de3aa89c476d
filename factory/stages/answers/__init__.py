"""Stages that measure, filter and choose completions."""
