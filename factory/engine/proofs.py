"""What a step's folder proves: receipts that are whole, of this very step and shard, and name what they used.

A receipt holds the SHA-256 of the files it stands for and of the file that its rows came from, so a chain of
receipts shows whether a shard still follows from what lies before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from factory.core import DamagedFile
from factory.engine.steps import Step
from factory.storage.files import read_signed
from factory.storage.step_layout import StepLayout
from factory.storage.tables import check_digest, read_table

__all__ = [
    "Receipts",
    "decision_receipt",
    "digest_of",
    "input_digest",
    "intact",
    "read_decision",
    "receipts",
    "survey_digests",
    "survey_receipts",
]

Receipts = dict[int, dict[str, Any]]
_READERS = 16
"""Threads that read small files: enough to hide the delay of an object store."""


def receipts(step: Step) -> tuple[Receipts, list[int]]:
    """The step's receipts that hold by themselves, by shard, and the shards of those that do not."""
    return _read(step, step.files.receipts_done(), step.files.receipt_url)


def survey_receipts(step: Step) -> tuple[Receipts, list[int]]:
    """The same of a global step's surveys."""
    return _read(step, step.files.surveys_done(), step.files.survey_receipt_url)


def decision_receipt(step: Step) -> dict[str, Any]:
    """The receipt of a global step's decision; DamagedFile where there is no whole one."""
    return _of(step.fingerprint, 0, step.files.decision_receipt_url)


def input_digest(step: Step, shard: int) -> str:
    """SHA-256 that the shard's kept rows of the step before must have."""
    found = _of(str(step.upstream), shard, step.input_files.receipt_url(shard))
    return str(found["kept"]["sha256"])


def survey_digests(step: Step, shards: int) -> list[str]:
    """SHA-256 of every shard's survey, by number; DamagedFile where one is not there."""

    def digest(shard: int) -> str:
        return str(_of(step.fingerprint, shard, step.files.survey_receipt_url(shard))["sha256"])

    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(digest, range(shards)))


def digest_of(digests: Iterable[str]) -> str:
    """One digest of many, in their order."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def read_decision(step: Step, shard: int) -> tuple[pa.Table, str]:
    """A shard's part of the decision, and the SHA-256 of all of it."""
    digest = str(decision_receipt(step)["sha256"])
    check_digest(step.files.decision_url, digest)
    return read_table(step.files.decision_url, where=("shard", shard)), digest


def intact(files: StepLayout, receipt: Mapping[str, Any]) -> bool:
    """Whether every file that a receipt stands for holds the bytes that were written; reads them all."""
    shard = int(receipt["shard"])
    wanted = {files.rows_url(side, shard): receipt[side] for side in ("kept", "rejected")}
    for name, written in receipt.get("side_tables", {}).items():
        wanted[files.side_table_url(name, shard)] = written
    return all(holds(url, written) for url, written in wanted.items())


def holds(url: str, written: Mapping[str, Any]) -> bool:
    """Whether a file holds the bytes that were written."""
    try:
        check_digest(url, str(written["sha256"]))
    except DamagedFile:
        return False
    return True


def _read(step: Step, shards: Iterable[int], url: Any) -> tuple[Receipts, list[int]]:
    def read(shard: int) -> tuple[int, dict[str, Any] | None]:
        try:
            return shard, _of(step.fingerprint, shard, url(shard))
        except DamagedFile:
            return shard, None

    with ThreadPoolExecutor(_READERS) as pool:
        found = dict(pool.map(read, shards))
    return {s: r for s, r in found.items() if r}, [s for s, r in found.items() if not r]


def _of(fingerprint: str, shard: int, url: str) -> dict[str, Any]:
    found = read_signed(url)
    if (found.get("step"), found.get("shard")) != (fingerprint, shard):
        raise DamagedFile(f"{url}: stands for another shard or step; run again to make it again")
    return found
