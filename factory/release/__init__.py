"""Immutable, named, carded dataset versions, and the ways out of the factory."""
