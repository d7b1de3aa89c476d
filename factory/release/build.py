"""Makes one version of a release out of finished steps: whole, or not at all."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from factory.core import DataError, PipelineError, WorkspaceError
from factory.release.card import card
from factory.release.conservation import check_digests, check_files, check_steps
from factory.release.credentials import without_credentials, yaml_without_credentials
from factory.release.describe import FORMAT, describe, lineage, release_fingerprint
from factory.release.release_gate import check_columns
from factory.release.release_stats import Tally
from factory.release.report import report
from factory.release.shards import RELEASE_STEP, copy_rejected, copy_side_tables, write_rows
from factory.release.spec import UNVERIFIED, FinishedStep, ReleaseSpec
from factory.release.store import File, Folder
from factory.release.versions import (
    MANIFEST,
    Release,
    last_number,
    list_releases,
    note_number,
    version_number,
)
from factory.storage.folders import rename_folder
from factory.storage.tables import read_schema
from factory.version import __version__

__all__ = ["build_release"]

_ASIDE = ".building-"


def build_release(
    spec: ReleaseSpec,
    steps: Sequence[FinishedStep],
    *,
    root: str,
    pipeline_name: str,
    pipeline_yaml: str,
    provenance: Mapping[str, str] | None = None,
    reports: Mapping[str, Any] | None = None,
    created: datetime | None = None,
) -> Release:
    """Builds the next version below `root`, or returns the version that holds this very content already.

    On a disk the version is written beside its place, synced, and renamed once; on an object store its
    `manifest.json` is written last, and a folder without one is no version. What a crash leaves behind is
    removed by the next build, so one build at a time may work on a root: the caller holds that lease.

    Args:
        spec: the `release:` block.
        steps: all steps of the pipeline in order, each finished.
        root: the releases folder, a local path or fsspec URL.
        pipeline_name: name of the pipeline.
        pipeline_yaml: the pipeline file as it was run; credentials in it are left out.
        provenance: where values come from, by `stages.STEP.FIELD`.
        reports: more that a step has to say than its manifest, by step name, for example the coverage of a
            decontamination; it must follow from the step's identity.
        created: time written into the manifest; null: now.

    Raises:
        PipelineError: the last step's columns cannot make the layout.
        RowsLost: rows vanished somewhere in the pipeline.
        DataError: no row is left, or a file is missing or broken.
        WorkspaceError: the folder cannot be written.
    """
    _check(spec, steps)
    name = spec.name or pipeline_name
    origins = dict(provenance or {})
    identity = release_fingerprint(spec, steps, name=name, provenance=origins)
    for release in list_releases(root, damaged="skip"):
        if release.fingerprint == identity:
            return release
    check_digests(steps)
    check_files(steps)
    check_columns(spec, read_schema(steps[-1].parts("kept")[0][0]))
    folder, version = _begin(root)
    head = {"format": FORMAT, "version": version, "fingerprint": identity, "created": _time(created)}
    try:
        manifest = _fill(
            folder,
            {**head, "factory_version": __version__, "name": name, "pipeline": pipeline_name},
            spec=spec,
            steps=steps,
            provenance=origins,
            reports=reports or {},
            yaml=pipeline_yaml,
        )
    except BaseException:
        folder.remove()
        raise
    return _commit(root, folder, version, manifest=manifest)


def _time(moment: datetime | None) -> str:
    return (moment or datetime.now(UTC)).isoformat(timespec="seconds")


def _fill(
    folder: Folder,
    head: Mapping[str, Any],
    *,
    spec: ReleaseSpec,
    steps: Sequence[FinishedStep],
    provenance: Mapping[str, str],
    reports: Mapping[str, Any],
    yaml: str,
) -> dict[str, Any]:
    """Writes every file, the manifest last, and gives the manifest."""
    tally = Tally()
    files, held_back = _write_tables(folder, spec, steps, tally=tally)
    found = describe(
        spec=spec, steps=steps, tally=tally, held_back=held_back, provenance=provenance, reports=reports
    )
    manifest: dict[str, Any] = without_credentials({**head, **found})
    files += [
        folder.write_text("lineage.json", _json(without_credentials(lineage(steps)))),
        folder.write_text("pipeline.yaml", yaml_without_credentials(yaml)),
        folder.write_text("README.md", card(manifest, files=files, schemas=_part_schemas(folder, files))),
        folder.write_text(
            "report.html", report(manifest, samples=tally.samples, rejected=tally.rejected_samples)
        ),
    ]
    manifest["files"] = [file.to_json() for file in sorted(files, key=lambda file: file.path)]
    folder.write_text(MANIFEST, _json(manifest))
    return manifest


def _check(spec: ReleaseSpec, steps: Sequence[FinishedStep]) -> None:
    if not steps:
        raise PipelineError("release: there is no finished step to release; run the pipeline first")
    if any(step.name == RELEASE_STEP for step in steps):
        raise PipelineError(f"release: a step is named '{RELEASE_STEP}', which is taken; name it otherwise")
    check_steps(steps)
    if steps[-1].manifest["rows_kept"] == 0:
        _nothing_left([(step.name, step.manifest["reasons"]) for step in steps])


def _nothing_left(reasons: Sequence[tuple[str, Mapping[str, int]]]) -> None:
    counted = [(count, step, word) for step, found in reasons for word, count in found.items()]
    most = ", ".join(f"{word} {count} ('{step}')" for count, step, word in sorted(counted, reverse=True)[:3])
    raise DataError(
        f"release: no row is left to release; most were cut as {most or 'nothing: the source is empty'}"
        f"{_cure(reasons)}"
    )


def _cure(reasons: Sequence[tuple[str, Mapping[str, int]]]) -> str:
    """What to write where the release itself held rows back for their verdict."""
    own = {word for step, found in reasons if step == RELEASE_STEP for word in found}
    words = [
        word.removeprefix("verdict_") for word in sorted(own) if word == UNVERIFIED or "verdict_" in word
    ]
    return f"; `release: {{verdicts: [{', '.join(words)}]}}` would release them" if words else ""


def _begin(root: str) -> tuple[Folder, str]:
    """Clears what crashed builds left, and opens a folder for the next version."""
    parent = Folder(root)
    for entry in parent.names():
        number = version_number(entry)
        if entry.startswith(_ASIDE) or (number and not parent.exists(f"{entry}/{MANIFEST}")):
            parent.remove(entry)
    version = f"v{last_number(root) + 1:04d}"
    aside = f"{_ASIDE}{version}-{uuid.uuid4().hex[:8]}" if parent.is_local else version
    return parent.child(aside), version


def _write_tables(
    folder: Folder, spec: ReleaseSpec, steps: Sequence[FinishedStep], *, tally: Tally
) -> tuple[list[File], Mapping[str, int]]:
    schema = read_schema(steps[-1].parts("kept")[0][0])
    files, held_back = write_rows(folder, steps[-1], spec=spec, schema=schema, tally=tally)
    if tally.rows == 0:
        _nothing_left([(RELEASE_STEP, held_back)])
    rows = [file for file in files if file.path.startswith("rows/")]
    files += copy_rejected(folder, steps, spec=spec, tally=tally)
    return files + copy_side_tables(folder, steps, spec=spec, rows=rows), held_back


def _part_schemas(folder: Folder, files: Sequence[File]) -> dict[str, pa.Schema]:
    """The schema of each part (`data`, `rows`, `rejected/STEP`, side_tables), by its first file."""
    found: dict[str, pa.Schema] = {}
    for file in files:
        part = file.path.rsplit("/", 1)[0]
        if part not in found:
            found[part] = read_schema(f"{folder.url}/{file.path}")
    return found


def _commit(root: str, folder: Folder, version: str, *, manifest: Mapping[str, Any]) -> Release:
    parent = Folder(root)
    url = f"{parent.url}/{version}"
    if folder.is_local:
        if parent.exists(version):
            folder.remove()
            raise WorkspaceError(f"{url}: was made meanwhile by another run; run again")
        rename_folder(folder.path(), parent.path(version))
    note_number(root, version_number(version) or 0)
    return Release(url, version, manifest, created=True)


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n"
