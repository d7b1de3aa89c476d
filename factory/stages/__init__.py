"""The stages, one idea per file."""
