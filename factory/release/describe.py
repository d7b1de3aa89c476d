"""The manifest and the lineage of a release: plain values made from steps, counts and settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from factory.core import digest
from factory.release.conservation import funnel, totals
from factory.release.release_stats import Tally
from factory.release.spec import FinishedStep, ReleaseSpec

__all__ = ["FORMAT", "describe", "lineage", "release_fingerprint", "settings"]

FORMAT = 2
"""Bumped whenever the same rows and spec would give other files."""


def release_fingerprint(
    spec: ReleaseSpec, steps: Sequence[FinishedStep], *, name: str, provenance: Mapping[str, str]
) -> str:
    """Identity of a release: the steps' fingerprints, the bytes of their rows, and the release's settings.

    The bytes count because sampling is not reproducible: the same lineage may hold other completions.
    """
    last = [entry["kept"]["sha256"] for entry in steps[-1].manifest["files"]]
    cut = [[entry["rejected"]["sha256"] for entry in step.manifest["files"]] for step in steps]
    return digest(
        {
            "format": FORMAT,
            "name": name,
            "spec": spec.identity(),
            "provenance": dict(provenance),
            "steps": [step.manifest["fingerprint"] for step in steps],
            "kept": last,
            "rejected": cut,
        }
    )


def lineage(steps: Sequence[FinishedStep]) -> dict[str, Any]:
    """The family tree: each step with its fingerprint, identity and the fingerprint it was built on."""
    keys = ("step", "type", "version", "fingerprint", "upstream", "fields")
    return {"steps": [{key: step.manifest.get(key) for key in keys} for step in steps]}


def settings(steps: Sequence[FinishedStep], provenance: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every setting of every step, and where its value comes from.

    `provenance` maps `stages.STEP.FIELD` to `published`, `inferred` or `assumed`; an entry counts for all
    that lies below its path. An entry that no set field answers is listed with a null value.
    """
    found = []
    used: set[str] = set()
    for step in steps:
        for path, value in _leaves(f"stages.{step.name}", step.fields):
            origin = next((key for key in _ancestors(path) if key in provenance), None)
            used |= {origin} if origin else set()
            found.append(
                {"setting": path, "value": value, "provenance": provenance[origin] if origin else None}
            )
    rest = sorted(set(provenance) - used)
    return [*found, *({"setting": key, "value": None, "provenance": provenance[key]} for key in rest)]


def describe(
    *,
    spec: ReleaseSpec,
    steps: Sequence[FinishedStep],
    tally: Tally,
    held_back: Mapping[str, int],
    provenance: Mapping[str, str],
    reports: Mapping[str, Any],
) -> dict[str, Any]:
    """All that a manifest says apart from its name, version, fingerprint, time and files."""
    accounting = totals(steps, released=tally.rows, held_back=sum(held_back.values()))
    told = _told(steps) | dict(reports)
    return {
        "description": spec.description,
        "layout": spec.layout,
        "release": spec.identity(),
        "counts": {
            "rows": tally.rows,
            "unique_prompts": tally.unique_prompts,
            "rows_without_reasoning": tally.without_reasoning,
            **accounting,
        },
        "funnel": [*funnel(steps), _own_entry(tally.rows, held_back)],
        "tokens": {**tally.tokens(), "spent": _spent(steps)},
        "teachers": [{"step": s.name, "identity": dict(s.fields)} for s in steps if s.role == "teacher"],
        "teacher_rows": tally.teachers(),
        "verdicts": tally.verdicts(),
        "verifiers": tally.verifiers(),
        "sandbox": next((r["sandbox"] for r in told.values() if "sandbox" in r), None),
        "settings": settings(steps, provenance),
        "decontamination": [
            _decontamination(step, told.get(step.name)) for step in steps if step.role == "decontamination"
        ],
        "reports": told,
        "sources": tally.sources(),
        "pass_rate_histogram": {"released": tally.pass_rates(), "dropped": tally.dropped_pass_rates()},
    }


def _told(steps: Sequence[FinishedStep]) -> dict[str, Any]:
    return {step.name: step.manifest["report"] for step in steps if step.manifest.get("report")}


def _own_entry(released: int, held_back: Mapping[str, int]) -> dict[str, Any]:
    rejected = sum(held_back.values())
    return {
        "step": "release",
        "type": "release",
        "rows_in": released + rejected,
        "rows_fanned_out": 0,
        "rows_kept": released,
        "rows_rejected": rejected,
        "reasons": dict(sorted(held_back.items(), key=lambda pair: (-pair[1], pair[0]))),
        "seconds": None,
    }


def _decontamination(step: FinishedStep, coverage: Any) -> dict[str, Any]:
    return {
        "step": step.name,
        "rows_checked": step.manifest["rows_expected"],
        "rejected": dict(step.manifest["reasons"]),
        "counts": dict(step.manifest.get("spent") or {}),
        "coverage": coverage,
    }


def _spent(steps: Sequence[FinishedStep]) -> dict[str, int]:
    """Completions, tokens and millionths of a dollar that the whole pipeline cost, released or not."""
    sums: dict[str, int] = {}
    for step in steps:
        for key, value in (step.manifest.get("spent") or {}).items():
            if key.startswith("completions_") or key.endswith("_tokens") or key == "micro_dollars":
                sums[key] = sums.get(key, 0) + int(value)
    return sums


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}", inner)
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for position, inner in enumerate(value):
            yield from _leaves(f"{path}.{position}", inner)
    elif value is not None and value != [] and not (path.count(".") == 2 and path.endswith(".type")):
        yield path, value


def _ancestors(path: str) -> Iterator[str]:
    parts = path.split(".")
    for length in range(len(parts), 1, -1):
        yield ".".join(parts[:length])
