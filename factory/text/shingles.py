"""Hashed windows of words: what two texts are compared by where whole words are too many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from factory.text.strings import Texts, iter_tokens

__all__ = ["shingle_sets"]

U64 = npt.NDArray[np.uint64]
_SHINGLE = 3


def shingle_sets(texts: Texts, *, words: int = _SHINGLE) -> list[U64]:
    """The distinct hashed windows of `words` tokens of each text."""
    from factory.text.kernels import ngram

    out: list[U64] = []
    for block in iter_tokens(texts):
        windows = np.empty(block.hashes.size, np.uint64)
        for first, last in zip(block.rows[:-1].tolist(), block.rows[1:].tolist(), strict=True):
            count = ngram.window_hashes(block.hashes, first, last, words, windows)
            out.append(np.unique(windows[:count]))
    return out
