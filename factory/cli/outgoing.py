"""Verbs for finished datasets: release, diff, report, export, publish."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from factory.cli.running import AsJson, PipelineFile, Workspace
from factory.cli.session import pipeline_root
from factory.cli.show import console, print_json, table
from factory.core import DataError
from factory.engine.store import join
from factory.release.diff import diff_releases
from factory.release.versions import Release, list_releases, open_release, verify_release

__all__ = ["register"]

ReleaseFolder = Annotated[str, typer.Argument(metavar="RELEASE", help="Folder of a release.")]


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    releases = typer.Typer(help="List and check releases.", no_args_is_help=True)
    releases.command("list")(list_versions)
    releases.command("verify")(verify)
    app.add_typer(releases, name="release")
    for verb in (diff, report):
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
    if found.removed_because:
        table(["rejected in the newer one by", "rows"], list(found.removed_because.items()), right=["rows"])
    if found.settings:
        table(["setting", "old", "new"], found.settings)


def report(release: ReleaseFolder) -> None:
    """Print where a release's report page is."""
    found = open_release(release)
    console.print(join(found.url, "report.html"))
