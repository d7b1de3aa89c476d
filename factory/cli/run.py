"""Verbs that run or tell of runs: run, submit, status."""

from __future__ import annotations

import os
import shlex
import sys
from typing import Annotated, Any
from urllib.parse import urlparse

import typer

from factory.api import Finished
from factory.api import run as run_pipeline
from factory.cli.show import console, counted, funnel, print_json, table
from factory.core import PipelineError
from factory.core.paths import is_url
from factory.engine.plan import previous_run, run_status
from factory.release.versions import Release
from factory.session import Session, open_session, pipeline_root

__all__ = [
    "Address",
    "AsJson",
    "Changes",
    "Limit",
    "Local",
    "PipelineFile",
    "Workspace",
    "limited_session",
    "packed_folder",
    "register",
]

PipelineFile = Annotated[str, typer.Argument(metavar="PIPELINE", help="The pipeline file.")]
Workspace = Annotated[
    str | None,
    typer.Option("--workspace", "-w", help="Folder or URL for all results [FACTORY_WORKSPACE, ./workspace]."),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting for this run, for example sample.n=2; repeatable."),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first rows of each input.")]
Address = Annotated[str | None, typer.Option(help="Ray cluster to join; without one a local Ray starts.")]
Local = Annotated[bool, typer.Option("--local", help="Run in this process, without Ray.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    for verb in (run, submit, status):
        app.command()(verb)


def limited_session(
    path: str, workspace: str | None, changes: list[str] | None, limit: int | None
) -> Session:
    """The pipeline with changes on top, and only the first rows of each input where there is a limit."""
    asked = list(changes or [])
    if limit is not None:
        asked.append(f"source.limit={limit}")
    return open_session(path, workspace=workspace, changes=asked)


def run(
    pipeline: PipelineFile,
    workspace: Workspace = None,
    changes: Changes = None,
    limit: Limit = None,
    address: Address = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline to a release. Running the same command again resumes."""
    session = limited_session(pipeline, workspace, changes, limit)
    done = run_pipeline(session, local=local, address=address, quiet=as_json)
    manifests, release = done.manifests, done.release
    if as_json:
        print_json(
            {
                "steps": [{k: m[k] for k in _SHOWN} for m in manifests],
                "release": None if release is None else _plain(release),
            }
        )
        return
    funnel(manifests)
    _note_bad_lines(session, manifests[0])
    _note_spent(done)
    if release is not None:
        console.print(f"\nrelease {release.version}: {release.url}")
        _note_verdicts(release)


def _note_spent(done: Finished) -> None:
    """What this run drew, and what all runs together did for the rows of these steps."""
    counts = [(f"completions_{how}", done.spent.get(f"completions_{how}", 0)) for how in ("drawn", "reused")]
    whole = {key: sum(m["spent"].get(key, 0) for m in done.manifests) for key, _ in counts}
    if any(whole.values()):
        (_, drawn), (_, reused) = counts
        earlier = sum(whole.values()) - drawn - reused
        before = f"; {earlier:,} in shards that earlier runs finished" if earlier else ""
        console.print(f"\ncompletions: {drawn:,} drawn, {reused:,} reused from the journal{before}")


def _plain(release: Release) -> dict[str, Any]:
    return {"version": release.version, "path": release.url, "verdicts": release.manifest["verdicts"]}


def _note_verdicts(release: Release) -> None:
    """Completions by verdict, released and held back; nothing for a release of problems alone."""
    verdicts = release.manifest["verdicts"]
    if verdicts["released"]:
        console.print(f"verdicts of the released rows: {counted(verdicts['released'])}")
    if verdicts["held_back"]:
        console.print(
            f"held back by the release: {counted(verdicts['held_back'])}; "
            f"`factory inspect {release.url} --rejected` shows why"
        )


def _note_bad_lines(session: Session, source: dict[str, Any]) -> None:
    bad = sum(source["reasons"].values())
    if bad:
        console.print(
            f"\nnote: {bad:,} lines of the input are no rows ({counted(source['reasons'])}); "
            f"`factory inspect {session.path} --step {source['step']} --rejected` shows file, line and why"
        )


_SHOWN = ("step", "rows_in", "rows_kept", "rows_rejected", "reasons", "spent", "seconds", "fingerprint")


def submit(
    pipeline: PipelineFile,
    address: Annotated[
        str, typer.Option(help="Dashboard of the Ray head, http://head:8265.")
    ] = "http://127.0.0.1:8265",
    workspace: Workspace = None,
    changes: Changes = None,
    limit: Limit = None,
    follow: Annotated[bool, typer.Option("--follow", help="Print the job's output until it ends.")] = False,
    env: Annotated[
        list[str] | None, typer.Option("--env", help="Environment variable to pass on; repeatable.")
    ] = None,
) -> None:
    """Submit a pipeline to a Ray cluster as a job. The workspace must be reachable from every node."""
    from factory.engine.submit import submit as submit_job

    session = limited_session(
        pipeline, workspace, changes, limit
    )  # a wrong pipeline is refused here, not in the job
    folder, name = packed_folder(pipeline)
    words = [
        _python_of(address),
        "-m",
        "factory",
        "run",
        name,
        "--workspace",
        session.workspace,
    ]
    for change in changes or []:
        words += ["--set", change]
    if limit is not None:
        words += ["--limit", str(limit)]
    if missing := [name for name in env or [] if name not in os.environ]:
        raise PipelineError(f"--env {missing[0]}: is not set here; set it, or leave the option out")
    passed = {name: os.environ[name] for name in env or []}
    if not is_url(session.workspace) and not _is_here(address):
        console.print(f"note: the workspace {session.workspace} must be a folder that every node shares")
    job = submit_job(shlex.join(words), address=address, working_dir=folder, env=passed, follow=follow)
    console.print(f"job {job}")


def packed_folder(pipeline: str) -> tuple[str, str]:
    """The folder that goes up with a job and the pipeline's path in it: this one, else the pipeline's own."""
    here, place = os.getcwd(), os.path.abspath(pipeline)
    folder = here if os.path.commonpath([here, place]) == here else os.path.dirname(place)
    return folder, os.path.relpath(place, folder)


def _is_here(address: str) -> bool:
    return urlparse(address).hostname in {"127.0.0.1", "localhost", "::1"}


def _python_of(address: str) -> str:
    return sys.executable if _is_here(address) else "python"


def status(pipeline: PipelineFile, workspace: Workspace = None, as_json: AsJson = False) -> None:
    """Say how far the last run of a pipeline is."""
    root = pipeline_root(pipeline, workspace=workspace)
    record = previous_run(root)
    if record is None:
        console.print(f"{root}: never run; `factory run {pipeline}` starts it")
        return
    record["status"] = run_status(root, record)
    if as_json:
        print_json(record)
        return
    rows = [
        (
            s["step"],
            s["progress"].get("state"),
            f"{s['progress'].get('shards_done', 0)}/{s['progress'].get('shards', 0)}",
            s["progress"].get("rows_kept"),
            s["progress"].get("rows_rejected"),
        )
        for s in record["steps"]
    ]
    table(["step", "state", "shards", "kept", "rejected"], rows, right=["shards", "kept", "rejected"])
    console.print(f"\nrun {record['run']}: {record['status']}, last heard of {record['updated']}")
    if record["status"] == "lost":
        console.print(f"it ended without a word, killed or cut off; `factory run {pipeline}` resumes it")
    if record["error"]:
        console.print(f"error: {record['error']}")
