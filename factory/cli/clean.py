"""The verb that frees what nothing needs any more: clean."""

from __future__ import annotations

from typing import Annotated

import typer

from factory.cli.run import AsJson, Changes, PipelineFile, Workspace
from factory.cli.show import console, print_json, table
from factory.engine.clean import clean as remove_unneeded
from factory.engine.clean import unneeded
from factory.session import open_session

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(clean)


def clean(
    pipeline: PipelineFile,
    workspace: Workspace = None,
    changes: Changes = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove steps made under other settings. Journal and releases stay, so nothing is paid for again."""
    session = open_session(pipeline, workspace=workspace, changes=changes or [])
    found = (unneeded if dry_run else remove_unneeded)(session.root, session.steps)
    freed = sum(folder.bytes for folder in found)
    if as_json:
        print_json({"folders": [folder.url for folder in found], "bytes": freed, "removed": not dry_run})
        return
    table(["folder", "MB"], [(folder.url, f"{folder.bytes / 1e6:.1f}") for folder in found], right=["MB"])
    what = "would be freed" if dry_run else "freed"
    console.print(f"{len(found)} folders, {freed / 1e6:.1f} MB {what} in {session.root}")
