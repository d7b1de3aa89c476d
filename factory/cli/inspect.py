"""Verbs that look at rows: inspect, why."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import polars as pl
import typer

from factory.cli.run import AsJson, PipelineFile, Workspace
from factory.cli.show import console, plain, print_json, table
from factory.core import DataError, PipelineError
from factory.engine.plan import previous_run
from factory.release.versions import open_release
from factory.session import pipeline_root
from factory.storage.files import exists, join
from factory.storage.step_layout import Side, StepLayout

__all__ = ["register"]

_ID_DIGITS = 6
"""Fewest digits of an id that name a row."""


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.command()(inspect)
    app.command()(why)


def inspect(
    target: Annotated[
        str, typer.Argument(help="A pipeline file, a release folder, or a Parquet file or folder.")
    ],
    step: Annotated[str | None, typer.Option(help="Step of the pipeline [the last one].")] = None,
    rejected: Annotated[
        bool,
        typer.Option(
            "--rejected", help="The rejected rows in place of the kept; of all steps where none is named."
        ),
    ] = False,
    where: Annotated[str | None, typer.Option(help='SQL condition, for example "pass_rate < 0.5".')] = None,
    columns: Annotated[str | None, typer.Option(help="Columns to show, with commas between.")] = None,
    rows: Annotated[int, typer.Option("--rows", "-n", min=0, help="Rows to show.")] = 3,
    workspace: Workspace = None,
    as_json: AsJson = False,
) -> None:
    """Show rows of a step, a release or any Parquet files, read with Polars."""
    frame = _scan(target, step, rejected=rejected, workspace=workspace)
    known = frame.collect_schema().names()
    if where:
        frame = _where(frame, where, known)
    if columns:
        asked = [c.strip() for c in columns.split(",")]
        unknown = [c for c in asked if c not in known]
        if unknown:
            raise PipelineError(
                f"--columns {columns}: no column '{unknown[0]}'; there are {', '.join(known)}"
            )
        frame = frame.select(asked)
    total = frame.select(pl.len()).collect().item()
    shown = frame.head(rows).collect()
    if as_json:
        print_json({"rows": total, "columns": known, "sample": shown.to_dicts()})
        return
    console.print(f"{total:,} rows; columns {', '.join(known)}")
    for row in shown.iter_rows(named=True):
        console.rule()
        _render(row)


def _where(frame: pl.LazyFrame, where: str, known: list[str]) -> pl.LazyFrame:
    try:
        found = frame.filter(pl.sql_expr(where))
        found.collect_schema()
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise PipelineError(f'--where "{where}": {reason}; columns are {", ".join(known)}') from error
    return found


def _scan(target: str, step: str | None, *, rejected: bool, workspace: str | None) -> pl.LazyFrame:
    if target.endswith((".yaml", ".yml")):
        folders = _last_run(target, workspace)
        if step is not None and step not in folders:
            raise PipelineError(f"--step {step}: no such step; there are {', '.join(folders)}")
        if rejected and step is None:
            parts = [(name, StepLayout(f).rows_done("rejected")) for name, f in folders.items()]
            return _together(parts, target)
        folder = folders[step] if step else list(folders.values())[-1]
        pattern: str | list[str] = StepLayout(folder).rows_done("rejected" if rejected else "kept")
    elif target.endswith(".parquet"):
        pattern = target
    elif exists(join(target, "rows")):
        if rejected:
            return _together([(None, [file]) for file in open_release(target).tables("rejected/")], target)
        pattern = join(target, "rows", "*.parquet")
    else:
        pattern = join(target, "**", "*.parquet")
    return _scanned(pattern, target)


def _together(parts: Iterable[tuple[str | None, list[str]]], target: str) -> pl.LazyFrame:
    """Rows of several steps as one frame with their step; a column that a step does not have is null."""
    frames = [
        frame if step is None else frame.select(pl.lit(step).alias("step"), pl.all())
        for step, files in parts
        for frame in [_scanned(files, target)]
    ]
    if not frames:
        raise DataError(f"{target}: nothing was rejected")
    return pl.concat(frames, how="diagonal_relaxed")


def _scanned(pattern: str | list[str], target: str) -> pl.LazyFrame:
    try:
        frame = pl.scan_parquet(pattern, glob=isinstance(pattern, str))
        frame.collect_schema()
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{target}: no Parquet rows to read there ({reason})") from error
    return frame


def _last_run(path: str, workspace: str | None) -> dict[str, str]:
    """Step folders of the last run that have finished shards, by step name."""
    root = pipeline_root(path, workspace=workspace)
    record = previous_run(root)
    steps = {} if record is None else {s["step"]: join(root, "steps", s["folder"]) for s in record["steps"]}
    found = {name: folder for name, folder in steps.items() if StepLayout(folder).receipts_done()}
    if not found:
        raise DataError(f"{root}: no step has a finished shard; `factory run {path}` makes them")
    return found


def _render(row: dict[str, Any]) -> None:
    for key, value in row.items():
        if value is None:
            continue
        if key in {"prompt", "messages", "conversations"} and isinstance(value, list):
            for turn in value:
                role = turn.get("role") or turn.get("from")
                console.print(plain(f"{key}/{role}"), end=" ", style="bold")
                console.print(plain(turn.get("content") or turn.get("value")))
            continue
        console.print(plain(key), end=" ", style="bold")
        text = (
            json.dumps(value, ensure_ascii=False, default=str)
            if isinstance(value, (list, dict))
            else str(value)
        )
        console.print(plain(text))


def why(
    row_id: Annotated[
        str,
        typer.Argument(
            metavar="ROW",
            help="A problem's or completion's id, or its first 6 digits or more; a value in its `meta`, "
            "as an id of one's own; or FILE:LINE.",
        ),
    ],
    pipeline: PipelineFile = "pipelines/quickstart.yaml",
    workspace: Workspace = None,
    as_json: AsJson = False,
) -> None:
    """Tell a row's life through every step: where it was kept, where it was rejected and why."""
    folders = _last_run(pipeline, workspace)
    life = [event for name, folder in folders.items() for event in _events(name, folder, row_id)]
    if not life:
        raise DataError(
            f"{row_id}: no row of the last run has this id (6 digits or more), value in `meta` or FILE:LINE"
        )
    if as_json:
        print_json(life)
        return
    rows = [(e["step"], e["fate"], e["row"], e["reason"], e["evidence"]) for e in life]
    table(["step", "fate", "row", "reason", "evidence"], rows)


