"""The dataset card: a front matter for machines, and a body with which a person can check the release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import yaml
from markupsafe import Markup

from factory.release.front_matter import front_matter
from factory.release.store import File
from factory.release.templates import template

__all__ = ["card", "dedup_figures", "is_replayed"]


def card(manifest: Mapping[str, Any], *, files: Sequence[File], schemas: Mapping[str, pa.Schema]) -> str:
    """The whole README.md."""
    block = yaml.safe_dump(
        front_matter(manifest, files=files, schemas=schemas), sort_keys=False, allow_unicode=True, width=110
    )
    header = ["source", "license", "domain", "rows", "unique_prompts"]
    return template("card.md.jinja").render(
        front_matter=Markup(block),  # YAML, whose writer has quoted it
        m=manifest,
        side_tables=[p for p in schemas if p not in ("data", "rows") and not p.startswith("rejected/")],
        funnel=_funnel(manifest),
        verdicts=_verdict_counts(manifest["verdicts"]),
        verifiers=[[v["verifier"], v["version"], v["verdicts"]] for v in manifest["verifiers"]],
        dedup=dedup_figures(manifest["reports"]),
        decontamination=[_decontamination(entry) for entry in manifest["decontamination"]],
        tokens=_tokens(manifest["tokens"], replayed=is_replayed(manifest)),
        sources=[[row[key] for key in header] for row in manifest["sources"]],
    )


def is_replayed(manifest: Mapping[str, Any]) -> bool:
    """Whether every completion was read from files, so that no step drew one."""
    asked = [entry["identity"].get("teacher") for entry in manifest["teachers"]]
    return bool(asked) and all(isinstance(t, Mapping) and t.get("type") == "replay" for t in asked)


def _funnel(manifest: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for entry in manifest["funnel"]:
        reasons = ", ".join(f"{word} {count:,}" for word, count in entry["reasons"].items())
        counts = ("rows_in", "rows_fanned_out", "rows_rejected", "rows_kept")
        rows.append([entry["step"], *(f"{entry[key]:,}" for key in counts), reasons])
    return rows


def _verdict_counts(verdicts: Mapping[str, Mapping[str, int]]) -> list[list[str]]:
    """Completions by verdict, those that left and those that the release held back."""
    words = sorted({word for counts in verdicts.values() for word in counts})
    sides = ("released", "held_back")
    return [[word, *(f"{verdicts[side].get(word, 0):,}" for side in sides)] for word in words]


def _decontamination(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What a step removed, and what it reports of its benchmarks, one row each where it can be."""
    figures = [["rows checked", entry["rows_checked"]]]
    figures.extend([f"rejected: {word}", count] for word, count in entry["rejected"].items())
    figures.extend([key, value] for key, value in entry["counts"].items())
    coverage, header, rows = entry["coverage"], list[str](), list[list[Any]]()
    if isinstance(coverage, Mapping) and all(isinstance(value, Mapping) for value in coverage.values()):
        header = list(dict.fromkeys(key for row in coverage.values() for key in row))
        rows = [[name, *(row.get(key) for key in header)] for name, row in coverage.items()]
    return {
        "step": entry["step"],
        "figures": figures,
        "coverage": coverage,
        "header": ["benchmark", *header],
        "benchmarks": rows,
    }


def _tokens(tokens: Mapping[str, Any], *, replayed: bool) -> list[list[Any]]:
    """Figures of tokens and completions; replayed completions were read, and cost what nobody counted."""
    spent = tokens["spent"]
    if replayed:
        read = spent.get("completions_drawn", 0) + spent.get("completions_reused", 0)
        told = [["completions replayed from files", read]]
    else:
        told = [[f"spent: {key}", value] for key, value in spent.items()]
    counted = [
        ["prompt tokens in released rows", tokens["prompt"]],
        ["completion tokens in released rows", tokens["completion"]],
    ]
    if replayed:
        counted = [[name, value or "not counted by the files"] for name, value in counted]
    lengths = [[f"completion length {key}", value] for key, value in tokens["completion_length"].items()]
    return [*counted, *lengths, *told]


_DEDUP_FIGURES = {
    "pairs_judged": "pairs judged",
    "removed_answers_known": "removed rows whose answer and the kept one's are known",
    "removed_answers_differ_share": "of these with another answer (an upper bound of false removals)",
    "planted_same_found": "planted copies of these rows that are found",
    "planted_other_merged": "planted other problems that are taken for copies",
    "conflicts": "texts that are alike and have other answers",
    "review": "rows kept and marked for review",
    "unreadable": "rows that the embedder cannot read",
}


def dedup_figures(reports: Mapping[str, Any]) -> list[dict[str, Any]]:
    """How sure each dedup is of what it removed: figures and alarms by step, in the words of a reader."""
    return [
        {
            "step": step,
            "figures": [[said, found[key]] for key, said in _DEDUP_FIGURES.items() if key in found],
            "unreadable": found.get("unreadable_by_script") or {},
            "alarms": found.get("alarms", []),
        }
        for step, found in reports.items()
        if isinstance(found, Mapping) and "planted_same_found" in found
    ]
