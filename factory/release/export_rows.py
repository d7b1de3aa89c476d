"""The rows of an export: what of a release a format takes, shaped for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from factory.core import DataError
from factory.core.choice import draw
from factory.release.layouts import LAYOUTS
from factory.release.pairs import Pick, judged, kto_row, light_r1_pair, pairs, trl_pair
from factory.release.problems import grpo_row, verl_row
from factory.release.reasoning import Reasoning, Template, placed
from factory.release.release_gate import is_truncated, is_unanswered
from factory.release.spec import UNVERIFIED
from factory.release.versions import Release
from factory.storage.tables import read_batches

__all__ = ["ORIGIN", "Options", "Rows", "by_row", "grpo", "kto", "light_r1_dpo", "texts", "trl_dpo", "verl"]

ORIGIN = pa.schema([("id", pa.string()), ("source", pa.string()), ("license", pa.string())])
"""Columns that say where a row comes from, in formats whose trainers pass over what they do not know."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the person who exports has chosen, and the split that is being written."""

    chosen: Pick = "first"
    rejected: Pick = "first"
    seed: int = 0
    allow_truncated: bool = False
    verdicts: Counter[str] = field(default_factory=Counter)
    """Counts what is exported while it passes."""
    reasoning: Reasoning = "field"
    validation: float = 0.0
    """Share of problems, between 0 and 1, whose rows form the validation split."""
    split: Literal["train", "validation"] = "train"
    template: Template | None = None

    def takes(self, problem: str) -> bool:
        """Whether a problem's rows belong to the split; all rows of a problem fall on one side."""
        is_held_out = draw(self.seed, f"validation:{problem}") < self.validation * 2**64
        return is_held_out == (self.split == "validation")


Rows = Callable[[Release, Options, Counter[str]], Iterator[dict[str, Any]]]
"""The rows of a release in a schema; what the format cannot take is counted by reason."""


def _released(release: Release, options: Options, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    for path in release.tables("rows/"):
        for batch in read_batches(path):
            cut_short, empty = is_truncated(batch).to_pylist(), is_unanswered(batch).to_pylist()
            for row, short, blank in zip(batch.to_pylist(), cut_short, empty, strict=True):
                if not options.takes(row["id"]):
                    continue
                if short and not options.allow_truncated:
                    skipped["truncated"] += 1
                elif blank and not short:
                    skipped["no_answer"] += 1
                else:
                    yield row


def by_row(layout_name: str, *, origin: bool = False) -> Rows:
    """One row per completion in a layout, with the columns of `ORIGIN` where asked."""
    layout = LAYOUTS[layout_name]

    def rows(release: Release, options: Options, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
        for row in _released(release, options, skipped):
            if "content" not in row:
                raise DataError(f"{release.url}: '{layout_name}' needs completions; add a 'sample' step")
            if not layout.fits(row["prompt"] or ()):
                skipped["layout_unfit"] += 1
                continue
            options.verdicts[row.get("verdict") or UNVERIFIED] += 1
            beside = {name: row.get(name) for name in ORIGIN.names} if origin else {}
            yield layout.shape(placed(row, options.reasoning)) | beside

    return rows


def texts(release: Release, options: Options, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    """One text per completion: by the student's template, or the turns one below the other."""
    for row in by_row("trl-sft", origin=True)(release, options, skipped):
        messages = row.pop("messages")
        if options.template is not None:
            yield {"text": options.template.render(messages), **row}
        else:
            yield {"text": "\n\n".join(turn["content"] for turn in messages), **row}


def _problems(release: Release, options: Options, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    """Each problem once, whatever became of its completions; one that nothing can judge is skipped."""
    seen: set[str] = set()
    for path in release.tables("rows/"):
        for batch in read_batches(path):
            for row in batch.to_pylist():
                if row["id"] in seen or not options.takes(row["id"]):
                    continue
                seen.add(row["id"])
                if row["reference"] is None and row["tests"] is None:
                    skipped["no_ground_truth"] += 1
                    continue
                yield row


def grpo(release: Release, options: Options, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    """Problems for TRL's GRPOTrainer."""
    return (grpo_row(row) for row in _problems(release, options, skipped))


def verl(release: Release, options: Options, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    """Problems for verl."""
    found = enumerate(_problems(release, options, skipped))
    return (verl_row(row, index=index, split=options.split) for index, row in found)


def _pairs(release: Release, options: Options) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    found = pairs(release, chosen=options.chosen, rejected=options.rejected, seed=options.seed)
    for right, wrong in found:
        if options.takes(right["id"]):
            yield placed(right, options.reasoning), placed(wrong, options.reasoning)


def trl_dpo(release: Release, options: Options, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    """Pairs for TRL's DPOTrainer."""
    return (trl_pair(pair) for pair in _pairs(release, options))


def light_r1_dpo(release: Release, options: Options, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    """Pairs for LLaMA-Factory's ranking."""
    for pair in _pairs(release, options):
        if LAYOUTS["light-r1"].fits(pair[0]["prompt"]):
            yield light_r1_pair(pair)
        else:
            skipped["layout_unfit"] += 1


def kto(release: Release, options: Options, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    """Completions for TRL's KTOTrainer, each with a label of its own."""
    for row in judged(release):
        if options.takes(row["id"]):
            options.verdicts[row["verdict"]] += 1
            yield kto_row(placed(row, options.reasoning))
