"""The verb that writes a first pipeline for a file of one's own: init."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import jinja2
import typer

from factory.cli.show import console
from factory.core import DataError, PipelineError
from factory.core.paths import is_url
from factory.models.resolve import TEACHER
from factory.pipeline import load_pipeline
from factory.release.spec import layout_names
from factory.stages.source import listed, records

__all__ = ["register"]

_SEEN_ROWS, _MAX_BYTES = 200, 8_000_000
_PROMPTS = (
    "prompt",
    "question",
    "problem",
    "instruction",
    "messages",
    "conversations",
    "query",
    "input",
    "text",
)
_REFERENCES = (
    "reference",
    "answer",
    "final_answer",
    "ground_truth",
    "expected_answer",
    "gold",
    "target",
    "solution",
)
_TESTS = ("tests", "test_cases", "unit_tests", "input_output", "test_list", "test")
_HASHES = r"####\s*(.+)"
"""How the solutions of GSM8K end: `#### 72`."""


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(init)


def init(
    data: Annotated[
        str, typer.Argument(help="Your file or folder of problems: JSONL, JSON, CSV or Parquet.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The pipeline file to write.")] = Path(
        "pipeline.yaml"
    ),
    prompt: Annotated[str | None, typer.Option(help="Column of the prompt [looked for].")] = None,
    reference: Annotated[str | None, typer.Option(help="Column of the gold answer [looked for].")] = None,
    tests: Annotated[str | None, typer.Option(help="Column of the code tests [looked for].")] = None,
    teacher: Annotated[
        str, typer.Option(help="Model: a folder or hub id for vLLM, or its name at the endpoint.")
    ] = TEACHER,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="OpenAI-compatible endpoint of the teacher.")
    ] = None,
    layout: Annotated[
        str, typer.Option(help=f"Form of the released rows: {', '.join(layout_names())}.")
    ] = "am",
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
) -> None:
    """Write a commented pipeline for your own file."""
    if layout not in layout_names():
        raise PipelineError(f"--layout {layout}: no such layout; there are {', '.join(layout_names())}")
    if out.exists() and not force:
        raise PipelineError(f"{out}: exists already; name another file with --out, or add --force")
    rows = _rows(data)
    columns = _columns(rows, {"prompt": prompt, "reference": reference, "tests": tests})
    values = _values(data, out, rows, columns, teacher=teacher, url=base_url, layout=layout)
    template = files("factory.cli").joinpath("templates/pipeline.yaml.jinja").read_text(encoding="utf-8")
    out.write_text(jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(template).render(values))
    load_pipeline(out)
    console.print(f"{out}: written for {len(rows)} rows seen of {data}; columns {values['columns']}")
    console.print(f"next: `factory plan {out}`, then `factory run {out}`")


def _rows(data: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = [
        record.columns
        for file in listed([data])
        for record in islice(records(file, max_bytes=_MAX_BYTES), _SEEN_ROWS)
        if record.columns is not None
    ]
    if not found:
        raise DataError(
            f"{data}: no row can be read; wanted JSON lines, JSON, CSV or Parquet with named columns"
        )
    return found[:_SEEN_ROWS]


def _columns(rows: Sequence[Mapping[str, Any]], asked: Mapping[str, str | None]) -> dict[str, str]:
    """Ours: theirs. Columns asked for must be there; the others are looked for by their usual names."""
    there = Counter(name for row in rows for name in row)
    columns: dict[str, str] = {}
    for ours, usual in (("prompt", _PROMPTS), ("reference", _REFERENCES), ("tests", _TESTS)):
        theirs = asked[ours]
        if theirs is not None and theirs not in there:
            raise PipelineError(f"--{ours} {theirs}: no such column; the file has {', '.join(there)}")
        theirs = theirs or next(
            (name for name in usual if name in there and name not in columns.values()), None
        )
        if theirs is None and ours == "prompt":
            theirs = _asked(there)
        if theirs is not None:
            columns[ours] = theirs
    return columns


def _asked(there: Mapping[str, int]) -> str:
    """The prompt's column, from the person at the terminal."""
    listing = ", ".join(there)
    if sys.stdin.isatty():
        answer: str = typer.prompt(f"Which column holds the prompt? ({listing})")
        if answer in there:
            return answer
    raise PipelineError(f"no column looks like a prompt; the file has {listing}; name one with --prompt")


def _values(
    data: str,
    out: Path,
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    *,
    teacher: str,
    url: str | None,
    layout: str,
) -> dict[str, Any]:
    """What the template is filled with."""
    references = [str(row.get(columns.get("reference", ""), "")) for row in rows]
    hashes = sum(bool(re.search(_HASHES, text)) for text in references) > len(rows) / 2
    verifier = "code" if "tests" in columns else "math" if "reference" in columns else None
    place = data if is_url(data) else _relative(data, out)
    return {
        "data": place,
        "name": re.sub(r"[^a-z0-9_-]+", "-", out.stem.lower()).strip("-_") or "pipeline",
        "description": f"Problems of {Path(data).name}, answered by {teacher}.",
        "columns": "{" + ", ".join(f"{ours}: {theirs!r}" for ours, theirs in columns.items()) + "}",
        "pattern": _HASHES if hashes else None,
        "domain": {"code": "code", "math": "math"}.get(verifier or "", "chat"),
        "others": ", ".join(sorted({n for row in rows for n in row} - set(columns.values()))[:20]),
        "model": teacher,
        "url": url,
        "max_tokens": 512 if teacher == TEACHER and url is None else 8192,
        "verifier": verifier,
        "layout": layout,
        "schema": "pipelines/schema.json",
    }


def _relative(data: str, out: Path) -> str:
    """The data's path as seen from the pipeline file."""
    import os.path

    return os.path.relpath(Path(data).resolve(), out.resolve().parent)
