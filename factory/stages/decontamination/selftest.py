"""Does a decontamination find what it should? Plants copies of its benchmark items among given problems."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias, get_args

import pyarrow as pa

from factory.core import MESSAGE, Apply, DataError, Site
from factory.stages.decontamination.benchmarks import BenchmarkItem, declared
from factory.stages.decontamination.decontaminate import Decontaminate
from factory.stages.decontamination.disguises import PLACES, Prompt
from factory.stages.decontamination.planted_copies import KINDS, Disguise, plant
from factory.stages.source import listed, records, value_at

__all__ = ["Planted", "read_rephrased", "selftest_report", "stage_rows"]

_BATCH_ROWS = 2_000
_MAX_BYTES = 8_000_000
_ASIDE_WORDS = 120
Rephrased: TypeAlias = tuple[str, str, str]
"""(benchmark, item, text)."""


@dataclass(frozen=True, slots=True)
class Planted:
    """One row that holds an item, or none where `item` is null."""

    kind: str
    item: tuple[str, str] | None
    prompt: Prompt
    said: str = ""
    """What a teacher wrote about it: the reasoning of a row with a completion."""


def selftest_report(
    stage: Decontaminate,
    problems: Sequence[str],
    *,
    site: Site,
    rephrased: Sequence[Rephrased] = (),
    per_kind: int = 50,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Precision and recall per kind of copy, through the stage as a pipeline runs it: one dict per line.

    Args:
        stage: the decontamination with its benchmarks, rules and policy.
        problems: the user's own texts, among which copies are planted; also what copies are hidden behind.
        site: where indexes and vectors are cached.
        rephrased: (benchmark, item, text) of items in other words, counted as a kind of their own.
        per_kind: copies of each kind at most.
        seed: of the choice of items and changes.

    Returns:
        Lines with `kind`, `planted`, `found` (rejected), `review` (kept with a note), `right_item` (found
        with the very item as evidence), `recall`, and `precision` (found against all that is found of this
        kind and among the problems). Kinds are the edits and disguises of a copy, the places where it may
        stand (`at_...`; in a completion for a step after a teacher), and `rephrased`. `number_changed` is
        another problem in the same words: what is found of it is no merit. The last line, kind `problems`,
        has in `found` the given problems that are flagged: true contamination or false alarms.

    Raises:
        DataError: `rephrased` names an item that no benchmark has.
    """
    items = [item for one in declared(stage.benchmarks) for item in one.items()]
    rows = list(_planted(stage, items, problems, per_kind=per_kind, seed=seed))
    rows += _placed(rephrased, items, stage=stage)
    rows += [_row(stage, "problems", None, text) for text in problems]
    with stage.open(site) as apply:
        outcome = stage_rows(apply, rows)
    false = sum(
        row.kind == "problems" and found is not None for row, (found, _) in zip(rows, outcome, strict=True)
    )
    kinds = dict.fromkeys(row.kind for row in rows)
    pairs = list(zip(rows, outcome, strict=True))
    return [_line(kind, [p for p in pairs if p[0].kind == kind], false) for kind in kinds]


def stage_rows(apply: Apply, rows: Sequence[Planted]) -> list[tuple[dict[str, Any] | None, bool]]:
    """For each row the evidence that it is rejected with, or null, and whether it is kept for review."""
    out: list[tuple[dict[str, Any] | None, bool]] = []
    for first in range(0, len(rows), _BATCH_ROWS):
        part = rows[first : first + _BATCH_ROWS]
        flow = apply(_table(part))
        ids = flow.rejected["id"].to_pylist()
        proofs = {i: json.loads(e) for i, e in zip(ids, flow.rejected["evidence"].to_pylist(), strict=True)}
        noted: set[str] = set()
        if "review" in flow.kept.column_names:
            notes = zip(flow.kept["id"].to_pylist(), flow.kept["review"].to_pylist(), strict=True)
            noted = {i for i, note in notes if note is not None}
        out += [(proofs.get(str(n)), str(n) in noted) for n in range(len(part))]
    return out


def read_rephrased(path: str) -> list[Rephrased]:
    """(benchmark, item, text) of each record of a file with these three columns, in any form of a source."""
    found = []
    for file in listed([path]):
        for record in records(file, max_bytes=_MAX_BYTES):
            values = [value_at(record.columns or {}, name) for name in ("benchmark", "item", "text")]
            if not all(isinstance(value, str | int) for value in values):
                raise DataError(f"{file.name}:{record.line}: wanted the columns benchmark, item and text")
            found.append((str(values[0]), str(values[1]), str(values[2])))
    return found


def _planted(
    stage: Decontaminate, items: Sequence[BenchmarkItem], problems: Sequence[str], *, per_kind: int, seed: int
) -> Iterator[Planted]:
    """Copies of random items of each kind; items that a kind cannot change drop."""
    rng = Random(seed)
    for kind in (*KINDS, *get_args(Disguise)):
        for item in rng.sample(items, min(per_kind, len(items))):
            made = plant(item.text, kind=kind, rng=rng)
            if made is not None:
                yield _row(stage, kind, item, made)
    if "prompt" not in stage.of:
        return
    for name, place in PLACES.items():
        for item in rng.sample(items, min(per_kind, len(items))):
            yield Planted(f"at_{name}", (item.benchmark, item.item), place(item.text, problems, rng))


def _row(stage: Decontaminate, kind: str, item: BenchmarkItem | None, text: str) -> Planted:
    """A text where the stage looks: as the prompt, or in the middle of what a teacher wrote."""
    name = (item.benchmark, item.item) if item else None
    if "prompt" in stage.of:
        return Planted(kind, name, [{"role": "user", "content": text}])
    aside = "Let me think about what is wanted here, and go on step by step. " * (_ASIDE_WORDS // 14)
    return Planted(kind, name, [{"role": "user", "content": "Go on."}], f"{aside}\n{text}\n{aside}")


def _placed(
    rephrased: Sequence[Rephrased], items: Sequence[BenchmarkItem], *, stage: Decontaminate
) -> Iterator[Planted]:
    known = {(item.benchmark, item.item): item for item in items}
    for benchmark, name, text in rephrased:
        if (benchmark, name) not in known:
            raise DataError(f"a rephrased text names item '{name}' of '{benchmark}', which no benchmark has")
        yield _row(stage, "rephrased", known[benchmark, name], text)


def _table(rows: Sequence[Planted]) -> pa.Table:
    nothing = pa.nulls(len(rows), pa.string())
    return pa.table(
        {
            "id": pa.array([str(n) for n in range(len(rows))], pa.string()),
            "prompt": pa.array([row.prompt for row in rows], pa.list_(MESSAGE)),
            "reference": nothing,
            "reasoning_content": pa.array([row.said or None for row in rows], pa.string()),
            "content": pa.array([row.said or None for row in rows], pa.string()),
        }
    )


def _line(
    kind: str, rows: Sequence[tuple[Planted, tuple[dict[str, Any] | None, bool]]], false: int
) -> dict[str, Any]:
    proofs = [(row.item, proof) for row, (proof, _) in rows if proof is not None]
    right = sum((proof["benchmark"], proof["item"]) == item for item, proof in proofs)
    planted = kind != "problems"
    return {
        "kind": kind,
        "planted": len(rows),
        "found": len(proofs),
        "review": sum(noted for _, (_, noted) in rows),
        "right_item": right if planted else 0,
        "recall": len(proofs) / len(rows) if rows else None,
        "precision": len(proofs) / (len(proofs) + false) if planted and len(proofs) + false else None,
    }
