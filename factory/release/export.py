"""Ways out of a release: the files that a trainer or a published format expects, made from `rows/`."""

from __future__ import annotations

import json
import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import pyarrow as pa

from factory.core import DataError, PipelineError, WorkspaceError
from factory.core.plugins import Catalogue
from factory.release.layouts import LAYOUTS
from factory.release.pairs import (
    LIGHT_R1_DPO_SCHEMA,
    TRL_DPO_SCHEMA,
    Pick,
    light_r1_pair,
    pairs,
    trl_pair,
)
from factory.release.problems import GRPO_SCHEMA, VERL_SCHEMA, grpo_row, verl_row
from factory.release.recipes import Companions, Written, llamafactory_info, reward_file
from factory.release.release_gate import is_truncated, is_unanswered
from factory.release.shards import Series
from factory.release.spec import UNVERIFIED
from factory.release.store import Folder
from factory.release.versions import Release
from factory.storage.file_system import local_path
from factory.storage.folders import rename_folder
from factory.storage.tables import read_batches

__all__ = ["TARGETS", "Export", "Options", "Target", "export"]

_CHUNK = 1000  # rows turned into Arrow or JSON at a time
_FILE_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class Export:
    """What was written."""

    files: tuple[str, ...]
    """Full paths of the files."""
    rows: int
    skipped: Mapping[str, int]
    """Released rows or problems that the format cannot take, by reason."""
    verdicts: Mapping[str, int]
    """Exported completions by verdict; empty where problems or pairs are exported."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the person who exports has chosen."""

    chosen: Pick
    rejected: Pick
    seed: int
    allow_truncated: bool
    verdicts: Counter[str]
    """Counts what is exported while it passes."""


@dataclass(frozen=True, slots=True)
class Target:
    """A format: how its files are written, and its rows."""

    form: Literal["parquet", "json", "jsonl"]
    schema: pa.Schema
    rows: Callable[[Release, Options, Counter[str]], Iterator[dict[str, Any]]]
    """The rows of a release in the schema; what the format cannot take is counted by reason."""
    companions: Companions | None = None
    """Files that stand beside the rows: what describes them to the trainer, or scores what it draws."""


def export(
    release: Release,
    to: str,
    out: str,
    *,
    chosen: Pick = "first",
    rejected: Pick = "first",
    seed: int = 0,
    allow_truncated: bool = False,
) -> Export:
    """Writes a release in one of `TARGETS` to a new folder: on a disk whole or not at all.

    Args:
        release: what to export.
        to: the format.
        out: a folder that is not there yet, a local path or fsspec URL.
        chosen: which right completion of a problem a preference pair takes.
        rejected: which wrong one.
        seed: of the pick `random`.
        allow_truncated: whether completions that hit the token limit are exported, where the release has any.

    Raises:
        PipelineError: no such format.
        WorkspaceError: the folder holds something already.
        DataError: nothing can be exported, or the rows lack what the format needs.
    """
    if to not in TARGETS:
        said = TARGETS.broken.get(to, f"no format '{to}'; choose one of {', '.join(TARGETS)}")
        raise PipelineError(f"export: {said}")
    place = Folder(out)
    local = local_path(out)
    if local is not None and os.path.isfile(local):
        raise WorkspaceError(f"{out}: is a file; name a new folder for the export")
    if place.names():
        raise WorkspaceError(f"{out}: is not empty; name a new folder for the export")
    target = TARGETS[to]
    aside = Folder(f"{place.url}.{uuid.uuid4().hex[:8]}") if place.is_local else place
    skipped: Counter[str] = Counter()
    options = Options(chosen, rejected, seed, allow_truncated, Counter())
    try:
        rows = target.rows(release, options, skipped)
        names, written = _write(aside, target, rows, name=f"{to}-train")
        if written == 0:
            raise DataError(f"{release.url}: has no row for '{to}' (skipped: {dict(skipped) or 'none'})")
        beside = target.companions(Written(release, tuple(names))) if target.companions else {}
        for file, text in beside.items():
            aside.write_text(file, text)
        names += beside
    except BaseException:
        aside.remove()
        raise
    if place.is_local:
        place.remove()
        rename_folder(aside.path(), place.path())
    files = tuple(f"{place.url}/{name}" for name in names)
    return Export(files, written, dict(skipped), dict(sorted(options.verdicts.items())))


