"""Verbs about verdicts: check, reverify."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated

import pyarrow as pa
import typer

from factory.api import run as run_pipeline
from factory.cli.run import AsJson, Changes, PipelineFile, Workspace
from factory.cli.show import console, funnel, print_json, table
from factory.core import DataError, PipelineError, SourceStage
from factory.engine.plan import make_plan, previous_run
from factory.engine.steps import Step
from factory.release.versions import Release, open_release
from factory.session import Session, open_session
from factory.stages.verification.reference_check import (
    Checked,
    Untaken,
    check_references,
    untaken_problems,
)
from factory.stages.verification.verify import Verify
from factory.storage.files import join, read_json
from factory.storage.tables import read_table

__all__ = ["register"]

_CAUSES = 5
_ROWS = 200
"""Source rows that `check` reads where no step before sampling is finished."""


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.command()(check)
    app.command()(reverify)


def check(
    pipeline: PipelineFile,
    workspace: Workspace = None,
    changes: Changes = None,
    rows: Annotated[
        int | None,
        typer.Option(
            min=1, help="Problems to check [all of the step before sampling, else 200 of the source]."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask the verifiers about the references before a token is spent. Exit code 1 when one is wrong.

    Every reference must pass for itself, something else in its place must not, tests must be readable, and
    each problem must be one that some verifier can judge.
    """
    session = open_session(pipeline, workspace=workspace, changes=changes or ())
    judges = [step for step in session.steps if isinstance(step.stage, Verify)]
    if not judges:
        raise PipelineError(f"{pipeline}: has no 'verify' step, so there is nothing to check")
    problems, where = _problems(session, rows)
    found, untaken = list[Checked](), list[Untaken]()
    for step in judges:
        if isinstance(step.stage, Verify):
            found += check_references(step.stage, problems, site=step.site)
            untaken.append(untaken_problems(step.stage, problems))
    if as_json:
        plain = {"problems": problems.num_rows, "of": where}
        print_json(
            {**plain, "verifiers": [asdict(f) for f in found], "untaken": [asdict(u) for u in untaken]}
        )
    else:
        _tell(found, problems.num_rows, where)
        _tell_untaken(untaken)
    if any(u.problems for u in untaken) or not all(one.holds for one in found):
        raise typer.Exit(1)


def _tell_untaken(untaken: Sequence[Untaken]) -> None:
    for one in untaken:
        for cause, count in _by_count(one.causes):
            told = f"{count:,} problems are judged by no verifier, such as {one.examples[0]}: {cause}"
            console.print(f"{one.step}: {told}", markup=False)


