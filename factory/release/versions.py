"""The versions of a release: which there are, what each holds, and whether its bytes are still the same."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from factory.core import DamagedFile, DataError
from factory.release.store import Folder
from factory.storage.files import read_bytes, sha256

__all__ = [
    "MANIFEST",
    "Release",
    "delete_release",
    "last_number",
    "list_releases",
    "note_number",
    "open_release",
    "verify_release",
    "version_number",
]

MANIFEST = "manifest.json"
CARD = "README.md"
_LAST = "last_version.json"
_VERSION = re.compile(r"v(\d{4,})")


@dataclass(frozen=True, slots=True)
class Release:
    """One version: immutable from the moment its manifest exists."""

    url: str
    """Folder of the version, a local path or fsspec URL."""
    version: str
    """`v0001`, `v0002`, ..."""
    manifest: Mapping[str, Any]
    created: bool = False
    """Whether the call that returned it made it; false when it was there before."""

    @property
    def fingerprint(self) -> str:
        """Identity of the content: lineage, settings and the bytes of the rows."""
        return str(self.manifest["fingerprint"])

    @property
    def rows(self) -> int:
        """Released rows."""
        return int(self.manifest["counts"]["rows"])

    @property
    def paths(self) -> list[str]:
        """Every file of the version, the manifest last."""
        return [*(entry["path"] for entry in self.manifest["files"]), MANIFEST]

    def frame(self, part: Literal["rows", "data", "rejected"] = "rows") -> pl.LazyFrame:
        """The rows of one part as a Polars frame, read when it is collected.

        `rows` has every column of the factory, `data` the released layout, `rejected` what was cut and why.
        """
        return pl.scan_parquet(self.tables(f"{part}/"), missing_columns="insert", extra_columns="ignore")

    def tables(self, below: str) -> list[str]:
        """Full paths of the Parquet files in one part: `data/`, `rows/` or `rejected/`."""
        return [
            f"{self.url}/{entry['path']}"
            for entry in self.manifest["files"]
            if entry["path"].startswith(below) and entry["path"].endswith(".parquet")
        ]


def version_number(name: str) -> int | None:
    """The number in `v0001`, null for any other name."""
    match = _VERSION.fullmatch(name)
    return int(match.group(1)) if match else None


def last_number(root: str) -> int:
    """The highest number that a version below a releases folder ever had; 0 where there was none.

    A version that was deleted keeps its number: nobody who holds it elsewhere meets another under its name.
    """
    folder = Folder(root)
    there = [version_number(name) or 0 for name in folder.names() if folder.exists(f"{name}/{MANIFEST}")]
    try:
        kept = int(folder.read_json(_LAST)["version"]) if folder.exists(_LAST) else 0
    except (DamagedFile, LookupError, TypeError, ValueError):
        kept = 0  # what is there still counts
    return max([*there, kept])


def note_number(root: str, number: int) -> None:
    """Writes down that a version has this number, whatever becomes of its folder."""
    Folder(root).write_text(_LAST, json.dumps({"version": number}) + "\n")


def delete_release(release: Release) -> None:
    """Removes a version; its number is not given again."""
    root = release.url.rstrip("/").rsplit("/", 1)[0]
    note_number(root, last_number(root))
    Folder(release.url).remove()


def list_releases(root: str, *, damaged: Literal["raise", "skip"] = "raise") -> list[Release]:
    """All finished versions below a releases folder, oldest first; an unfinished one is not there yet.

    One whose manifest is damaged is a DamagedFile, or is left out.
    """
    folder = Folder(root)
    names = [name for name in folder.names() if version_number(name) is not None]
    found = [name for name in names if folder.exists(f"{name}/{MANIFEST}")]
    releases = []
    for name in sorted(found, key=lambda n: version_number(n) or 0):
        try:
            releases.append(open_release(f"{folder.url}/{name}"))
        except DamagedFile:
            if damaged == "raise":
                raise
    return releases


def open_release(url: str) -> Release:
    """Opens one version by its folder, or the newest one below a releases folder.

    Raises:
        DataError: there is no finished release.
    """
    folder = Folder(url)
    if folder.exists(MANIFEST):
        manifest = folder.read_json(MANIFEST)
        if not isinstance(manifest, dict) or not {"version", "fingerprint", "files"} <= manifest.keys():
            raise DamagedFile(f"{folder.path(MANIFEST)}: is no manifest; run again for another version")
        return Release(folder.url, str(manifest["version"]), manifest)
    versions = [name for name in folder.names() if version_number(name) is not None]
    done = [name for name in versions if folder.exists(f"{name}/{MANIFEST}")]
    if not done:
        raise DataError(f"{url}: holds no finished release; name a folder like .../releases/v0001")
    return open_release(f"{folder.url}/{max(done, key=lambda name: version_number(name) or 0)}")


def verify_release(release: Release) -> list[str]:
    """Reads every file again and compares its SHA-256; one sentence per fault, none when all is well.

    Of the card its generated part counts: a note or a citation below it is no fault.
    """
    folder = Folder(release.url)
    there = set(folder.files())
    faults = []
    for entry in release.manifest["files"]:
        path = entry["path"]
        if path not in there:
            faults.append(f"{path}: is missing")
        elif sha256(folder.path(path)) != entry["sha256"] and not _is_card_with_notes(folder, entry):
            faults.append(f"{path}: its bytes are not the ones that were released")
    faults.extend(f"{path}: is not part of the release" for path in sorted(there - set(release.paths)))
    return faults


def _is_card_with_notes(folder: Folder, entry: Mapping[str, Any]) -> bool:
    if entry["path"] != CARD:
        return False
    generated = read_bytes(folder.path(CARD))[: entry["bytes"]]
    return hashlib.sha256(generated).hexdigest() == str(entry["sha256"])
