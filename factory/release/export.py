"""Ways out of a release: folders that a trainer takes as they are, made from `rows/`."""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from factory.core import DataError, PipelineError, WorkspaceError
from factory.core.plugins import Catalogue
from factory.release import export_rows
from factory.release.export_files import Form, write_rows
from factory.release.export_rows import ORIGIN, Options, Rows, by_row
from factory.release.layouts import LAYOUTS
from factory.release.pairs import KTO_SCHEMA, LIGHT_R1_DPO_SCHEMA, TRL_DPO_SCHEMA, Pick
from factory.release.problems import GRPO_SCHEMA, VERL_SCHEMA
from factory.release.reasoning import Reasoning, Template, renamed, renamed_schema
from factory.release.recipes import Companions, Written, companions
from factory.release.store import Folder
from factory.release.versions import Release
from factory.storage.file_system import local_path
from factory.storage.folders import rename_folder

__all__ = ["TARGETS", "Export", "Options", "Target", "export"]

_MOST_LOST = 0.01
"""Largest share of the reasoning's characters that a student's template may lose; above it nothing is
written. Templates trim blanks, so that a few texts may not be found as they are."""


@dataclass(frozen=True, slots=True)
class Export:
    """What was written."""

    files: tuple[str, ...]
    """Full paths of the files."""
    rows: int
    """Rows of both splits."""
    skipped: Mapping[str, int]
    """Released rows or problems that the format cannot take, by reason."""
    verdicts: Mapping[str, int]
    """Exported completions by verdict; empty where problems or pairs are exported."""
    validation_rows: int = 0
    reasoning: Reasoning | None = None
    """Where the reasoning is; null where the rows hold no completions or the format decides."""
    reasoning_lost: float | None = None
    """Share of it that the given template lost; null without one."""


@dataclass(frozen=True, slots=True)
class Target:
    """A format: how its files are written, its rows, and what stands beside them."""

    form: Form
    schema: pa.Schema
    rows: Rows
    companions: Companions | None = None
    """Files that stand beside the rows: what describes them to the trainer, or scores what it draws."""
    reasoning: tuple[Reasoning, ...] = ()
    """Places that the format has for reasoning, the usual one first; none: it cannot be chosen."""
    splits: bool = False
    """Whether `rows` asks `Options.takes`, so that a validation split can be made."""


def export(
    release: Release,
    to: str,
    out: str,
    *,
    chosen: Pick = "first",
    rejected: Pick = "first",
    seed: int = 0,
    allow_truncated: bool = False,
    reasoning: Reasoning | None = None,
    validation: float = 0.0,
    template: str | None = None,
) -> Export:
    """Writes a release in one of `TARGETS` to a new folder: on a disk whole or not at all.

    Args:
        release: what to export.
        to: the format.
        out: a folder that is not there yet, a local path or fsspec URL.
        chosen: which right completion of a problem a preference pair takes.
        rejected: which wrong one.
        seed: of the pick `random`, and of the validation split.
        allow_truncated: whether completions that hit the token limit are exported, where the release has any.
        reasoning: where the reasoning goes; null: the format's usual place.
        validation: share of problems, 0 to below 1, whose rows form a split `validation`.
        template: the student's chat template (a Jinja file, a `tokenizer_config.json` or a model's folder):
            every row is rendered with it, and an export whose reasoning it loses is refused.

    Raises:
        PipelineError: no such format, or one that cannot take what was chosen.
        WorkspaceError: the folder holds something already.
        DataError: nothing can be exported, the rows lack what the format needs, or the template loses
            reasoning.
    """
    target = _target(to, reasoning=reasoning, validation=validation, template=template)
    place = _new_folder(out)
    placed = reasoning or (target.reasoning[0] if target.reasoning else None)
    options = Options(
        chosen=chosen,
        rejected=rejected,
        seed=seed,
        allow_truncated=allow_truncated,
        reasoning=placed or "field",
        validation=validation,
        template=Template(template) if template else None,
    )
    aside = Folder(f"{place.url}.{uuid.uuid4().hex[:8]}") if place.is_local else place
    try:
        done = _fill(aside, release, target, to=to, options=options)
    except BaseException:
        aside.remove()
        raise
    if place.is_local:
        place.remove()
        rename_folder(aside.path(), place.path())
    return replace(done, files=tuple(f"{place.url}/{name}" for name in done.files), reasoning=placed)


def _new_folder(out: str) -> Folder:
    place, local = Folder(out), local_path(out)
    if local is not None and os.path.isfile(local):
        raise WorkspaceError(f"{out}: is a file; name a new folder for the export")
    if place.names():
        raise WorkspaceError(f"{out}: is not empty; name a new folder for the export")
    return place


def _target(to: str, *, reasoning: Reasoning | None, validation: float, template: str | None) -> Target:
    if to not in TARGETS:
        said = TARGETS.broken.get(to, f"no format '{to}'; choose one of {', '.join(TARGETS)}")
        raise PipelineError(f"export: {said}")
    target = TARGETS[to]
    if reasoning is not None and reasoning not in target.reasoning:
        offered = f"choose one of {', '.join(target.reasoning)}" if target.reasoning else "leave it out"
        raise PipelineError(f"export: '{to}' has no choice of --reasoning {reasoning}; {offered}")
    if not 0 <= validation < 1:
        raise PipelineError(f"export: --validation {validation:g} is no share; wanted 0 to below 1")
    if validation and not target.splits:
        raise PipelineError(f"export: '{to}' makes no validation split; leave --validation out")
    if to == "text" and reasoning == "field" and not template:
        raise PipelineError(
            "export: a text without a --template has no field for reasoning; choose inline or none"
        )
    if template and not target.reasoning:
        raise PipelineError(f"export: '{to}' has no reasoning to render; leave --template out")
    return target


