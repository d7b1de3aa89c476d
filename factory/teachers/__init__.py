"""Models that are learned from: one protocol, and the ways to reach them."""
