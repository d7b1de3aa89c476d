"""The verb that says what a run would do and cost: plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from factory.cli.run import (
    Address,
    AsJson,
    Changes,
    Limit,
    Local,
    PipelineFile,
    Workspace,
    limited_session,
)
from factory.cli.show import console, print_json, table
from factory.core import SourceStage
from factory.engine.plan import PlannedStep, Preview, make_plan, previous_run
from factory.engine.run import run as run_steps
from factory.session import Session

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(plan)


def plan(
    pipeline: PipelineFile,
    workspace: Workspace = None,
    changes: Changes = None,
    limit: Limit = None,
    preview: Annotated[
        int | None,
        typer.Option(
            min=1, help="Draw the completions of so many rows first, and estimate from them; no draw is lost."
        ),
    ] = None,
    address: Address = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Say what a run would reuse, resume and run, why, and what it would cost at most and likely."""
    session = limited_session(pipeline, workspace, changes, limit)
    if address is None:
        session.require_ready()
    seen = None if preview is None else _seen(session, preview, address=address, local=local, quiet=as_json)
    steps = make_plan(session.steps, previous=previous_run(session.root), preview=seen)
    if as_json:
        plain = {"pipeline": session.pipeline.pipeline, "workspace": session.root}
        print_json({**plain, "steps": [_plain(planned) for planned in steps], "likely": _sum(steps)})
        return
    _show(session, steps, seen)


def _show(session: Session, steps: Sequence[PlannedStep], seen: Preview | None) -> None:
    rows = [
        (i + 1, p.step.name, p.action, _rows(p), p.why, _cost(p.cost), _cost(p.likely))
        for i, p in enumerate(steps)
    ]
    table(["#", "step", "action", "rows", "why", "at most", "likely"], rows, right=["#", "rows"])
    todo = sum(p.action != "reuse" for p in steps)
    console.print(
        f"\n{len(steps) - todo} of {len(steps)} steps reused, {todo} to run; workspace {session.root}"
    )
    for planned in steps:
        for line in _over_budget(planned):
            console.print(line)
    if likely := _sum(steps):
        console.print(f"likely in all, beyond what is in the journal: {_cost(likely)}")
    if seen is not None:
        console.print(
            f"rows with ~ are guessed from {seen.manifests[0]['rows_in']:,} of {seen.source_rows:,}, the "
            "first of each input; among few rows a dedup finds few copies"
        )


def _seen(session: Session, rows: int, *, address: str | None, local: bool, quiet: bool) -> Preview:
    """Runs a few rows up to the last step that asks a teacher."""
    few = session.preview(rows)
    ran = run_steps(few.steps, root=few.root, run_id=few.run_id, local=local, address=address, quiet=quiet)
    source = session.steps[0].stage
    assert isinstance(source, SourceStage)
    return Preview(source.row_count(), ran.manifests)


def _over_budget(planned: PlannedStep) -> Iterator[str]:
    """What is said of a step that its caps would stop: by what it likely costs, else by the most."""
    caps, likely, most = planned.step.site.resources, planned.likely, planned.cost
    word, cost = ("likely", likely) if likely else ("at most", most)
    tokens = cost.get("prompt_tokens", 0) + cost.get("completion_tokens", 0)
    dollars = cost.get("dollars")
    if dollars is None and caps.price is not None:
        dollars = (
            caps.price.micro_dollars(cost.get("prompt_tokens", 0), cost.get("completion_tokens", 0)) / 1e6
        )
    over = []
    if caps.token_budget is not None and tokens > caps.token_budget:
        over.append(f"{tokens:,.0f} tokens, above token_budget {caps.token_budget:,}")
    if caps.money_budget is not None and dollars is not None and dollars > caps.money_budget:
        over.append(f"${dollars:,.2f}, above money_budget ${caps.money_budget:,.2f}")
    for said in over:
        yield f"{planned.step.name}: {word} {said}; the run stops there as incomplete"


def _plain(planned: PlannedStep) -> dict[str, Any]:
    return {
        "step": planned.step.name,
        "action": planned.action,
        "why": planned.why,
        "cost": dict(planned.cost),
        "likely": dict(planned.likely),
        "rows": planned.rows,
        "likely_rows": planned.likely_rows,
        "fingerprint": planned.step.fingerprint,
    }


def _sum(steps: Sequence[PlannedStep]) -> dict[str, float]:
    likely: Counter[str] = Counter()
    for planned in steps:
        likely.update(planned.likely)
    return dict(likely)


def _rows(planned: PlannedStep) -> str | int | None:
    return planned.rows if planned.likely_rows is None else f"~{planned.likely_rows:,}"


def _cost(cost: Mapping[str, float]) -> str:
    return ", ".join(f"{value:,} {key.replace('_', ' ')}" for key, value in cost.items())
