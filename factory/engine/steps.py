"""A stage placed in a pipeline: its fingerprint, its folder, and what that folder proves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from factory.core import (
    REJECTION_COLUMNS,
    DamagedFile,
    DataError,
    PipelineError,
    Resources,
    Site,
    Stage,
    StageError,
    fingerprint,
)
from factory.storage.files import join, read_json, read_signed, write_json, write_signed
from factory.storage.folders import remove
from factory.storage.lease import Lease
from factory.storage.step_layout import StepLayout
from factory.storage.tables import check_digest, read_table, read_table_as_written

__all__ = ["Step", "make_steps"]


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

    @property
    def files(self) -> StepLayout:
        """Where its files lie."""
        return StepLayout(self.folder)

    @property
    def input_files(self) -> StepLayout:
        """Where the files of the step before lie."""
        return StepLayout(self.input_folder or "")

    def manifest(self) -> dict[str, Any] | None:
        """The finished step's manifest, or null while it is not finished or where the file is damaged."""
        try:
            found = read_signed(self.files.manifest_url)
        except DamagedFile:
            return None
        if found["fingerprint"] != self.fingerprint:
            raise PipelineError(
                f"{self.folder}: holds another step's rows; move the folder away and run again"
            )
        return found

    def held(self, held: Lease) -> Step:
        """The step of the run that holds the folder."""
        return replace(self, site=replace(self.site, lease_url=held.url, generation=held.generation))

    def describe(self) -> dict[str, Any]:
        """The stage as run: what `step.json` holds."""
        return {
            "step": self.name,
            "index": self.index,
            "type": self.stage.type,
            "role": self.stage.role,
            "version": self.stage.version,
            "fingerprint": self.fingerprint,
            "upstream": self.upstream,
            "fields": self.stage.identity(),
        }

    def announce(self) -> None:
        """Writes `step.json` where it is not there as it must be."""
        try:
            if read_json(self.files.description_url) == self.describe():
                return
        except DataError:
            pass
        write_json(self.files.description_url, self.describe())

    def fault(self, receipts: Iterable[Mapping[str, Any]]) -> str | None:
        """Why a step whose shards are all done is no result; null where it is one."""
        receipts = sorted(receipts, key=lambda r: int(r["shard"]))
        kept = ((self.files.rows_url("kept", int(r["shard"])), str(r["kept"]["sha256"])) for r in receipts)
        return self.stage.fault(
            sum_receipts(receipts)["spent"], (read_table_as_written(url, digest) for url, digest in kept)
        )

    def forget(self) -> None:
        """Removes all that was done, the receipts first, so that it is done again."""
        remove(self.files.receipts_folder)
        remove(self.folder)

    def seal(self, receipts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Writes the manifest, the sum of the receipts: from then on the step is done.

        Raises:
            StageError: the step as a whole is no result.
            DamagedFile: a file that it reads is not as it was written.
        """
        receipts = sorted(receipts, key=lambda r: int(r["shard"]))
        if fault := self.fault(receipts):
            raise StageError(f"{self.label}: {fault}")
        manifest = self.describe() | sum_receipts(receipts)
        manifest["report"] = self.stage.report(self.site)
        if digest := next((r["decision"] for r in receipts if "decision" in r), None):
            check_digest(self.files.decision_url, digest)
            metadata = read_table(self.files.decision_url, columns=[]).schema.metadata or {}
            manifest["report"] = _parsed(metadata.get(b"report"))
        write_signed(self.files.manifest_url, manifest)
        return manifest


def _parsed(content: bytes | None) -> Any:
    return None if content is None else json.loads(content)


_PROOF = ("shard", "input", "decision", "kept", "rejected", "side_tables")
"""What a manifest keeps of a receipt: its files, and the digests of what they were made from."""


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
        "files": [{k: r[k] for k in _PROOF if k in r} for r in receipts],
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
