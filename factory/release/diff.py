"""What changed between two releases: rows by id, and settings by name."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from factory.release.versions import Release
from factory.storage.tables import read_batches, read_schema

__all__ = ["ReleaseDiff", "diff_releases"]


@dataclass(frozen=True, slots=True)
class ReleaseDiff:
    """From one release to another. Rows go by `completion_id`, or by `id` where nothing was sampled."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    """Ids in both whose values differ."""
    columns: Mapping[str, int]
    """How many of the changed rows have another value in the column, the most first."""
    unchanged: int
    removed_because: Mapping[str, int]
    """How many of the removed rows the newer release lists as rejected, by `step: reason`."""
    settings: tuple[tuple[str, Any, Any], ...]
    """Setting, its old value, its new value; null: not there."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, as a machine reads them."""
        return {
            "added": list(self.added),
            "removed": list(self.removed),
            "changed": list(self.changed),
            "columns": dict(self.columns),
            "unchanged": self.unchanged,
            "removed_because": dict(self.removed_because),
            "settings": [{"setting": s, "old": old, "new": new} for s, old, new in self.settings],
        }


def diff_releases(old: Release, new: Release) -> ReleaseDiff:
    """Compares two releases; holds one id and one hash per row in memory."""
    before, after = _digests(old), _digests(new)
    removed = sorted(before.keys() - after.keys())
    both = before.keys() & after.keys()
    changed = sorted(row for row in both if before[row][1] != after[row][1])
    return ReleaseDiff(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(removed),
        changed=tuple(changed),
        columns=_changed_columns(old, new, frozenset(changed)),
        unchanged=len(both) - len(changed),
        removed_because=_why_removed(new, {row: before[row][0] for row in removed}),
        settings=tuple(_changed_settings(old.manifest, new.manifest)),
    )


def _key(schema: pa.Schema) -> str:
    return "completion_id" if "completion_id" in schema.names else "id"


def _digests(release: Release) -> dict[str, tuple[str, bytes]]:
    """By row id: the id of its problem, and a hash of its values."""
    found: dict[str, tuple[str, bytes]] = {}
    for path in release.tables("rows/"):
        for batch in read_batches(path):
            key = _key(batch.schema)
            for row in batch.to_pylist():
                found[row[key]] = (row["id"], _row_digest(row))
    return found


def _changed_columns(old: Release, new: Release, changed: frozenset[str]) -> dict[str, int]:
    """Reads the changed rows again; holds a hash of each of their values in memory."""
    counts: Counter[str] = Counter()
    before = dict(_values(old, changed)) if changed else {}
    for row, now in _values(new, changed) if changed else ():
        was = before[row]
        counts.update(name for name in was.keys() | now.keys() if was.get(name) != now.get(name))
    return dict(counts.most_common())


def _values(release: Release, wanted: frozenset[str]) -> Iterator[tuple[str, dict[str, bytes]]]:
    for path in release.tables("rows/"):
        for batch in read_batches(path):
            key = _key(batch.schema)
            for row in batch.to_pylist():
                if row[key] in wanted:
                    yield (
                        row[key],
                        {name: _row_digest({name: value}) for name, value in row.items()},
                    )


def _row_digest(row: Mapping[str, Any]) -> bytes:
    text = json.dumps(row, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).digest()


def _why_removed(new: Release, removed: Mapping[str, str]) -> dict[str, int]:
    """Looks rows up by their own id, and those of a problem that was cut before sampling by the problem's."""
    rows_of = {"completion_id": Counter(removed.keys()), "id": Counter(removed.values())}
    counts: Counter[str] = Counter()
    for path in new.tables("rejected/") if removed else ():
        key = _key(read_schema(path))
        for batch in read_batches(path, columns=[key, "step", "reason"]):
            for row in batch.to_pylist():
                if lost := rows_of[key][row[key]]:
                    counts[f"{row['step']}: {row['reason']}"] += lost
    return dict(counts.most_common())


def _changed_settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    before, after = _all_settings(old), _all_settings(new)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield name, before.get(name), after.get(name)


def _all_settings(manifest: Mapping[str, Any]) -> dict[str, Any]:
    steps = {row["setting"]: row["value"] for row in manifest["settings"]}
    return steps | {f"release.{name}": value for name, value in manifest["release"].items()}
