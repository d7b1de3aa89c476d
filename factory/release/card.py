"""The dataset card: a front matter for machines, and a body with which a person can check the release."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import yaml

from factory.release.front_matter import front_matter
from factory.release.store import File

__all__ = ["card"]


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    def cell(value: Any) -> str:
        text = (
            ""
            if value is None
            else value
            if isinstance(value, str)
            else json.dumps(value, ensure_ascii=False)
        )
        return text.replace("|", "\\|").replace("\n", "<br>")

    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(map(cell, row)) + " |" for row in rows)])


def _funnel_table(manifest: Mapping[str, Any]) -> str:
    rows = []
    for entry in manifest["funnel"]:
        reasons = ", ".join(f"{word} {count:,}" for word, count in entry["reasons"].items())
        counts = ("rows_in", "rows_fanned_out", "rows_rejected", "rows_kept")
        rows.append([entry["step"], *(f"{entry[key]:,}" for key in counts), reasons])
    return _table(["step", "rows in", "fanned out", "rejected", "kept", "reasons"], rows)


def _teacher_section(manifest: Mapping[str, Any]) -> str:
    blocks = []
    for teacher in manifest["teachers"]:
        identity = json.dumps(teacher["identity"], indent=2, ensure_ascii=False, sort_keys=True)
        blocks.append(f"Step `{teacher['step']}`:\n\n```json\n{identity}\n```")
    shares = _table(["teacher", "released rows"], list(manifest["teacher_rows"].items()))
    return "\n\n".join([*blocks, shares]) if blocks or manifest["teacher_rows"] else "No teacher was sampled."


def _verifier_section(manifest: Mapping[str, Any]) -> str:
    counts = _verdict_counts(manifest["verdicts"])
    if not manifest["verifiers"]:
        return f"No verdicts are recorded: nothing here was verified.\n\n{counts}"
    rows = [[row["verifier"], row["version"], row["verdicts"]] for row in manifest["verifiers"]]
    note = f"\n\nCode ran in sandbox tier `{manifest['sandbox']}`." if manifest["sandbox"] else ""
    return f"{counts}\n\n" + _table(["verifier", "version", "verdicts on released rows"], rows) + note


def _verdict_counts(verdicts: Mapping[str, Mapping[str, int]]) -> str:
    """Completions by verdict, those that left and those that the release held back."""
    words = sorted({word for counts in verdicts.values() for word in counts})
    rows = [
        [word, *(f"{verdicts[side].get(word, 0):,}" for side in ("released", "held_back"))] for word in words
    ]
    return _table(["verdict", "released completions", "held back by the release"], rows)


def _decontamination_section(manifest: Mapping[str, Any]) -> str:
    if not manifest["decontamination"]:
        return (
            "**This release was not decontaminated.** Check it against your evaluation sets before training."
        )
    blocks = []
    for entry in manifest["decontamination"]:
        figures = [["rows checked", entry["rows_checked"]]]
        figures.extend([f"rejected: {word}", count] for word, count in entry["rejected"].items())
        figures.extend([key, value] for key, value in entry["counts"].items())
        blocks.append(f"Step `{entry['step']}`:\n\n" + _table(["figure", "value"], figures))
        blocks.append(_coverage(entry["coverage"]))
    return "\n\n".join(blocks)


def _coverage(coverage: Any) -> str:
    """What a step reports of its benchmarks, one row each; anything else as JSON."""
    if not coverage:
        return "It wrote no report on the benchmarks that it covers."
    if isinstance(coverage, Mapping) and all(isinstance(value, Mapping) for value in coverage.values()):
        header = list(dict.fromkeys(key for row in coverage.values() for key in row))
        rows = [[name, *(row.get(key) for key in header)] for name, row in coverage.items()]
        return _table(["benchmark", *header], rows)
    return f"```json\n{json.dumps(coverage, indent=2, ensure_ascii=False)}\n```"


def _token_section(manifest: Mapping[str, Any]) -> str:
    tokens = manifest["tokens"]
    rows = [["prompt tokens in released rows", tokens["prompt"]]]
    rows.append(["completion tokens in released rows", tokens["completion"]])
    rows.extend([[f"completion length {key}", value] for key, value in tokens["completion_length"].items()])
    rows.extend([[f"spent: {key}", value] for key, value in tokens["spent"].items()])
    return _table(["figure", "value"], rows)


def _settings_section(manifest: Mapping[str, Any]) -> str:
    rows = [[f"`{row['setting']}`", row["value"], row["provenance"]] for row in manifest["settings"]]
    return _table(["setting", "value", "provenance"], rows)


_BODY = """
# {name}

{description}

Version **{version}** of the pipeline `{pipeline}`: {rows:,} rows over {unique_prompts:,} distinct prompts, \
layout `{layout}`. Rows and prompts are counted apart: several completions may answer one prompt. \
{rows_without_reasoning:,} rows have an answer without reasoning.

```python
import datasets
import polars

train = datasets.load_dataset("PATH_OR_REPO", split="train")           # the rows in layout `{layout}`
rows = datasets.load_dataset("PATH_OR_REPO", "rows", split="train")    # the same rows, every column
frame = polars.scan_parquet("PATH/rows/*.parquet")
```

| part | what it holds |
| --- | --- |
| `data/` | the rows in layout `{layout}` |
| `rows/` | the same rows in the same order with every column: ids, source, license, verdicts, pass rate |
{side_tables}| `rejected/STEP/` | every row that a step cut, with `step`, `reason` and `evidence` |
| `manifest.json`, `lineage.json` | counts, settings, SHA-256 of every file; the fingerprint of every step |
| `pipeline.yaml`, `report.html` | the pipeline as it was run; a report for people |

## Funnel

{funnel}

{source_rows:,} source rows + {rows_fanned_out:,} fanned out = {rows_released:,} released \
+ {rows_rejected:,} rejected.

## Teacher and sampling

{teacher}

## Verification

{verification}

## Decontamination

{decontamination}

## Tokens

{tokens}

## Sources and licenses

{sources}

## Settings and where they come from

`published`: stated by the source of the recipe; `inferred`: follows from its text or code; \
`assumed`: chosen here; empty: not stated.

{settings}
"""


def _side_table_lines(schemas: Mapping[str, pa.Schema]) -> str:
    names = [part for part in schemas if part not in ("data", "rows") and not part.startswith("rejected/")]
    return "".join(f"| `{n}/` | more about the same completions, by `completion_id` |\n" for n in names)


def card(manifest: Mapping[str, Any], *, files: Sequence[File], schemas: Mapping[str, pa.Schema]) -> str:
    """The whole README.md."""
    block = yaml.safe_dump(
        front_matter(manifest, files=files, schemas=schemas), sort_keys=False, allow_unicode=True, width=110
    )
    header = ["source", "license", "domain", "rows", "unique_prompts"]
    body = _BODY.format(
        **manifest["counts"],
        **{key: manifest[key] for key in ("name", "description", "version", "pipeline", "layout")},
        side_tables=_side_table_lines(schemas),
        funnel=_funnel_table(manifest),
        teacher=_teacher_section(manifest),
        verification=_verifier_section(manifest),
        decontamination=_decontamination_section(manifest),
        tokens=_token_section(manifest),
        sources=_table(header, [[row[key] for key in header] for row in manifest["sources"]]),
        settings=_settings_section(manifest),
    )
    return f"---\n{block}---\n{body}"
