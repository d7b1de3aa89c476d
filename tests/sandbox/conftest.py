"""One sandbox of each tier for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox import Limits, Sandbox

LIMITS = Limits(cpu_s=1.0, memory_mb=256, output_mb=2.0)


@pytest.fixture(scope="session", params=["namespaces", "landlock"])
def box(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox in each tier that isolates. Where one cannot be had its tests fail: that is their point."""
    with Sandbox(tier=request.param, limits=LIMITS) as made:
        yield made
