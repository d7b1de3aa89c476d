"""Verbs for a stage alone and for the set-up: stage, schema, doctor."""

from __future__ import annotations

import difflib
import os
from typing import Annotated

import pyarrow as pa
import typer

from factory.cli.run import AsJson
from factory.cli.show import console, print_json, table
from factory.core import DataError, Flow, GlobalStage, PipelineError, Resources, Site, SourceStage, Stage
from factory.core.yaml_file import read_value
from factory.engine.tables import read_rows
from factory.pipeline import json_schema, load_stage
from factory.reference import broken, catalogue, fields_of, named, summary
from factory.storage.tables import write_table

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.command()(stage)
    app.command()(schema)
    app.command()(doctor)


def stage(
    type_name: Annotated[str, typer.Argument(metavar="TYPE", help="Type of the stage.")],
    given: Annotated[
        str, typer.Option("--in", help="JSONL or Parquet file with the columns that the stage reads.")
    ],
    out: Annotated[str, typer.Option("--out", help="Parquet file for the kept rows.")],
    rejected: Annotated[str | None, typer.Option(help="Parquet file for the rejected rows.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A field of the stage: name=value.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run one stage over one file. What it writes beside its rows gets the name OUT.TABLE.parquet."""
    chosen = load_stage(type_name, _settings(settings or []))
    if isinstance(chosen, SourceStage):
        raise PipelineError(f"stage {type_name}: a source reads its own files; run it in a pipeline")
    batch = read_rows(given)
    missing = sorted(chosen.needs() - set(batch.column_names))
    if missing:
        raise DataError(
            f"{given}: has no {missing}, which '{type_name}' reads; the file has {batch.column_names}"
        )
    flow = _flow(chosen, batch)
    write_table(out, flow.kept)
    if rejected:
        write_table(rejected, flow.rejected)
    for table_name, beside in flow.side_tables.items():
        write_table(f"{out.removesuffix('.parquet')}.{table_name}.parquet", beside)
    counts = pa.compute.value_counts(flow.rejected["reason"].combine_chunks()).to_pylist()
    reasons = {c["values"]: c["counts"] for c in counts}
    if as_json:
        print_json({"in": batch.num_rows, "kept": flow.kept.num_rows, "rejected": reasons})
        return
    console.print(
        f"{batch.num_rows:,} rows in, {flow.kept.num_rows:,} kept in {out}, rejected {reasons or 'none'}"
    )


def _settings(changes: list[str]) -> dict[str, object]:
    found = {}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise PipelineError(f"--set {change}: wanted name=value")
        found[name] = read_value(text, of=f"--set {change}")
    return found


def _flow(chosen: Stage, batch: pa.Table) -> Flow:
    home = os.path.expanduser(os.environ.get("FACTORY_HOME", "~/.cache/factory"))
    site = Site(resources=Resources(), cache_url=f"{home}/cache", journal_url=f"{home}/journal")
    if not isinstance(chosen, GlobalStage):
        with chosen.open(site) as apply:
            return apply(batch)
    with chosen.open_survey(site) as survey:
        seen = survey(batch)
    decision = chosen.decide([seen], site=site, spread=lambda f, a: (f(*x) for x in a))
    return chosen.settle(batch, decision)


def schema(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A stage, verifier, teacher or block.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what a pipeline file may name, or the fields of one; --json prints the JSON Schema."""
    if name is None and as_json:
        print_json(json_schema())
    elif name is None:
        rows = [(kind, n, summary(c)) for kind, classes in catalogue().items() for n, c in classes.items()]
        table(["kind", "name", ""], [*rows, *(("broken", n, why) for n, why in broken().items())])
    else:
        _show_fields(name, as_json=as_json)


def _show_fields(name: str, *, as_json: bool) -> None:
    cls = named(name)
    if cls is None:
        known = sorted({n for classes in catalogue().values() for n in classes})
        close = difflib.get_close_matches(name, known, n=1)
        hint = f", did you mean '{close[0]}'?" if close else f"; known are {', '.join(known)}"
        raise PipelineError(broken().get(name, f"nothing is called '{name}'{hint}"))
    if as_json:
        print_json(cls.model_json_schema())
        return
    console.print(summary(cls))
    fields = [(f.name, f.kind, f.default, f.says) for f in fields_of(cls)]
    table(["field", "type", "default", ""], fields)


def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, what is missing, and how to get it. Exit code 1 when a part is broken."""
    from factory.doctor import diagnose

    findings = diagnose()
    if as_json:
        print_json(
            [{"name": f.name, "status": f.status, "detail": f.detail, "remedy": f.remedy} for f in findings]
        )
    else:
        table(
            ["part", "status", "detail", "remedy"], [(f.name, f.status, f.detail, f.remedy) for f in findings]
        )
    if any(f.status == "broken" for f in findings):
        raise typer.Exit(1)
