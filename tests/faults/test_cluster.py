"""A run on a cluster that is too small or shared goes on or is refused; it never stands still."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]
RUN = """
import sys
from factory.core import FactoryError, Resources
from factory.engine.run import run
from factory.engine.steps import make_steps
from tests.engine.noop import Held, Numbers, OncePerDigit, Pass

folder, address, options = sys.argv[1], sys.argv[2], eval(sys.argv[3])
stages = [Numbers(rows=200), Held(log=folder + "/log"), Pass(), OncePerDigit()]
steps = make_steps(stages, resources={"held": Resources(**options)}, root=folder + "/p", workspace=folder)
try:
    kept = run(steps, root=folder + "/p", run_id="r", address=address, quiet=True).manifests[-1]["rows_kept"]
except FactoryError as error:
    print(error)
    sys.exit(error.exit_code)
print(kept)
"""


@pytest.fixture(scope="module")
def two_cpus() -> Iterator[str]:
    """Address of a Ray cluster of two CPUs."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "num_gpus": 0})
    yield cluster.address
    cluster.shutdown()


def start(folder: Path, address: str, options: str) -> subprocess.Popen[str]:
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder), address, options],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_runs_on_two_cpus_with_pools_of_two_both_end(tmp_path: Path, two_cpus: str) -> None:
    runs = [start(tmp_path / name, two_cpus, "dict(workers=2)") for name in ("a", "b")]
    for one in runs:
        out, err = one.communicate(timeout=200)
        assert (one.returncode, out.strip()) == (0, "10"), err


@pytest.mark.parametrize("options", ["dict(gpus=1)", "dict(cpus=3)", "dict(accelerator_type='H100')"])
def test_what_no_node_can_hold_is_refused_at_the_start(tmp_path: Path, two_cpus: str, options: str) -> None:
    out, err = (one := start(tmp_path / "a", two_cpus, options)).communicate(timeout=120)
    assert one.returncode == 2, err
    assert "step 2 'held': a worker wants" in out
    assert "the cluster has nodes of 2 CPUs, 0 GPUs" in out
