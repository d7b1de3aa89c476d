"""Fixtures shared by every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from factory.models.resolve import TEACHER, packaged_folder


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real data that FACTORY_TEST_DATA names; skips without it, fails without it under CI."""
    named = os.environ.get("FACTORY_TEST_DATA", "")
    folder = Path(named)
    if named and (folder / "data").is_dir():
        return folder
    reason = f"real data: FACTORY_TEST_DATA names no folder that holds data/ (it is {named!r})"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def teacher_folder() -> Path:
    """Folder of the packaged teacher; skips without it, fails without it under CI."""
    folder = packaged_folder(TEACHER)
    if folder is not None:
        return folder
    reason = f"the packaged teacher is not set up; run `python -m factory.models.resolve build {TEACHER}`"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """One local Ray cluster for all tests that use it."""
    import ray

    from factory.engine.ray_executor import connect

    connect("local")
    yield
    ray.shutdown()
