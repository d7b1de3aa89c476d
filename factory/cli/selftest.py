"""Verbs by which the factory proves itself: decontaminate --selftest."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Any

import typer

from factory.cli.run import AsJson, PipelineFile, Workspace
from factory.cli.show import console, print_json, table
from factory.core import PipelineError, SourceStage, prompt_texts
from factory.session import Session, open_session
from factory.stages.decontamination.decontaminate import Decontaminate
from factory.stages.decontamination.selftest import read_rephrased, selftest_report

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.command()(decontaminate)


def decontaminate(
    pipeline: PipelineFile,
    selftest: Annotated[
        bool, typer.Option("--selftest", help="Plant known copies and count what is found.")
    ] = False,
    rephrased: Annotated[
        str | None, typer.Option(help="JSONL of rephrased items: benchmark, item, text.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Problems of the source to plant among.")] = 1000,
    per_kind: Annotated[int, typer.Option(min=1, help="Copies planted of each kind.")] = 50,
    workspace: Workspace = None,
    as_json: AsJson = False,
) -> None:
    """Measure a pipeline's decontamination: precision and recall per kind of planted copy."""
    if not selftest:
        raise PipelineError("decontaminate: say --selftest; the step itself runs with `factory run`")
    session = open_session(pipeline, workspace=workspace)
    steps = [step.stage for step in session.steps if isinstance(step.stage, Decontaminate)]
    if not steps:
        raise PipelineError(f"{pipeline}: has no 'decontaminate' step to test")
    found: list[dict[str, Any]] = []
    for stage in steps:
        told = read_rephrased(rephrased) if rephrased else ()
        problems, site = _problems(session, rows), session.steps[0].site
        lines = selftest_report(stage, problems, site=site, rephrased=told, per_kind=per_kind)
        found += [{"step": stage.step_name, **line} for line in lines]
    if as_json:
        print_json(found)
        return
    names = list(found[0])
    shown = [[f"{v:.3f}" if isinstance(v, float) else v for v in (r[n] for n in names)] for r in found]
    table(names, shown, right=names[2:])
    console.print("\nnumber_changed: a copy with other numbers is another problem, finding it has no merit")
    console.print("problems: your own rows; what is found there is contaminated already, or a false alarm")


def _problems(session: Session, rows: int) -> Sequence[str]:
    """Prompts of the first rows of the source."""
    source = session.steps[0].stage
    if not isinstance(source, SourceStage):
        raise PipelineError(f"{session.path}: has no source")
    flows = (flow for split in source.splits() for flow in source.read(split))
    texts = (text.as_py() for flow in flows for text in prompt_texts(flow.kept["prompt"]))
    return list(islice(texts, rows))
