"""The factory from Python: what the command line does, as functions and typed values.

import factory

pipeline = factory.load("pipeline.yaml", changes=["sample.n=4"])
for step in factory.plan(pipeline):
    print(step.step.name, step.action, step.why)
done = factory.run(pipeline, local=True)
print(done.release.frame().select("id", "verdict").collect())
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

from factory.engine.plan import PlannedStep, make_plan, previous_run
from factory.engine.run import run as run_steps
from factory.release.build import build_release
from factory.release.versions import Release
from factory.release.versions import open_release as _open_release
from factory.session import Session, open_session
from factory.storage.files import join

__all__ = ["Finished", "load", "open_release", "plan", "run"]


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run gave."""

    manifests: Sequence[dict[str, Any]]
    """The manifest of each step, in order: rows in, kept, rejected by reason, what was spent."""
    spent: Mapping[str, int]
    """What this run itself cost: completions drawn, completions taken from the journal, tokens."""
    release: Release | None
    """The version that holds the rows; null where the pipeline asks for no release."""


def load(
    path: str | PathLike[str], *, workspace: str | PathLike[str] | None = None, changes: Sequence[str] = ()
) -> Session:
    """Reads and checks a pipeline file; writes nothing.

    Args:
        path: the pipeline file.
        workspace: folder or URL for all results; null: FACTORY_WORKSPACE, else `workspace` here.
        changes: settings on top of the file, of the form `sample.n=2`.

    Raises:
        PipelineError: the file is wrong; the message says where, and what is wanted.
        DataError: an input is not as the file declares it.
    """
    place = None if workspace is None else fspath(workspace)
    return open_session(fspath(path), workspace=place, changes=changes)


def plan(pipeline: Session) -> list[PlannedStep]:
    """What a run would reuse, resume and run, why, and what it would cost; nothing runs."""
    return make_plan(pipeline.steps, previous=previous_run(pipeline.root))


def run(
    pipeline: Session, *, local: bool = False, address: str | None = None, quiet: bool = True
) -> Finished:
    """Runs what is missing, to a release where the pipeline asks for one; run again, it resumes.

    Args:
        pipeline: from `load`.
        local: on this machine without Ray.
        address: Ray cluster to join.
        quiet: whether progress stays unprinted.

    Raises:
        FactoryError: what the command line prints as one line; finished shards stay.
    """
    # On a cluster that is joined, packages and keys are where the workers are.
    if not (address or os.environ.get("RAY_ADDRESS")):
        pipeline.require_ready()
    release: Release | None = None

    def build(manifests: list[dict[str, Any]]) -> None:
        nonlocal release
        release = _release_of(pipeline, manifests)

    ran = run_steps(
        pipeline.steps,
        root=pipeline.root,
        run_id=pipeline.run_id,
        local=local,
        address=address,
        quiet=quiet,
        then=build,
    )
    return Finished(ran.manifests, ran.spent, release)


def open_release(path: str | PathLike[str]) -> Release:
    """A release by its folder or URL; `frame()` has its rows. DataError where there is none."""
    return _open_release(fspath(path))


def _release_of(session: Session, manifests: list[dict[str, Any]]) -> Release | None:
    """The release that the pipeline asks for: a new version, or the one that holds these very rows."""
    spec = session.pipeline.release
    if spec is None:
        return None
    if not spec.description:
        spec = spec.model_copy(update={"description": session.pipeline.description})
    return build_release(
        spec,
        session.finished(manifests),
        root=join(session.root, "releases"),
        pipeline_name=session.pipeline.pipeline,
        pipeline_yaml=session.text,
        provenance=session.pipeline.provenance,
    )