def _write(
    folder: Folder, target: Target, rows: Iterator[dict[str, Any]], *, name: str
) -> tuple[list[str], int]:
    if target.form == "parquet":
        return _write_parquet(folder, target.schema, rows)
    file = f"{name}.{target.form}"
    written = 0
    with folder.open_sink(file) as sink:
        for row in rows:
            mark = "" if target.form == "jsonl" else "[\n" if written == 0 else ",\n"
            text = json.dumps(_without_nulls(row), ensure_ascii=False)
            sink.write(f"{mark}{text}{chr(10) if target.form == 'jsonl' else ''}".encode())
            written += 1
        if target.form == "json":
            sink.write(b"\n]\n" if written else b"[]\n")
    return [file], written


def _write_parquet(
    folder: Folder, schema: pa.Schema, rows: Iterator[dict[str, Any]]
) -> tuple[list[str], int]:
    series = Series(folder, "data", schema)
    written = 0
    while chunk := list(islice(rows, _CHUNK)):
        series.write(pa.Table.from_pylist(chunk, schema=schema))
        written += len(chunk)
        if written % _FILE_ROWS == 0:
            series.roll()
    return [file.path for file in series.finish(stem="train")], written


def _without_nulls(value: Any) -> Any:
    """JSON rows leave a null out of a message, so that no template is shown a key without a value."""
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value


def _released(release: Release, options: Options, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    for path in release.tables("rows/"):
        for batch in read_batches(path):
            cut_short, empty = is_truncated(batch).to_pylist(), is_unanswered(batch).to_pylist()
            for row, short, blank in zip(batch.to_pylist(), cut_short, empty, strict=True):
                if short and not options.allow_truncated:
                    skipped["truncated"] += 1
                elif blank and not short:
                    skipped["no_answer"] += 1
                else:
                    yield row


def _by_row(name: str) -> Callable[[Release, Options, Counter[str]], Iterator[dict[str, Any]]]:
    layout = LAYOUTS[name]

    def rows(release: Release, options: Options, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
        for row in _released(release, options, skipped):
            if "content" not in row:
                raise DataError(f"{release.url}: '{name}' needs completions; add a 'sample' step")
            if not layout.fits(row["prompt"] or ()):
                skipped["layout_unfit"] += 1
                continue
            options.verdicts[row.get("verdict") or UNVERIFIED] += 1
            yield layout.shape(row)

    return rows


def _problems(release: Release, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    """Each problem once, whatever became of its completions; one that nothing can judge is skipped."""
    seen: set[str] = set()
    for path in release.tables("rows/"):
        for batch in read_batches(path):
            for row in batch.to_pylist():
                if row["id"] in seen:
                    continue
                seen.add(row["id"])
                if row["reference"] is None and row["tests"] is None:
                    skipped["no_ground_truth"] += 1
                    continue
                yield row


def _grpo(release: Release, options: Options, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    return (grpo_row(row) for row in _problems(release, skipped))


def _verl(release: Release, options: Options, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    return (verl_row(row, index=index) for index, row in enumerate(_problems(release, skipped)))


def _trl_dpo(release: Release, options: Options, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    found = pairs(release, chosen=options.chosen, rejected=options.rejected, seed=options.seed)
    return (trl_pair(pair) for pair in found)


def _light_r1_dpo(release: Release, options: Options, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    for pair in pairs(release, chosen=options.chosen, rejected=options.rejected, seed=options.seed):
        if LAYOUTS["light-r1"].fits(pair[0]["prompt"]):
            yield light_r1_pair(pair)
        else:
            skipped["layout_unfit"] += 1


_OURS: Mapping[str, Target] = {
    "am": Target("parquet", LAYOUTS["am"].schema, _by_row("am")),
    "light-r1": Target("json", LAYOUTS["light-r1"].schema, _by_row("light-r1")),
    "light-r1-dpo": Target("json", LIGHT_R1_DPO_SCHEMA, _light_r1_dpo),
    "trl-sft": Target("parquet", LAYOUTS["trl-sft"].schema, _by_row("trl-sft")),
    "trl-sft-completion": Target(
        "parquet", LAYOUTS["trl-sft-completion"].schema, _by_row("trl-sft-completion")
    ),
    "trl-dpo": Target("parquet", TRL_DPO_SCHEMA, _trl_dpo),
    "trl-grpo": Target("parquet", GRPO_SCHEMA, _grpo, reward_file("trl")),
    "verl": Target("parquet", VERL_SCHEMA, _verl, reward_file("verl")),
    "axolotl": Target("jsonl", LAYOUTS["axolotl"].schema, _by_row("axolotl")),
    "llamafactory": Target(
        "json", LAYOUTS["llamafactory"].schema, _by_row("llamafactory"), llamafactory_info
    ),
}
TARGETS: Catalogue[Target] = Catalogue(
    "factory.exports",
    _OURS,
    wanted="a factory.release.export.Target",
    fault=lambda name, thing: None if isinstance(thing, Target) else f"{thing!r} is no Target",
)
"""The formats by name."""
