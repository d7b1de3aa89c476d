"""The report of a release for people: one HTML file that needs nothing else, no script and no network."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from factory.release.card import dedup_figures, is_replayed
from factory.release.templates import template

__all__ = ["report"]

_SHOWN_REASONS = 120
_SHOWN_BARS = 20  # of one chart
_SHOWN_CHARACTERS = 1500  # of one text in the sample rows


def report(
    manifest: Mapping[str, Any],
    *,
    samples: Sequence[Mapping[str, Any]],
    rejected: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]],
) -> str:
    """The page: funnel, charts, sources, verifiers, rows that were kept and rejected, settings folded.

    `rejected` holds a few rows by step and reason, of which at most 120 reasons are shown; a text is shown to
    1,500 characters, so that the page stays below 10 MB.
    """
    counts, tokens = manifest["counts"], manifest["tokens"]
    tiles = [
        ("rows", counts["rows"]),
        ("distinct prompts", counts["unique_prompts"]),
        ("rejected rows", counts["rows_rejected"]),
        ("completions replayed from files", counts["rows"])
        if is_replayed(manifest)
        else ("completion tokens", tokens["completion"]),
        ("rows without reasoning", counts["rows_without_reasoning"]),
    ]
    return template("report.html.jinja").render(
        m=manifest,
        tiles=tiles,
        charts=_charts(manifest),
        tables=_tables(manifest),
        reports=[(step, _pretty(found)) for step, found in manifest["reports"].items()],
        samples=[_sample(row) for row in samples],
        rejected=[
            (step, reason, [_sample(row) for row in rows])
            for (step, reason), rows in list(rejected.items())[:_SHOWN_REASONS]
        ],
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
    verdicts = [
        (f"{word}, {side.replace('_', ' ')}", count)
        for side, counts in manifest["verdicts"].items()
        for word, count in counts.items()
    ]
    sources = manifest["sources"]
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
        ("Verdicts of completions", "rows", verdicts),
        ("Teachers of released rows", "rows", _most(manifest["teacher_rows"].items())),
        ("Sources of released rows", "rows", _most((s["source"] or "", s["rows"]) for s in sources)),
    ]
    return [(title, unit, _bars(values)) for title, unit, values in charts if values]


def _most(counts: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """The largest counts by name, and the rest as one."""
    sums: Counter[str] = Counter()
    for name, count in counts:
        sums[name] += count
    shown = sums.most_common(_SHOWN_BARS)
    rest = sums.total() - sum(count for _, count in shown)
    return [*shown, ("all others", rest)] if rest else shown


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
    for name in (
        "reason",
        "evidence",
        "source",
        "reference",
        "reasoning_content",
        "content",
        "verdict",
        "pass_rate",
    ):
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
