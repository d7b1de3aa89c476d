"""Earlier releases whose rows count as kept, so that a new version adds only what is new to them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from factory.core import DataError, PipelineError
from factory.storage.files import open_read, read_bytes

__all__ = ["EarlierRelease", "earlier_release"]

_BATCH_ROWS = 8192


@dataclass(frozen=True, slots=True)
class EarlierRelease:
    """One finished version of a dataset."""

    label: str
    """Name and version, as evidence names it: `quickstart/v0001`."""
    fingerprint: str
    """Identity of its content."""
    files: tuple[str, ...]
    """Paths or URLs of the Parquet files that hold its rows with all columns."""

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Its problems with these columns, each once per batch; columns that it lacks are null.

        Raises DataError for a file that cannot be read, or has no `id` and `prompt`.
        """
        for url in self.files:
            try:
                with open_read(url) as raw:
                    yield from _problems(pq.ParquetFile(raw), columns)
            except (OSError, KeyError, pa.ArrowInvalid) as error:
                raise DataError(
                    f"earlier release {self.label}: {url} cannot be read ({error}); fetch the release again"
                ) from error


def earlier_release(url: str) -> EarlierRelease:
    """Reads the manifest of a release folder (local or any fsspec URL); PipelineError when it is none."""
    base = url.rstrip("/")
    try:
        manifest: dict[str, Any] = json.loads(read_bytes(f"{base}/manifest.json"))
        label = f"{manifest['name']}/{manifest['version']}"
        fingerprint, files = str(manifest["fingerprint"]), manifest["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise PipelineError(
            f"'{url}' is no finished release ({type(error).__name__}: {reason}); name the folder of a "
            "version, such as releases/v0001, in `against`"
        ) from error
    paths = [str(f["path"]) for f in files]
    rows = tuple(f"{base}/{path}" for path in paths if path.startswith("rows/") and path.endswith(".parquet"))
    return EarlierRelease(label, fingerprint, rows)


def _problems(file: pq.ParquetFile, columns: Sequence[str]) -> Iterator[pa.Table]:
    there = [name for name in columns if name in file.schema_arrow.names]
    missing = {"id", "prompt"} - set(there)
    if missing:
        raise KeyError(f"no column {sorted(missing)[0]}")
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=there):
        table = pa.Table.from_batches([batch])
        first = np.unique(table["id"].to_numpy(), return_index=True)[1]
        table = table.take(pa.array(np.sort(first)))
        for name in columns:
            if name not in there:
                table = table.append_column(name, pa.nulls(table.num_rows, pa.string()))
        yield table
