"""One set of finished steps and one release of them, shared by the tests that only read."""

from __future__ import annotations

from pathlib import Path

import pytest

from factory.release.build import build_release
from factory.release.spec import FinishedStep, ReleaseSpec
from factory.release.versions import Release
from tests.release.steps import make_steps


@pytest.fixture(scope="session")
def steps(tmp_path_factory: pytest.TempPathFactory) -> list[FinishedStep]:
    return make_steps(tmp_path_factory.mktemp("steps"))


@pytest.fixture(scope="session")
def release(steps: list[FinishedStep], tmp_path_factory: pytest.TempPathFactory) -> Release:
    """12 problems, 4 completions each, 27 right completions of 9 problems released, in AM rows."""
    return build(steps, tmp_path_factory.mktemp("release"))


def build(steps: list[FinishedStep], root: Path | str, **fields: object) -> Release:
    """Builds a release with a few fields of its spec set."""
    return build_release(
        ReleaseSpec.model_validate(fields),
        steps,
        root=str(root),
        pipeline_name="sums",
        pipeline_yaml="pipeline: sums\n",
        provenance={"stages.pass-rate.min": "assumed", "stages.sample.teacher": "published"},
    )
