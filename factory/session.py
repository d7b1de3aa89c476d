"""A pipeline file, its workspace and its steps, as every verb needs them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from factory.core import PipelineError, SourceStage
from factory.core.paths import is_url
from factory.engine.steps import Step, make_steps
from factory.pipeline import Pipeline, load_pipeline
from factory.release.spec import FinishedStep
from factory.storage.files import join

__all__ = ["Session", "open_session", "pipeline_root"]

DEFAULT_WORKSPACE = "workspace"


@dataclass(frozen=True)
class Session:
    """One pipeline in one workspace."""

    path: str
    text: str
    pipeline: Pipeline
    workspace: str
    root: str
    run_id: str
    steps: Sequence[Step]

    def require_ready(self) -> None:
        """Raises PipelineError where a step that has work to do lacks a package, an address or a key."""
        done = max((s.index for s in self.steps if s.manifest()), default=-1)
        for step in self.steps[done + 1 :]:
            if missing := step.stage.lacks(step.site):
                raise PipelineError(f"{self.path}: {step.label} {missing}")

    def finished(self, manifests: Sequence[dict[str, Any]]) -> list[FinishedStep]:
        """The steps as a release wants them."""
        return [FinishedStep(folder=s.folder, manifest=m) for s, m in zip(self.steps, manifests, strict=True)]

    def preview(self, rows: int) -> Session:
        """The first steps up to the last one that asks a teacher, with a few rows of the inputs.

        It has a folder of its own, and the journal of the whole: what it draws is paid for once.
        """
        source, *others = self.pipeline.stages
        assert isinstance(source, SourceStage)
        asking = [index for index, step in enumerate(self.steps) if step.stage.cost(1)]
        root = join(self.root, "preview")
        steps = make_steps(
            [source.preview(rows), *others][: asking[-1] + 1 if asking else 1],
            resources=self.pipeline.resources,
            root=root,
            workspace=self.workspace,
            run_id=self.run_id,
            journal_url=self.steps[0].site.journal_url,
        )
        return replace(self, root=root, steps=steps)


def _workspace(named: str | None, *, path: str, pipeline: str) -> str:
    """The workspace asked for; else the one that holds the pipeline, here or above here or above the file."""
    place = named or os.environ.get("FACTORY_WORKSPACE")
    if place:
        return place if is_url(place) else os.path.abspath(os.path.expanduser(place))
    here = os.path.abspath(DEFAULT_WORKSPACE)
    if os.path.isdir(os.path.join(here, pipeline)):
        return here
    for folder in (*Path.cwd().parents, *Path(path).resolve().parents):
        if (folder / DEFAULT_WORKSPACE / pipeline / "steps").is_dir():
            found = str(folder / DEFAULT_WORKSPACE)
            print(f"workspace: {found}, which holds '{pipeline}'; --workspace names another", file=sys.stderr)
            return found
    return here


def pipeline_root(path: str, *, workspace: str | None) -> str:
    """The pipeline's folder in the workspace, whatever settings its runs had."""
    name = load_pipeline(path).pipeline
    return join(_workspace(workspace, path=path, pipeline=name), name)


def open_session(path: str, *, workspace: str | None, changes: Sequence[str] = ()) -> Session:
    """Loads and checks the pipeline and places its steps. Reads input digests; writes nothing."""
    pipeline = load_pipeline(path, changes=changes)
    place = _workspace(workspace, path=path, pipeline=pipeline.pipeline)
    root = join(place, pipeline.pipeline)
    run_id = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    try:
        steps = make_steps(
            pipeline.stages, resources=pipeline.resources, root=root, workspace=place, run_id=run_id
        )
    except ValueError as error:
        raise PipelineError(f"{path}: {error}") from error
    return Session(
        path=path,
        text=Path(path).read_text(encoding="utf-8"),
        pipeline=pipeline,
        workspace=place,
        root=root,
        run_id=run_id,
        steps=steps,
    )