def _fill(folder: Folder, release: Release, target: Target, *, to: str, options: Options) -> Export:
    skipped: Counter[str] = Counter()
    train, rows = _split(folder, release, target, to=to, options=options, skipped=skipped)
    if rows == 0:
        raise DataError(f"{release.url}: has no row for '{to}' (skipped: {dict(skipped) or 'none'})")
    held_out, held_out_rows = list[str](), 0
    if options.validation:
        other = replace(options, split="validation")
        held_out, held_out_rows = _split(folder, release, target, to=to, options=other, skipped=skipped)
        if held_out_rows == 0:
            raise DataError(f"{release.url}: no problem fell into the validation split; raise --validation")
    lost = options.template.lost if options.template else None
    if lost is not None and lost > _MOST_LOST and options.reasoning != "none":
        raise DataError(
            f"export: {lost:.1%} of the reasoning is lost in the given template, so the student would not "
            "learn to think; choose another --reasoning (inline, field, thinking), or none if that is meant"
        )
    written = Written(release, to, tuple(train), tuple(held_out), rows, held_out_rows, options.reasoning)
    beside = target.companions(written) if target.companions else {}
    for name, text in beside.items():
        folder.write_text(name, text)
    names = (*train, *held_out, *beside)
    verdicts = dict(sorted(options.verdicts.items()))
    return Export(names, rows + held_out_rows, dict(skipped), verdicts, held_out_rows, reasoning_lost=lost)


def _split(
    folder: Folder, release: Release, target: Target, *, to: str, options: Options, skipped: Counter[str]
) -> tuple[list[str], int]:
    rows, schema = target.rows(release, options, skipped), target.schema
    if options.reasoning == "thinking":
        rows, schema = (renamed(row) for row in rows), renamed_schema(schema)
    if options.template is not None and to != "text":
        rows = options.template.watched(rows)
    return write_rows(folder, rows, form=target.form, schema=schema, name=to, split=options.split)


_FIELDS: tuple[Reasoning, ...] = ("field", "inline", "thinking", "none")
_INLINE: tuple[Reasoning, ...] = ("inline", "none")


def _described(layout: str) -> pa.Schema:
    return pa.schema([*LAYOUTS[layout].schema, *ORIGIN])


def _ours(name: str, form: Form, schema: pa.Schema, rows: Rows, places: tuple[Reasoning, ...] = ()) -> Target:
    return Target(form, schema, rows, companions(name), places, splits=True)


def _chat(
    name: str, layout: str, form: Form, places: tuple[Reasoning, ...], *, origin: bool = True
) -> Target:
    schema = _described(layout) if origin else LAYOUTS[layout].schema
    return _ours(name, form, schema, by_row(layout, origin=origin), places)


_INLINE_FIRST: tuple[Reasoning, ...] = ("inline", "field", "none")
_OURS: Mapping[str, Target] = {
    "am": _ours("am", "parquet", LAYOUTS["am"].schema, by_row("am")),
    "light-r1": _ours("light-r1", "json", LAYOUTS["light-r1"].schema, by_row("light-r1")),
    "light-r1-dpo": _ours("light-r1-dpo", "json", LIGHT_R1_DPO_SCHEMA, export_rows.light_r1_dpo),
    "trl-sft": _chat("trl-sft", "trl-sft", "parquet", _FIELDS),
    "trl-sft-completion": _chat("trl-sft-completion", "trl-sft-completion", "parquet", _FIELDS),
    "trl-dpo": _ours("trl-dpo", "parquet", TRL_DPO_SCHEMA, export_rows.trl_dpo, _FIELDS),
    "trl-kto": _ours("trl-kto", "parquet", KTO_SCHEMA, export_rows.kto, _FIELDS),
    "trl-grpo": _ours("trl-grpo", "parquet", GRPO_SCHEMA, export_rows.grpo),
    "verl": _ours("verl", "parquet", VERL_SCHEMA, export_rows.verl),
    "axolotl": _chat("axolotl", "axolotl", "jsonl", _FIELDS),
    "llamafactory": _chat("llamafactory", "llamafactory", "json", _INLINE),
    "ms-swift": _chat("ms-swift", "trl-sft", "jsonl", _INLINE_FIRST),
    "openrlhf": _chat("openrlhf", "trl-sft", "jsonl", _INLINE_FIRST),
    "torchtune": _chat("torchtune", "trl-sft", "jsonl", _INLINE),
    "openai": _chat("openai", "trl-sft", "jsonl", _INLINE, origin=False),
    "text": _ours(
        "text", "jsonl", pa.schema([("text", pa.string()), *ORIGIN]), export_rows.texts, _INLINE_FIRST
    ),
}
TARGETS: Catalogue[Target] = Catalogue(
    "factory.exports",
    _OURS,
    wanted="a factory.release.export.Target",
    fault=lambda name, thing: None if isinstance(thing, Target) else f"{thing!r} is no Target",
)
"""The formats by name."""
