"""Models: where they lie, what identifies them, engines in this process, clients of endpoints."""
