"""Embeddings kept on disk by the hash of their text, so that no text is embedded twice."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import fsspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from factory.embeddings.encode import Embedded, Embedder
from factory.embeddings.vectors import Vectors
from factory.text.normalise import HASH_BYTES, content_hash
from factory.text.strings import Texts

__all__ = ["EmbeddingCache", "embed_cached"]

Keys: TypeAlias = npt.NDArray[np.bytes_]


@dataclass(slots=True)
class EmbeddingCache:
    """Parquet files of (hash, int8 codes, scale, tail start) under `url/<model id>/`.

    `url` is a local folder or any fsspec URL. Files are only ever added, each under a name of its own and
    complete from its first moment, so any number of writers and readers may share a cache. Two writers may
    store the same text twice; the copies are alike and one of them is read. In memory stay 16 bytes per
    stored text, not the vectors.
    """

    url: str
    model_id: str
    _files: dict[str, Keys] = field(init=False, default_factory=dict)

    def lookup(self, hashes: pa.FixedSizeBinaryArray) -> tuple[npt.NDArray[np.bool_], Embedded | None]:
        """Which texts are stored, and their vectors in the order of the hashes; None when none is."""
        wanted = _keys(hashes)
        found = np.zeros(len(wanted), bool)
        places: list[npt.NDArray[np.int64]] = []
        parts: list[Embedded] = []
        for path, keys in self._listed().items():
            rows = np.flatnonzero(~found)
            order = np.argsort(keys)
            at = np.minimum(np.searchsorted(keys[order], wanted[rows]), keys.size - 1)
            hit = keys[order[at]] == wanted[rows]
            if hit.any():
                places.append(rows[hit])
                parts.append(self._read(path, order[at[hit]]))
                found[rows[hit]] = True
        if not parts:
            return found, None
        back = np.argsort(np.concatenate(places))
        vectors = Vectors.joined([p.vectors for p in parts]).select(back)
        return found, Embedded(vectors, np.concatenate([p.tail_start for p in parts])[back])

    def store(self, hashes: pa.FixedSizeBinaryArray, embedded: Embedded) -> None:
        """Adds vectors (int8) under the hashes of their texts: written aside, then renamed."""
        if len(hashes) == 0:
            return
        codes = np.ascontiguousarray(embedded.vectors.values)
        packed = pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(codes.shape[1]), len(hashes), [None, pa.py_buffer(codes.tobytes())]
        )
        columns = [hashes, packed, pa.array(embedded.vectors.scales), pa.array(embedded.tail_start)]
        table = pa.table(columns, names=["hash", "codes", "scale", "tail_start"])
        fs, root = self._folder()
        fs.makedirs(root, exist_ok=True)
        name = uuid.uuid4().hex
        with fs.open(f"{root}/.{name}.part", "wb") as file:
            pq.write_table(table, file, compression="zstd")
        fs.mv(f"{root}/.{name}.part", f"{root}/{name}.parquet")

    def _folder(self) -> tuple[Any, str]:
        fs, root = fsspec.core.url_to_fs(f"{self.url.rstrip('/')}/{self.model_id}")
        return fs, root

    def _listed(self) -> dict[str, Keys]:
        """The hashes of each file; only files not seen before are read."""
        fs, root = self._folder()
        fs.invalidate_cache(root)
        for path in sorted(fs.ls(root, detail=False)) if fs.isdir(root) else []:
            if path.endswith(".parquet") and path not in self._files:
                with fs.open(path, "rb") as file:
                    self._files[path] = _keys(pq.read_table(file, columns=["hash"])["hash"].combine_chunks())
        return self._files

    def _read(self, path: str, rows: npt.NDArray[np.int64]) -> Embedded:
        fs, _ = self._folder()
        with fs.open(path, "rb") as file:
            taken = pq.read_table(file, columns=["codes", "scale", "tail_start"]).take(pa.array(rows))
        codes = taken["codes"].combine_chunks()
        width = codes.type.byte_width
        values = np.frombuffer(codes.buffers()[1], np.int8, len(codes) * width, codes.offset * width)
        scales, tails = taken["scale"].to_numpy(), taken["tail_start"].to_numpy()
        return Embedded(Vectors(values.reshape(-1, width), scales), tails)


def embed_cached(texts: Texts, *, embedder: Embedder, cache: EmbeddingCache | None) -> tuple[Embedded, int]:
    """Vectors of all texts, and how many texts the model had to read; equal texts are read once."""
    hashes = content_hash(texts, form="nfc")
    encoded = hashes.dictionary_encode()
    distinct = encoded.dictionary
    codes = encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)
    first = np.unique(codes, return_index=True)[1]
    flat = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    unique = flat.take(pa.array(first))
    keys = content_hash(unique.fill_null(""), form="nfc")
    found, stored = (np.zeros(len(keys), bool), None) if cache is None else cache.lookup(keys)
    missing = np.flatnonzero(~found)
    parts = [] if stored is None else [stored]
    if missing.size or not parts:
        fresh = embedder.encode(unique.take(pa.array(missing)))
        parts.append(fresh)
        if cache is not None and missing.size:
            cache.store(keys.take(pa.array(missing)), fresh)
    place = np.empty(len(keys), np.int64)
    place[np.concatenate([np.flatnonzero(found), missing])] = np.arange(len(keys))
    vectors = Vectors.joined([p.vectors for p in parts]).select(place[codes])
    return Embedded(vectors, np.concatenate([p.tail_start for p in parts])[place[codes]]), int(missing.size)


def _keys(hashes: pa.FixedSizeBinaryArray) -> Keys:
    """Hashes as numpy scalars that compare bytewise."""
    raw = hashes.buffers()[1]
    return np.frombuffer(raw, f"S{HASH_BYTES}", len(hashes), hashes.offset * HASH_BYTES)