def _named(row_id: str, ids: Sequence[str]) -> pl.Expr:
    """Whether a row is meant: by the start of an id, by a value in `meta`, or by its place in a file."""
    tests = [pl.col(c).str.starts_with(row_id) for c in ids if len(row_id) >= _ID_DIGITS]
    if re.search(r":\d+$", row_id):
        tests.append(pl.lit(f"/{row_id}").str.ends_with(pl.lit("/") + pl.col("origin")))
    word = re.escape(json.dumps(row_id, ensure_ascii=False)[1:-1])
    tests.append(pl.col("meta").str.contains(rf':\s*("{word}"|{word})\s*[,}}\]]'))
    return pl.any_horizontal(*tests).fill_null(False)


def _events(step: str, folder: str, row_id: str) -> list[dict[str, Any]]:
    events = []
    fates: tuple[Side, ...] = ("kept", "rejected")
    for fate in fates:
        frame = pl.scan_parquet(StepLayout(folder).rows_done(fate))
        ids = [c for c in ("completion_id", "id") if c in frame.collect_schema().names()]
        name = pl.coalesce(*ids)
        extra = ["reason", "evidence"] if fate == "rejected" else []
        frame = frame.filter(_named(row_id, ids))
        for row in frame.select(name.alias("row"), "origin", *extra).collect().iter_rows(named=True):
            events.append({"step": step, "fate": fate, "reason": None, "evidence": None} | row)
    return events
