"""A stage placed in a pipeline: its fingerprint, its folder, and what that folder proves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from factory.core import REJECTION_COLUMNS, PipelineError, Resources, Site, Stage, StageError, fingerprint
from factory.storage.files import exists, join, list_names, read_json, write_json
from factory.storage.folders import remove
from factory.storage.tables import read_table

__all__ = ["Step", "make_steps", "part_name"]


def part_name(shard: int) -> str:
    """File name of a shard: `part-00003.parquet`."""
    return f"part-{shard:05d}.parquet"


@dataclass(frozen=True)
class Step:
    """One stage at its place. The folder's content is the only record of progress."""

    index: int
    stage: Stage
    fingerprint: str
    upstream: str | None
    schema_in: pa.Schema
    schema: pa.Schema
    """Schema of the kept rows."""
    folder: str
    input_folder: str | None
    site: Site

    @property
    def name(self) -> str:
        """The step's name in the pipeline."""
        return self.stage.step_name

    @property
    def label(self) -> str:
        """How messages name the step: `step 4 'length'` (1-based)."""
        return f"step {self.index + 1} '{self.name}'"

    @property
    def rejected_schema(self) -> pa.Schema:
        """Schema of the rejected rows: the columns that came in, those added, then reason and evidence."""
        given = set(self.schema_in.names)
        added = [f for f in self.schema if f.name not in given]
        return pa.schema([*self.schema_in, *added, *REJECTION_COLUMNS])

    def kept_url(self, shard: int) -> str:
        """Parquet file of a shard's kept rows."""
        return join(self.folder, "shards", part_name(shard))

    def rejected_url(self, shard: int) -> str:
        """Parquet file of a shard's rejected rows."""
        return join(self.folder, "rejected", part_name(shard))

    def sister_url(self, name: str, shard: int) -> str:
        """Parquet file of what stands beside a shard's kept rows."""
        return join(self.folder, "sisters", name, part_name(shard))

    def receipt_url(self, shard: int) -> str:
        """JSON file whose presence says that the shard is done."""
        return join(self.folder, "receipts", f"{shard:05d}.json")

    def survey_url(self, shard: int) -> str:
        """What a global stage saw of a shard."""
        return join(self.folder, "surveys", part_name(shard))

    @property
    def decision_url(self) -> str:
        """What a global stage decided over all shards."""
        return join(self.folder, "decision.parquet")

    @property
    def manifest_url(self) -> str:
        """JSON file whose presence says that the step is done."""
        return join(self.folder, "manifest.json")

    def receipts_done(self) -> set[int]:
        """Shards whose receipt exists."""
        return {int(n.removesuffix(".json")) for n in list_names(join(self.folder, "receipts"))}

    def surveys_done(self) -> set[int]:
        """Shards whose survey exists."""
        return {int(n[5:10]) for n in list_names(join(self.folder, "surveys"))}

    def manifest(self) -> dict[str, Any] | None:
        """The finished step's manifest, or null while it is not finished."""
        if not exists(self.manifest_url):
            return None
        found: dict[str, Any] = read_json(self.manifest_url)
        if found["fingerprint"] != self.fingerprint:
            raise PipelineError(
                f"{self.folder}: holds another step's rows; move the folder away and run again"
            )
        return found

    def describe(self) -> dict[str, Any]:
        """The stage as run: what `step.json` holds."""
        return {
            "step": self.name,
            "index": self.index,
            "type": self.stage.type,
            "version": self.stage.version,
            "fingerprint": self.fingerprint,
            "upstream": self.upstream,
            "fields": self.stage.identity(),
        }

    def announce(self) -> None:
        """Writes `step.json` once."""
        url = join(self.folder, "step.json")
        if not exists(url):
            write_json(url, self.describe())

    def fault(self, receipts: Iterable[Mapping[str, Any]]) -> str | None:
        """Why a step whose shards are all done is no result; null where it is one."""
        total = sum_receipts(list(receipts))
        return self.stage.fault(
            total["spent"], (read_table(self.kept_url(n)) for n in range(total["shards"]))
        )

    def forget(self) -> None:
        """Removes all that was done, the receipts first, so that it is done again."""
        remove(join(self.folder, "receipts"))
        remove(self.folder)

    def seal(self, receipts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Writes the manifest, the sum of the receipts: from then on the step is done.

        Raises:
            StageError: the step as a whole is no result.
        """
        receipts = sorted(receipts, key=lambda r: int(r["shard"]))
        if fault := self.fault(receipts):
            raise StageError(f"{self.label}: {fault}")
        manifest = self.describe() | sum_receipts(receipts)
        manifest["report"] = self.stage.report(self.site)
        if exists(self.decision_url):
            metadata = read_table(self.decision_url, columns=[]).schema.metadata or {}
            manifest["report"] = _parsed(metadata.get(b"report"))
        write_json(self.manifest_url, manifest)
        return manifest


def _parsed(content: bytes | None) -> Any:
    return None if content is None else json.loads(content)


def sum_receipts(receipts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The counts of a step: rows, reasons, cost, files with their SHA-256."""
    reasons: Counter[str] = Counter()
    spent: Counter[str] = Counter()
    for receipt in receipts:
        reasons.update(receipt["reasons"])
        spent.update(receipt["spent"])
    return {
        "shards": len(receipts),
        "rows_in": sum(r["rows_in"] for r in receipts),
        "rows_expected": sum(r["rows_expected"] for r in receipts),
        "rows_kept": sum(r["kept"]["rows"] for r in receipts),
        "rows_rejected": sum(r["rejected"]["rows"] for r in receipts),
        "reasons": dict(sorted(reasons.items())),
        "spent": dict(sorted(spent.items())),
        "seconds": round(sum(r["seconds"] for r in receipts), 3),
        "files": [{k: r[k] for k in ("shard", "kept", "rejected", "sisters") if k in r} for r in receipts],
    }


def make_steps(
    stages: Sequence[Stage],
    *,
    resources: Mapping[str, Resources],
    root: str,
    workspace: str,
    run_id: str = "",
    journal_url: str | None = None,
) -> list[Step]:
    """Places stages one behind the other below `<root>/steps`. Reads the inputs' digests, runs nothing.

    `journal_url` is where completions are kept; null: below the root.
    """
    steps: list[Step] = []
    schema = pa.schema([])
    upstream: str | None = None
    for index, stage in enumerate(stages):
        given, schema = schema, stage.schema_out(schema)
        mark = fingerprint(stage, upstream=upstream)
        site = Site(
            resources=resources.get(stage.step_name, Resources()),
            cache_url=join(workspace, ".cache"),
            journal_url=journal_url or join(root, "journal"),
            run_id=run_id,
            step=mark,
        )
        step = Step(
            index=index,
            stage=stage,
            fingerprint=mark,
            upstream=upstream,
            schema_in=given,
            schema=schema,
            folder=join(root, "steps", f"{index + 1:02d}-{stage.step_name}-{mark[:8]}"),
            input_folder=steps[-1].folder if steps else None,
            site=site,
        )
        steps.append(step)
        upstream = mark
    return steps
