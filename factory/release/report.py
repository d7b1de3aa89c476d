"""The report of a release for people: one HTML file that needs nothing else, no script and no network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

__all__ = ["report"]

_SHOWN_CHARACTERS = 1500  # of one text in the sample rows

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ m.name }} {{ m.version }}</title>
<style>
:root { color-scheme: light dark; --ink: #1c2330; --soft: #667085; --line: #dfe3ea; --bar: #3b6fd4;
        --cut: #d4703b; --paper: #fff; --box: #f6f7f9; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #98a2b3; --line: #333a47;
        --bar: #6d9bf1; --cut: #e89b6c; --paper: #14181f; --box: #1c222c; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
.soft { color: var(--soft); } code, pre { font: 13px/1.45 ui-monospace, monospace; }
table { border-collapse: collapse; width: 100%; } .wide { overflow-x: auto; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top;
         overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 500; white-space: nowrap; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.track { display: flex; height: .9rem; background: var(--box); min-width: 9rem; }
.kept { background: var(--bar); } .cut { background: var(--cut); }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.2rem 0; }
.tile { background: var(--box); padding: .6rem 1rem; border-radius: .4rem; }
.tile b { display: block; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
details { background: var(--box); border-radius: .4rem; padding: .5rem .9rem; margin: .5rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0 .8rem; }
</style></head><body>
<h1>{{ m.name }} <span class="soft">{{ m.version }}</span></h1>
<p class="soft">Pipeline <code>{{ m.pipeline }}</code>, layout <code>{{ m.layout }}</code>,
made {{ m.created }}, fingerprint <code>{{ m.fingerprint[:16] }}</code></p>
<p>{{ m.description }}</p>
<div class="tiles">{% for label, value in tiles %}
<div class="tile"><b>{{ number(value) }}</b>{{ label }}</div>{% endfor %}</div>

<h2>Funnel</h2>
<div class="wide"><table><tr><th>step</th><th class="n">rows in</th><th class="n">fanned out</th>
<th class="n">rejected</th><th class="n">kept</th><th>share kept and cut</th><th>reasons</th></tr>
{% for e in m.funnel %}{% set all = e.rows_kept + e.rows_rejected %}<tr><td>{{ e.step }}</td>
<td class="n">{{ number(e.rows_in) }}</td><td class="n">{{ number(e.rows_fanned_out) }}</td>
<td class="n">{{ number(e.rows_rejected) }}</td><td class="n">{{ number(e.rows_kept) }}</td>
<td><div class="track"><div class="kept" style="width: {{ percent(e.rows_kept, all) }}%"></div>
<div class="cut" style="width: {{ percent(e.rows_rejected, all) }}%"></div></div></td>
<td>{% for word, count in e.reasons.items() %}{{ word }}&nbsp;{{ number(count) }}{{ ", " if not loop.last }}
{% endfor %}</td></tr>{% endfor %}</table></div>
<p class="soft">{{ number(m.counts.source_rows) }} source rows
+ {{ number(m.counts.rows_fanned_out) }} fanned out
= {{ number(m.counts.rows_released) }} released + {{ number(m.counts.rows_rejected) }} rejected.</p>

{% for title, unit, bars in charts %}<h2>{{ title }}</h2><table>
{% for label, value, share in bars %}<tr><td class="n" style="width: 17rem">{{ label }}</td>
<td><div class="track"><div class="kept" style="width: {{ share }}%"></div></div></td>
<td class="n" style="width: 8rem">{{ number(value) }} {{ unit }}</td></tr>{% endfor %}</table>{% endfor %}

{% for title, header, rows in tables %}<h2>{{ title }}</h2><div class="wide"><table><tr>
{% for cell in header %}<th>{{ cell }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</table></div>
{% endfor %}

{% if reports %}<h2>What the steps reported</h2>
{% for step, text in reports %}
<details><summary>{{ step }}</summary><pre>{{ text }}</pre></details>{% endfor %}
{% endif %}
<h2>Sample rows</h2>
{% for row in samples %}
<details{{ " open" if loop.first }}><summary><code>{{ row.id }}</code></summary>
{% for label, text in row.texts %}<div class="soft">{{ label }}</div><pre>{{ text }}</pre>
{% endfor %}</details>
{% endfor %}</body></html>
"""


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
    page = jinja2.Environment(autoescape=True).from_string(_PAGE)
    return page.render(
        m=manifest,
        tiles=tiles,
        charts=_charts(manifest),
        tables=_tables(manifest),
        reports=[(step, _pretty(found)) for step, found in manifest["reports"].items()],
        samples=[_sample(row) for row in samples],
        number=lambda value: f"{value:,}",
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
    tables = [
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
