"""Verbs for finished datasets: release, diff, report, export, publish."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from factory.cli.run import AsJson, PipelineFile, Workspace
from factory.cli.show import console, counted, print_json, table
from factory.core import DataError, PipelineError
from factory.release.diff import diff_releases
from factory.release.export import TARGETS
from factory.release.export import export as export_rows
from factory.release.pairs import Pick
from factory.release.publish import publish as publish_release
from factory.release.reasoning import Reasoning
from factory.release.versions import (
    Release,
    delete_release,
    list_releases,
    open_release,
    verify_release,
)
from factory.session import pipeline_root
from factory.storage.files import join

__all__ = ["register"]

ReleaseFolder = Annotated[str, typer.Argument(metavar="RELEASE", help="Folder of a release.")]


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    releases = typer.Typer(help="List and check releases.", no_args_is_help=True)
    releases.command("list")(list_versions)
    releases.command("verify")(verify)
    releases.command("delete")(delete)
    app.add_typer(releases, name="release")
    for verb in (diff, report, export, publish):
        app.command()(verb)


def list_versions(pipeline: PipelineFile, workspace: Workspace = None, as_json: AsJson = False) -> None:
    """List the versions that a pipeline has released."""
    found = list_releases(join(pipeline_root(pipeline, workspace=workspace), "releases"))
    if as_json:
        print_json([_brief(r) for r in found])
        return
    rows = [(r.version, r.rows, r.manifest["created"], r.fingerprint[:12], r.url) for r in found]
    table(["version", "rows", "created", "fingerprint", "folder"], rows, right=["rows"])


def _brief(release: Release) -> dict[str, Any]:
    return {
        "version": release.version,
        "rows": release.rows,
        "created": release.manifest["created"],
        "fingerprint": release.fingerprint,
        "path": release.url,
    }


def verify(release: ReleaseFolder) -> None:
    """Check every file of a release against its SHA-256."""
    found = open_release(release)
    broken = verify_release(found)
    if broken:
        raise DataError(f"{release}: {len(broken)} faults: {'; '.join(broken[:3])}")
    console.print(f"{release}: {len(found.paths)} files are as released")


def delete(
    release: ReleaseFolder,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a version for good. Its number is not given again, and the steps and the journal stay."""
    found = open_release(release)
    if not yes:
        if not sys.stdin.isatty():
            raise PipelineError(f"{found.url}: nobody is here to ask; add --yes to delete {found.version}")
        typer.confirm(f"Delete {found.version} with {found.rows:,} rows, {found.url}?", abort=True)
    delete_release(found)
    console.print(f"{found.url}: deleted")


def diff(
    old: Annotated[str, typer.Argument(help="Folder of the older release.")],
    new: Annotated[str, typer.Argument(help="Folder of the newer release.")],
    as_json: AsJson = False,
) -> None:
    """Say what changed between two releases: rows by id, settings by name."""
    found = diff_releases(open_release(old), open_release(new))
    if as_json:
        print_json(found.to_json())
        return
    console.print(
        f"{len(found.added):,} rows added, {len(found.removed):,} removed, {len(found.changed):,} changed, "
        f"{found.unchanged:,} the same"
    )
    if found.columns:
        table(["changed column", "rows"], list(found.columns.items()), right=["rows"])
    if found.removed_because:
        table(["rejected in the newer one by", "rows"], list(found.removed_because.items()), right=["rows"])
    if found.settings:
        table(["setting", "old", "new"], found.settings)


def report(release: ReleaseFolder) -> None:
    """Print where a release's report page is."""
    found = open_release(release)
    console.print(join(found.url, "report.html"))


def export(
    release: ReleaseFolder,
    to: Annotated[str, typer.Option("--to", help=f"Format: {', '.join(TARGETS)}.")],
    out: Annotated[str, typer.Option("--out", help="New or empty folder.")],
    chosen: Annotated[Pick, typer.Option(help="Which passing answer a pair takes.")] = "first",
    rejected: Annotated[Pick, typer.Option(help="Which failing answer a pair takes.")] = "first",
    seed: Annotated[int, typer.Option(help="Seed of a random pick.")] = 0,
    allow_truncated: Annotated[
        bool, typer.Option("--allow-truncated", help="Keep answers cut by the limit.")
    ] = False,
    reasoning: Annotated[
        Reasoning | None, typer.Option(help="Where reasoning goes; left out: the format's usual place.")
    ] = None,
    validation: Annotated[float, typer.Option(help="Share of problems for a validation split.")] = 0.0,
    template: Annotated[
        str | None, typer.Option(help="The student's chat template: refuse what it loses the reasoning of.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a release as a folder that a trainer takes: rows, README, settings."""
    done = export_rows(
        open_release(release),
        to,
        out,
        chosen=chosen,
        rejected=rejected,
        seed=seed,
        allow_truncated=allow_truncated,
        reasoning=reasoning,
        validation=validation,
        template=template,
    )
    if as_json:
        print_json(asdict(done))
        return
    skipped = f", skipped {dict(done.skipped)}" if done.skipped else ""
    verdicts = f"; {counted(done.verdicts)}" if done.verdicts else ""
    console.print(f"{done.rows:,} rows in {len(done.files)} files below {out}{skipped}{verdicts}")
    if done.reasoning_lost is not None:
        console.print(f"the template keeps {1 - done.reasoning_lost:.1%} of the reasoning")
    elif done.reasoning in ("field", "thinking"):
        console.print(
            f"reasoning is in a field ({done.reasoning}) that many chat templates drop; "
            "--template FILE measures it"
        )


def publish(
    release: ReleaseFolder,
    repo: Annotated[str, typer.Option("--repo", help="Dataset repository, org/name.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the card and print what would go up.")
    ] = False,
    token_env: Annotated[str, typer.Option(help="Environment variable that holds the token.")] = "HF_TOKEN",
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    tag: Annotated[str | None, typer.Option(help="Tag in place of the version.")] = None,
) -> None:
    """Publish a release to the Hugging Face Hub: one commit, the version as its tag."""
    done = publish_release(
        open_release(release), repo, dry_run=dry_run, token_env=token_env, private=private, tag=tag
    )
    for line in done.lines():
        console.print(line)
