"""The law of conservation over a whole pipeline, and the funnel that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from factory.core import DataError, RowsLost
from factory.release.spec import FinishedStep
from factory.storage.tables import check_digest, row_count

__all__ = ["check_digests", "check_files", "check_steps", "funnel", "totals"]


def check_steps(steps: Sequence[FinishedStep]) -> None:
    """Checks that no row vanished within a step or between two of them.

    Raises:
        RowsLost: a step's kept and rejected rows are not what it had to give, its files do not add up to
            its counts, or it was given other rows than the step before it kept.
    """
    for position, step in enumerate(steps):
        found = step.manifest
        label = f"step {position + 1} '{step.name}'"
        kept, rejected, expected = found["rows_kept"], found["rows_rejected"], found["rows_expected"]
        if kept + rejected != expected:
            raise RowsLost(
                f"{label}: {kept} kept + {rejected} rejected is not the {expected} rows it had to give; "
                "move its folder away and run again"
            )
        if sum(found["reasons"].values()) != rejected:
            raise RowsLost(
                f"{label}: its reasons count {sum(found['reasons'].values())} rows, not {rejected}"
            )
        for side, promised in (("kept", kept), ("rejected", rejected)):
            held = sum(int(entry[side]["rows"]) for entry in found["files"])
            if held != promised:
                raise RowsLost(f"{label}: its files hold {held} {side} rows, its manifest says {promised}")
        if position and found["rows_in"] != steps[position - 1].manifest["rows_kept"]:
            before = steps[position - 1]
            raise RowsLost(
                f"{label}: was given {found['rows_in']} rows, but '{before.name}' kept "
                f"{before.manifest['rows_kept']}"
            )


def check_digests(steps: Sequence[FinishedStep]) -> None:
    """Reads all that goes into a release, and raises DamagedFile for what is not as its step wrote it."""
    for step in steps:
        for path, digest in step.digests(("kept", "rejected") if step is steps[-1] else ("rejected",)):
            check_digest(path, digest)


def check_files(steps: Sequence[FinishedStep]) -> None:
    """Checks the footer of every Parquet file against the rows its manifest promises.

    Raises:
        RowsLost: a file holds another number of rows.
        DamagedFile: a file is missing or broken.
    """
    for step in steps:
        digests = dict(step.digests(("kept", "rejected")))
        side_tables = [part for parts in step.side_tables().values() for part in parts]
        for path, promised in [*step.parts("kept"), *step.parts("rejected"), *side_tables]:
            try:
                held = row_count(path)
            except DataError:
                held = -1
            if held != promised:
                check_digest(path, digests[path])
                raise RowsLost(f"{path}: holds {held} rows, the manifest of '{step.name}' says {promised}")


def funnel(steps: Sequence[FinishedStep]) -> list[dict[str, Any]]:
    """One entry per step: rows in, fanned out, kept and rejected, and the reasons, most frequent first."""
    entries = []
    for position, step in enumerate(steps):
        found = step.manifest
        rows_in = found["rows_in"] if position else found["rows_expected"]
        reasons = sorted(found["reasons"].items(), key=lambda pair: (-pair[1], pair[0]))
        entries.append(
            {
                "step": step.name,
                "type": step.type,
                "rows_in": rows_in,
                "rows_fanned_out": found["rows_expected"] - rows_in,
                "rows_kept": found["rows_kept"],
                "rows_rejected": found["rows_rejected"],
                "reasons": dict(reasons),
                "seconds": found.get("seconds"),
            }
        )
    return entries


def totals(steps: Sequence[FinishedStep], *, released: int, held_back: int) -> dict[str, Any]:
    """The identity `source + fanned out = released + rejected` with its four numbers.

    `held_back` are the rows that the release itself rejects; they count as rejected.

    Raises:
        RowsLost: the two sides differ.
    """
    entries = funnel(steps)
    source = entries[0]["rows_in"]
    fanned_out = sum(entry["rows_fanned_out"] for entry in entries)
    rejected = sum(entry["rows_rejected"] for entry in entries) + held_back
    if source + fanned_out != released + rejected:
        raise RowsLost(
            f"release: {source} source rows + {fanned_out} fanned out is not {released} released "
            f"+ {rejected} rejected"
        )
    return {
        "source_rows": source,
        "rows_fanned_out": fanned_out,
        "rows_rejected": rejected,
        "rows_released": released,
    }
