"""Sentence embeddings: made in batches of equal cost, kept by the content of the text."""
