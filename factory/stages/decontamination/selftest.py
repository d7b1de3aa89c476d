"""Does a decontamination find what it should? Plants copies of its benchmark items among given problems."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from factory.core import MESSAGE, Apply, DataError, Site
from factory.stages.decontamination.benchmarks import declared
from factory.stages.decontamination.decontaminate import Decontaminate
from factory.stages.source import listed, records, value_at

__all__ = ["read_rephrased", "selftest_report"]

_BATCH_ROWS = 10_000
_MAX_BYTES = 8_000_000


def selftest_report(
    stage: Decontaminate,
    problems: Sequence[str],
    *,
    site: Site,
    rephrased: Sequence[tuple[str, str, str]] = (),
    per_kind: int = 200,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Precision and recall per kind of copy, through the stage as a pipeline runs it: one dict per line.

    Args:
        stage: the decontamination with its benchmarks and rules.
        problems: texts of problems, among which at most `per_kind` copies of each kind are planted.
        site: where indexes and vectors are cached.
        rephrased: (benchmark, item, text) of items in other words, counted as a kind of their own.
        per_kind: copies of each kind at most.
        seed: of the choice of items and changes.

    Returns:
        Lines with `kind` (verbatim, wrapped, typo, edited, inserted, deleted, punctuation, number_changed,
        rephrased), `planted`, `found`, `right_item` (found with the very item as evidence), `recall` and
        `precision` (found against all that is found of this kind and among the problems). The last line,
        kind `problems`, has in `found` the given problems that are flagged: true contamination or mistakes.
        `number_changed` is another problem in the same words: what is found of it is no merit.

    Raises:
        DataError: `rephrased` names an item that no benchmark has.
    """
    from factory.stages.decontamination.copy_recall import selftest

    items = [(i.benchmark, i.item, i.text) for one in declared(stage.benchmarks) for i in one.items()]
    pairs = list(_placed(rephrased, items))
    with stage.open(site) as apply:
        found = selftest(
            items,
            clean=list(problems),
            flag=lambda texts: _flagged(texts, apply),
            rephrased=pairs,
            per_kind=per_kind,
            seed=seed,
        )
    lines: list[dict[str, Any]] = found.to_pylist()
    lines[-1]["kind"] = "problems"
    return lines


def read_rephrased(path: str) -> list[tuple[str, str, str]]:
    """(benchmark, item, text) of each record of a file with these three columns, in any form of a source."""
    found = []
    for file in listed([path]):
        for record in records(file, max_bytes=_MAX_BYTES):
            values = [value_at(record.columns or {}, name) for name in ("benchmark", "item", "text")]
            if not all(isinstance(value, str | int) for value in values):
                raise DataError(f"{file.name}:{record.line}: wanted the columns benchmark, item and text")
            found.append((str(values[0]), str(values[1]), str(values[2])))
    return found


def _placed(
    rephrased: Sequence[tuple[str, str, str]], items: Sequence[tuple[str, str, str]]
) -> Iterator[tuple[int, str]]:
    places = {(benchmark, item): place for place, (benchmark, item, _) in enumerate(items)}
    for benchmark, item, text in rephrased:
        if (benchmark, item) not in places:
            raise DataError(f"a rephrased text names item '{item}' of '{benchmark}', which no benchmark has")
        yield places[benchmark, item], text


def _flagged(texts: pa.Array, apply: Apply) -> pa.Table:
    """`row`, `benchmark` and `item_id` of the texts that the stage rejects as contaminated."""
    hits: list[dict[str, Any]] = []
    for first in range(0, len(texts), _BATCH_ROWS):
        part = texts.slice(first, _BATCH_ROWS).to_pylist()
        batch = pa.table(
            {
                "id": pa.array([str(first + n) for n in range(len(part))], pa.string()),
                "prompt": pa.array([[{"role": "user", "content": text}] for text in part], pa.list_(MESSAGE)),
                "reference": pa.nulls(len(part), pa.string()),
            }
        )
        rejected = apply(batch).rejected
        for row, proof in zip(rejected["id"].to_pylist(), rejected["evidence"].to_pylist(), strict=True):
            hit = json.loads(proof)
            hits.append({"row": int(row), "benchmark": hit["benchmark"], "item_id": hit["item"]})
    schema = pa.schema([("row", pa.int64()), ("benchmark", pa.string()), ("item_id", pa.string())])
    return pa.Table.from_pylist(hits, schema=schema)
