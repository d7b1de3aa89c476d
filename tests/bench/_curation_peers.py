"""The peers that curation is measured against, each by its own documented calls."""

from __future__ import annotations

from typing import Any

__all__ = ["datasketch", "eight_grams", "rensa", "rensa_pairs"]


def eight_grams(text: str) -> list[str]:
    """Lower-case 8-grams of what blanks separate, as the published script joins them."""
    words = " ".join(text.lower().strip().split()).split()
    return [" ".join(words[i : i + 8]) for i in range(len(words) - 7)]


def _shingles(text: str) -> list[str]:
    words = text.lower().split()
    return [" ".join(words[i : i + 3]) for i in range(max(1, len(words) - 2))]


def rensa(texts: list[str]) -> Any:
    """rensa's bulk path, the fastest it has: flags alone, neither verified nor paired."""
    from rensa import RMinHash, RMinHashLSH

    matrix = RMinHash.digest_matrix_from_token_sets([_shingles(t) for t in texts], num_perm=128, seed=1)
    index = RMinHashLSH(threshold=0.5, num_perm=128, num_bands=32)
    return index.query_duplicate_flags_matrix_one_shot(matrix)


def rensa_pairs(texts: list[str]) -> dict[int, list[int]]:
    """rensa's path that names what a row is a copy of, as ours does: one query and one insert per row."""
    from rensa import RMinHash, RMinHashLSH

    index, found = RMinHashLSH(threshold=0.5, num_perm=128, num_bands=32), {}
    minhashes = RMinHash.from_token_sets([_shingles(t) for t in texts], num_perm=128, seed=1)
    for row, minhash in enumerate(minhashes):
        near = index.query(minhash)
        if near:
            found[row] = near
        else:
            index.insert(row, minhash)
    return found


def datasketch(texts: list[str]) -> list[bool]:
    """datasketch: one query and one insert per row."""
    from datasketch import MinHash, MinHashLSH

    index, flags = MinHashLSH(num_perm=128, params=(32, 4)), []
    for row, text in enumerate(texts):
        minhash = MinHash(num_perm=128)
        minhash.update_batch([s.encode() for s in _shingles(text)])
        flags.append(bool(index.query(minhash)))
        if not flags[-1]:
            index.insert(row, minhash)
    return flags
