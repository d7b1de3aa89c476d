"""The embedder that stages share: found by name, opened once, its vectors cached by content."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from factory.core import PipelineError, Site
from factory.embeddings.embedding_model import EmbeddingModel
from factory.models.resolve import resolve

if TYPE_CHECKING:
    from factory.embeddings.encode import Embedded, Embedder
    from factory.embeddings.vector_cache import EmbeddingCache

__all__ = ["Embed", "model_digest", "opened_embedder"]


class Embed:
    """Gives the vectors of a column of texts, from the cache where they are known."""

    def __init__(self, embedder: Embedder, cache: EmbeddingCache) -> None:
        self._embedder, self._cache = embedder, cache
        self.read = 0
        """Texts that the model had to read."""

    def __call__(self, texts: pa.Array) -> Embedded:
        """Vectors of the texts, in order."""
        from factory.embeddings.vector_cache import embed_cached

        found, read = embed_cached(texts, embedder=self._embedder, cache=self._cache)
        self.read += read
        return found


def model_digest(model: str | EmbeddingModel) -> str:
    """Identity of a model and how it reads; PipelineError when it is not there."""
    identity = EmbeddingModel.of(model).identity()
    return str(identity["model"]) if len(identity) == 1 else json.dumps(identity, sort_keys=True)


@contextmanager
def opened_embedder(model: str | EmbeddingModel, *, site: Site) -> Iterator[Embed]:
    """Holds a sentence-transformers model open, with the cache of its vectors at the site."""
    from transformers.utils import logging

    from factory.embeddings.encode import Embedder
    from factory.embeddings.vector_cache import EmbeddingCache

    # A bar per worker would break the progress that the run prints.
    logging.disable_progress_bar()
    chosen = EmbeddingModel.of(model)
    embedder = Embedder(
        _folder(chosen),
        device=chosen.device,
        prompt=chosen.prompt or "",
        dtype=chosen.dtype or "float32",
        max_tokens=chosen.max_tokens,
        trust_remote_code=bool(chosen.trust_remote_code),
    )
    yield Embed(embedder, EmbeddingCache(f"{site.cache_url.rstrip('/')}/embeddings", embedder.model_id))


def _folder(model: EmbeddingModel) -> str:
    found = resolve(model.name, revision=model.revision)
    if found.path is not None:
        return str(found.path)
    try:
        from huggingface_hub import snapshot_download

        return str(snapshot_download(model.name, revision=model.revision))
    except Exception as error:
        # The hub's client raises errors of many kinds for a hub that is away and for a name that is wrong.
        reason = " ".join(str(error).split())[:200]
        raise PipelineError(
            f"embedding model '{model.name}' cannot be fetched ({type(error).__name__}: {reason}); check the "
            "name and the network, or name a local folder"
        ) from error
