"""Which embedding model reads the texts, and how: the fields that decide a vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from factory.models.resolve import EMBEDDER, resolve

__all__ = ["PRESETS", "EmbeddingModel"]

_ALIKE = "Instruct: Retrieve semantically similar text.\nQuery: "
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "BAAI/bge-m3": {"max_tokens": 8192},
    **{
        f"Qwen/Qwen3-Embedding-{size}": {"prompt": _ALIKE, "max_tokens": 8192, "dtype": "bfloat16"}
        for size in ("0.6B", "4B", "8B")
    },
    "Alibaba-NLP/gte-multilingual-base": {"max_tokens": 8192, "trust_remote_code": True},
    **{
        f"Alibaba-NLP/gte-{size}-en-v1.5": {"max_tokens": 8192, "trust_remote_code": True}
        for size in ("base", "large")
    },
    **{
        f"intfloat/multilingual-e5-{size}": {"prompt": "query: ", "max_tokens": 512}
        for size in ("small", "base", "large")
    },
    "intfloat/multilingual-e5-large-instruct": {"prompt": _ALIKE, "max_tokens": 512},
    "mixedbread-ai/mxbai-embed-large-v1": {"max_tokens": 512},
}
"""What the cards of known models say of texts that are compared with one another. All but mxbai and gte's
English ones read many languages; a field that is set counts before its preset."""


class EmbeddingModel(BaseModel):
    """A sentence-transformers model and how it reads; null fields are its preset's, else the model's own."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = EMBEDDER
    """The packaged model, a folder, or a hub id."""
    revision: str | None = None
    """Commit or tag on the hub."""
    prompt: str | None = None
    """What stands before every text, as the model's card wants it."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Type of the weights; null: float32."""
    device: str | None = None
    """`cpu`, `cuda` or `cuda:N`; null: a GPU where there is one."""
    max_tokens: Annotated[int, Field(ge=16)] | None = None
    """Tokens that the model reads at a time; a longer text is read in windows."""
    trust_remote_code: bool | None = None
    """Whether code that comes with the model may run; recorded in the fingerprint."""

    @classmethod
    def of(cls, model: str | EmbeddingModel) -> EmbeddingModel:
        """The model with its preset filled in; a name stands for a model with all else null."""
        given = cls(name=model) if isinstance(model, str) else model
        fields = {k: v for k, v in given.model_dump().items() if v is not None}
        return cls(**{**PRESETS.get(given.name, {}), **fields})

    def identity(self) -> dict[str, Any]:
        """All that can change a bit of a vector, with the content's digest in place of the name."""
        whole = EmbeddingModel.of(self)
        fields = whole.model_dump(mode="json", exclude={"name", "revision", "device"}, exclude_none=True)
        return fields | {"model": resolve(whole.name, revision=whole.revision).digest}
