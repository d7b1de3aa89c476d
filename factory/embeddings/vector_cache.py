"""Embeddings kept on disk by the hash of their text, so that no text is embedded twice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.embeddings.encode import Embedded, Embedder
from factory.embeddings.vectors import Vectors
from factory.storage.content_cache import KeyedRows, Keys
from factory.storage.files import join
from factory.text.normalise import HASH_BYTES, content_hash
from factory.text.strings import Texts

__all__ = ["EmbeddingCache", "embed_cached"]


class EmbeddingCache:
    """Vectors (int8 codes, scale, tail start) by the hash of their text, kept under `url/<model id>/`.

    `url` is a local folder or any fsspec URL; any number of writers and readers may share it.
    """

    def __init__(self, url: str, model_id: str) -> None:
        self._rows = KeyedRows(join(url, model_id))

    def lookup(self, hashes: pa.FixedSizeBinaryArray) -> tuple[npt.NDArray[np.bool_], Embedded | None]:
        """Which texts are stored, and their vectors in the order of the hashes; None when none is."""
        found, rows = self._rows.find(_keys(hashes))
        if rows is None:
            return found, None
        codes = rows["codes"].combine_chunks()
        width = codes.type.byte_width
        values = np.frombuffer(codes.buffers()[1], np.int8, len(codes) * width, codes.offset * width)
        scales, tails, unread = (rows[name].to_numpy() for name in ("scale", "tail_start", "unread"))
        return found, Embedded(Vectors(values.reshape(-1, width), scales), tails, unread)

    def store(self, hashes: pa.FixedSizeBinaryArray, embedded: Embedded) -> None:
        """Adds vectors (int8) under the hashes of their texts."""
        codes = np.ascontiguousarray(embedded.vectors.values)
        packed = pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(codes.shape[1]), len(hashes), [None, pa.py_buffer(codes.tobytes())]
        )
        numbers = (embedded.vectors.scales, embedded.tail_start, embedded.unread)
        table = pa.table([packed, *map(pa.array, numbers)], names=["codes", "scale", "tail_start", "unread"])
        self._rows.add(_keys(hashes), table)


def _keys(hashes: pa.FixedSizeBinaryArray) -> Keys:
    raw = hashes.buffers()[1]
    return np.frombuffer(raw, f"S{HASH_BYTES}", len(hashes), hashes.offset * HASH_BYTES)


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
    tails, unread = (
        np.concatenate([getattr(p, name) for p in parts])[place[codes]] for name in ("tail_start", "unread")
    )
    return Embedded(vectors, tails, unread), int(missing.size)