def _by_count(causes: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(causes.items(), key=lambda pair: -pair[1])[:_CAUSES]


def _tell(found: Sequence[Checked], problems: int, where: str) -> None:
    console.print(f"{problems:,} problems of {where}")
    shown = [
        (
            f.step,
            f.verifier,
            f.problems,
            f.fail_themselves,
            f.unjudged,
            f.accept_a_mutation,
            f.unusable,
            f.skipped,
        )
        for f in found
    ]
    numbers = ["problems", "fail themselves", "of these unjudged", "accept a mutation", "unusable"]
    table(["step", "verifier", *numbers, "not asked"], shown, right=numbers)
    for one in found:
        for cause, count in _by_count(one.causes):
            console.print(f"{one.verifier}: {count:,} problems cannot be used: {cause}", markup=False)
        for e in one.examples:
            console.print(
                f"{one.verifier}: {e['origin']} {e['fault']}: reference {e['reference']!r}, "
                f"said {e['said']!r}, {e['verdict']}: {e['detail']}",
                markup=False,
            )


def _problems(session: Session, rows: int | None) -> tuple[pa.Table, str]:
    """The problems to check, and the name of the step that they come from."""
    drawing = next((step.index for step in session.steps if _draws(step)), len(session.steps))
    before = session.steps[max(0, drawing - 1)]
    manifest = before.manifest()
    if manifest is None:
        return _first_rows(session.steps[0], rows or _ROWS), f"step '{session.steps[0].name}'"
    parts, left = [], rows if rows is not None else int(manifest["rows_kept"])
    for shard in range(int(manifest["shards"])):
        if left <= 0:
            break
        parts.append(read_table(before.files.rows_url("kept", shard)).slice(0, left))
        left -= parts[-1].num_rows
    return pa.concat_tables(parts), f"step '{before.name}'"


def _first_rows(source: Step, rows: int) -> pa.Table:
    stage, parts, left = source.stage, [source.schema.empty_table()], rows
    if not isinstance(stage, SourceStage):
        raise PipelineError(f"{source.label}: a pipeline starts with a source")
    for split in stage.splits():
        for flow in stage.read(split):
            parts.append(flow.kept.slice(0, left))
            left -= parts[-1].num_rows
            if left <= 0:
                return pa.concat_tables(parts)
    return pa.concat_tables(parts)


def _draws(step: Step) -> bool:
    return bool(step.stage.cost(1).get("completions"))


def reverify(
    target: Annotated[
        str, typer.Argument(metavar="RELEASE|PIPELINE", help="Folder of a release, or the pipeline file.")
    ],
    workspace: Workspace = None,
    changes: Changes = None,
    pipeline: Annotated[
        str | None,
        typer.Option(help="Pipeline file of a RELEASE whose own copy has relative paths."),
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster to join; without one a local Ray starts.")
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="Run in this process, without Ray.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a new version of a release with other verifiers. Draws nothing, and refuses where it would."""
    session, old = _target(target, pipeline, workspace, changes or ())
    _refuse_draws(session)
    done = run_pipeline(session, local=local, address=address, quiet=as_json)
    manifests, made = done.manifests, done.release
    if as_json:
        shown = None if made is None else {"version": made.version, "path": made.url, "new": made.created}
        print_json({"of": None if old is None else old.version, "release": shown})
    else:
        funnel(manifests)
        console.print(f"\nno completion drawn; {_of_release(made)}")


def _of_release(made: Release | None) -> str:
    if made is None:
        return "the pipeline asks for no release"
    was = "" if made.created else " (these very rows were released before)"
    return f"release {made.version}: {made.url}{was}"


def _target(
    target: str, pipeline: str | None, workspace: str | None, changes: Sequence[str]
) -> tuple[Session, Release | None]:
    """The pipeline's session, and the release that is judged anew where one is named."""
    if target.endswith((".yaml", ".yml")):
        return open_session(target, workspace=workspace, changes=changes), None
    release = open_release(target)
    # A version lies at WORKSPACE/PIPELINE/releases/VERSION.
    place = workspace or release.url.rsplit("/", 3)[0]
    path = pipeline or join(release.url, "pipeline.yaml")
    try:
        session = open_session(path, workspace=place, changes=changes)
    except (DataError, PipelineError) as error:
        if pipeline is not None:
            raise
        raise PipelineError(f"{error}; name the file that made it with --pipeline") from error
    _require_same_completions(session, release)
    return session, release


def _require_same_completions(session: Session, release: Release) -> None:
    known = {step["fingerprint"] for step in read_json(join(release.url, "lineage.json"))["steps"]}
    for step in session.steps:
        if _draws(step) and step.fingerprint not in known:
            raise DataError(
                f"{release.url}: stands on other completions than {session.path} ({step.label} "
                "differs); give the file and every --set that it was made with"
            )


def _refuse_draws(session: Session) -> None:
    for planned in make_plan(session.steps, previous=previous_run(session.root)):
        if planned.action != "reuse" and _draws(planned.step):
            raise DataError(
                f"{planned.step.label}: would draw completions ({planned.why}); nothing was run; finish it "
                f"with `factory run {session.path}`, or leave out the settings before it"
            )
