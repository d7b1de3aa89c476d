"""Canaries in a run: judged by the very judges of the rows, and never among the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from factory.core import Site, StageError, digest
from factory.stages.verification.verifier_config import Opened, Route
from factory.storage.files import join, list_names, read_json, write_json
from verifiers import Verdict
from verifiers.canaries import error_rates

__all__ = ["measured", "plant"]

_ALONE = "alone"
"""Name of a record made outside any run."""


def plant(
    routes: Sequence[Route], opened: Sequence[Opened], *, identity: Mapping[str, Any], site: Site, step: str
) -> None:
    """Judges the canaries of every verifier and keeps the findings for `measured`.

    Raises:
        StageError: a verifier that goes by rules passed a canary that must fail.
    """
    findings = [_finding(route, one) for route, one in zip(routes, opened, strict=True) if route.planted()]
    for finding in findings:
        if finding["by_rules"] and finding["passed_wrongly"]:
            name, detail = next(iter(finding["passed_wrongly"].items()))
            raise StageError(
                f"step '{step}': verifier '{finding['verifier']}' passes {len(finding['passed_wrongly'])} of "
                f"its known wrong cases, the first is '{name}' ({detail}); no verdict of it can be trusted, "
                "mend the verifier and run again"
            )
    if findings:
        write_json(join(_folder(routes, identity, site), f"{site.run_id or _ALONE}.json"), findings)


def measured(routes: Sequence[Route], *, identity: Mapping[str, Any], site: Site) -> list[dict[str, Any]]:
    """Per verifier how often it was wrong on its canaries, over all runs of this very stage.

    `false_pass` is the share of known wrong cases that passed, `false_fail` of known right ones that failed,
    both null where none was judged; `unknown` counts those that ended in `error` or `timeout`, and
    `passed_wrongly` and `failed_wrongly` name what was misjudged.
    """
    folder = _folder(routes, identity, site)
    records = [read_json(join(folder, name)) for name in list_names(folder)]
    return [_summed(parts) for parts in zip(*records, strict=True)]


def _folder(routes: Sequence[Route], identity: Mapping[str, Any], site: Site) -> str:
    """Where findings about these very verifiers and canaries are kept."""
    planted = [[canary.name for canary in route.planted()] for route in routes]
    return f"{site.cache_url.rstrip('/')}/canaries/{digest([identity, planted])}"


def _finding(route: Route, opened: Opened) -> dict[str, Any]:
    planted = route.planted()
    given = opened.judge_canaries([canary.case for canary in planted])
    verdicts = [one or Verdict(route.type, "", "error", detail="no verdict") for one in given]
    rates = error_rates(verdicts, planted)
    pairs = list(zip(planted, verdicts, strict=True))
    known = [(c, v) for c, v in pairs if v.verdict in ("pass", "fail")]
    return {
        "verifier": route.type,
        "by_rules": route.by_rules and not route.by_degree,
        "known_wrong": sum(not c.must_pass for c, _ in known),
        "known_right": sum(c.must_pass for c, _ in known),
        "unknown": rates.unknown,
        "passed_wrongly": {c.name: v.detail for c, v in known if not c.must_pass and v.verdict == "pass"},
        "failed_wrongly": {c.name: v.detail for c, v in known if c.must_pass and v.verdict == "fail"},
    }


def _summed(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    wrong, right = (sum(part[key] for part in parts) for key in ("known_wrong", "known_right"))
    passed, failed = (
        [name for part in parts for name in part[key]] for key in ("passed_wrongly", "failed_wrongly")
    )
    return {
        "verifier": parts[0]["verifier"],
        "false_pass": len(passed) / wrong if wrong else None,
        "false_fail": len(failed) / right if right else None,
        "judged": wrong + right,
        "unknown": sum(part["unknown"] for part in parts),
        "passed_wrongly": sorted(set(passed)),
        "failed_wrongly": sorted(set(failed)),
    }
