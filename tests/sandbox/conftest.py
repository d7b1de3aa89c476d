"""One sandbox of each tier for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sandbox import Limits, Sandbox

LIMITS = Limits(cpu_s=1.0, memory_mb=256, output_mb=2.0)


@pytest.fixture(scope="session", params=["namespaces", "landlock"])
def box(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox in each tier that isolates. Where one cannot be had its tests fail: that is their point."""
    with Sandbox(tier=request.param, limits=LIMITS) as made:
        yield made


@pytest.fixture(scope="session", params=["namespaces", "landlock"])
def numeric_box(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox whose programs find numpy and pandas, not loaded beforehand in one of the tiers."""
    site = Path(np.__file__).parents[1]
    preload = ["numpy", "pandas"] if request.param == "namespaces" else []
    limits = Limits(cpu_s=4.0, memory_mb=512, output_mb=4.0)
    with Sandbox(tier=request.param, limits=limits, site_dirs=[site], preload=preload) as made:
        yield made
