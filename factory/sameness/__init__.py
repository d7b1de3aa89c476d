"""Whether two problems are the same: what a text says, how two texts differ, and which differences matter."""
