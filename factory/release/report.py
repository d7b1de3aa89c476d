"""The report of a release for people: one HTML file that needs nothing else, no script and no network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from factory.release.card import dedup_figures
from factory.release.templates import template

__all__ = ["report"]

_SHOWN_CHARACTERS = 1500  # of one text in the sample rows


def report(manifest: Mapping[str, Any], *, samples: Sequence[Mapping[str, Any]]) -> str:
    """The page: funnel, reasons, pass rates, lengths, sources, verifiers, settings and sample rows."""
    counts, tokens = manifest["counts"], manifest["tokens"]
    tiles = [
        ("rows", counts["rows"]),
        ("distinct prompts", counts["unique_prompts"]),
        ("rejected rows", counts["rows_rejected"]),
        ("completion tokens", tokens["completion"]),
        ("rows without reasoning", counts["rows_without_reasoning"]),
    ]
    return template("report.html.jinja").render(
        m=manifest,
        tiles=tiles,
        charts=_charts(manifest),
        tables=_tables(manifest),
        reports=[(step, _pretty(found)) for step, found in manifest["reports"].items()],
        samples=[_sample(row) for row in samples],
        percent=_percent,
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}" if whole else "0"


def _charts(manifest: Mapping[str, Any]) -> list[tuple[str, str, list[tuple[str, int, str]]]]:
    reasons = [
        (f"{entry['step']}: {word}", count)
        for entry in manifest["funnel"]
        for word, count in entry["reasons"].items()
    ]
    rates = manifest["pass_rate_histogram"]
    lengths = [
        (f"{item['from']:,} to {item['below']:,}", item["rows"])
        for item in manifest["tokens"]["completion_histogram"]
    ]
    charts = [
        ("Why rows were cut", "rows", sorted(reasons, key=lambda pair: -pair[1])),
        ("Pass rate of released problems", "problems", _tenths(rates["released"])),
        ("Pass rate of problems of which no row is released", "problems", _tenths(rates["dropped"])),
        ("Completion length in tokens", "rows", lengths),
    ]
    return [(title, unit, _bars(values)) for title, unit, values in charts if values]


def _tenths(counts: Sequence[int]) -> list[tuple[str, int]]:
    width = 1 / max(len(counts), 1)
    return [(f"{i * width:.1f} to {(i + 1) * width:.1f}", count) for i, count in enumerate(counts)]


def _bars(values: Sequence[tuple[str, int]]) -> list[tuple[str, int, str]]:
    most = max(count for _, count in values)
    return [(label, count, _percent(count, most)) for label, count in values]


def _tables(manifest: Mapping[str, Any]) -> list[tuple[str, list[str], list[list[Any]]]]:
    sources = [
        [
            row["source"],
            row["license"] or "not stated",
            row["domain"],
            f"{row['rows']:,}",
            row["unique_prompts"],
        ]
        for row in manifest["sources"]
    ]
    verifiers = [
        [row["verifier"], row["version"], ", ".join(f"{k} {v:,}" for k, v in row["verdicts"].items())]
        for row in manifest["verifiers"]
    ]
    settings = [
        [row["setting"], _pretty(row["value"]), row["provenance"] or "not stated"]
        for row in manifest["settings"]
    ]
    dedup = [
        (
            f"How sure '{found['step']}' is",
            ["figure", "value"],
            [*found["figures"], *(["alarm", alarm] for alarm in found["alarms"])],
        )
        for found in dedup_figures(manifest["reports"])
    ]
    tables = [
        *dedup,
        ("Sources and licenses", ["source", "license", "domain", "rows", "distinct prompts"], sources),
        ("Verifiers", ["verifier", "version", "verdicts on released rows"], verifiers),
        ("Settings and where they come from", ["setting", "value", "provenance"], settings),
    ]
    return [(title, header, rows) for title, header, rows in tables if rows]


def _sample(row: Mapping[str, Any]) -> dict[str, Any]:
    texts = [(turn["role"], turn["content"]) for turn in row.get("prompt") or ()]
    for name in ("reference", "reasoning_content", "content", "verdict", "pass_rate"):
        if row.get(name) is not None:
            texts.append((name, str(row[name])))
    return {"id": row.get("completion_id") or row["id"], "texts": [(k, _shortened(v)) for k, v in texts]}


def _shortened(text: str | None) -> str:
    text = text or ""
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    return f"{text[:_SHOWN_CHARACTERS]} ... ({len(text):,} characters in all)"


def _pretty(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1, default=str)
