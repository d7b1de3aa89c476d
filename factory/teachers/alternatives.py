"""What else each token of a completion could have been: the likeliest tokens at its place, and the rest."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from factory.core import PipelineError

__all__ = [
    "MOST_ALTERNATIVES",
    "Alternatives",
    "byte_ends",
    "packed",
    "tail_mass",
    "unpacked",
    "vocabulary_digest",
]

MOST_ALTERNATIVES = 64
"""Alternatives of a token that can be asked for: 384 bytes a token, four for an id and two for a number."""

_ARRAYS = {
    "token_ids": "<i4",
    "byte_ends": "<i4",
    "logprobs": "<f4",
    "top_token_ids": "<i4",
    "top_logprobs": "<f2",
    "tail_mass": "<f4",
}


@dataclass(frozen=True, slots=True)
class Alternatives:
    """A completion of n tokens in the teacher's own tokens, with the k likeliest ones at each place.

    All log probabilities are natural and the model's own: before temperature, top_p and every other rule.
    """

    text: str
    """All that the teacher wrote, thinking and its tags included."""
    tokenizer: str
    """Which vocabulary the ids are of: `vocabulary_digest`."""
    token_ids: npt.NDArray[np.int32]
    """Shape (n,)."""
    byte_ends: npt.NDArray[np.int32] | None
    """Shape (n,): where each token ends in `text` as UTF-8. Null: the tokens give another text."""
    logprobs: npt.NDArray[np.float32]
    """Shape (n,): of the token that was chosen, which need not be among the likeliest."""
    top_token_ids: npt.NDArray[np.int32]
    """Shape (n, k), the likeliest first."""
    top_logprobs: npt.NDArray[np.float16]
    """Shape (n, k)."""
    tail_mass: npt.NDArray[np.float32]
    """Shape (n,): probability of all tokens that are not among the k."""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values: an array is its little-endian bytes in base64."""
        arrays = {name: packed(getattr(self, name), kind) for name, kind in _ARRAYS.items()}
        return {"text": self.text, "tokenizer": self.tokenizer, "k": self.top_token_ids.shape[1], **arrays}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Alternatives:
        """What `to_json` gave."""
        arrays = {name: unpacked(record[name], kind) for name, kind in _ARRAYS.items()}
        for name in ("top_token_ids", "top_logprobs"):
            arrays[name] = arrays[name].reshape(len(arrays["token_ids"]), record["k"])
        return cls(text=record["text"], tokenizer=record["tokenizer"], **arrays)


def packed(array: npt.NDArray[Any] | None, kind: str) -> str | None:
    """The bytes of an array as numbers of a kind (numpy's name, its byte order included), in base64."""
    return None if array is None else base64.b64encode(array.astype(kind).tobytes()).decode("ascii")


def unpacked(text: str | None, kind: str) -> Any:
    """The flat array that `packed` was given; null for null."""
    return None if text is None else np.frombuffer(base64.b64decode(text), kind)


def tail_mass(logprobs: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Probability that is left beside log probabilities of shape (n, k): shape (n,), never below 0."""
    held = np.exp(logprobs.astype(np.float64)).sum(axis=1)
    left: npt.NDArray[np.float32] = np.clip(1.0 - held, 0.0, 1.0).astype(np.float32)
    return left


def vocabulary_digest(tokenizer: Any) -> str:
    """SHA-256, 64 hex digits, of the tokenizer's vocabulary: two that agree give ids of one meaning.

    It is taken over the JSON list of all pairs of token and id, sorted, without spaces, as UTF-8.
    """
    pairs = json.dumps(sorted(tokenizer.get_vocab().items()), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(pairs.encode("utf-8", "surrogatepass")).hexdigest()


def byte_ends(
    tokenizer: Any, prompt: Sequence[int], tokens: Sequence[int], text: str
) -> npt.NDArray[np.int32] | None:
    """Where each token ends in `text`, in bytes of UTF-8; null when the tokens do not give this text.

    A letter that several tokens make together belongs to the last of them. A stop text that was cut off is
    not in `text`: tokens in it end where the text does. Raises PipelineError for a tokenizer without a fast
    form, which cannot tell.
    """
    from tokenizers.decoders import DecodeStream

    inner = getattr(tokenizer, "_tokenizer", None)
    if inner is None:
        raise PipelineError(
            "the teacher's tokenizer has no fast form, so nothing tells where a token ends; set "
            "`top_logprobs: 0`"
        )
    stream = DecodeStream(ids=list(prompt), skip_special_tokens=True)
    ends, pieces, end = [], [], 0
    for token in tokens:
        try:
            piece = stream.step(inner, token) or ""
        except Exception:  # the bytes do not make letters: the decoder's state is lost, as in vLLM itself
            return None
        pieces.append(piece)
        end += len(piece.encode("utf-8", "replace"))
        ends.append(end)
    if not "".join(pieces).startswith(text):
        return None
    return np.minimum(np.array(ends, np.int32), len(text.encode("utf-8", "replace"))).astype(np.int32)
