"""What runs on the far side: the zygote, the per-solution process and the per-test process.

Nothing here imports the host side, and everything here is loaded by a bare `python -I -S`.
"""

__all__: list[str] = []
