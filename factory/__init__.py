"""A distributed factory for reasoning datasets: one pipeline file in, one trusted release out."""

__version__ = "0.1.0"
