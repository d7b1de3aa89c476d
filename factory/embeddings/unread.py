"""How much of a text a model cannot read: letters that its vocabulary lacks, or has one by one only."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["unread_share"]

_LEAST_WORD = 3
_ONE_BY_ONE = ((0x2E80, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
"""Scripts in which one character may be a word or a syllable: a token of one is read."""


def unread_share(
    text: str, offsets: Sequence[tuple[int, int]], ids: Sequence[int], *, unknown: int | None
) -> float:
    """Share of the letters of a text, as far as its tokens reach, that say nothing to the model.

    `offsets` are the characters of each token (empty for special ones), `unknown` the id of the token for
    what the vocabulary lacks. A word of three letters or more of which each letter is a token of its own is
    not read either: the model has seen the letters and never the word.
    """
    read = unread = 0
    word: list[tuple[int, int, bool]] = []
    end = -1
    for (start, stop), token in zip(offsets, ids, strict=True):
        if start == stop:
            continue
        if start != end and word:
            known, lost = _letters(text, word)
            read, unread = read + known, unread + lost
            word = []
        word.append((start, stop, token == unknown))
        end = stop
    known, lost = _letters(text, word)
    read, unread = read + known, unread + lost
    return unread / (read + unread) if read + unread else 0.0


def _letters(text: str, word: Sequence[tuple[int, int, bool]]) -> tuple[int, int]:
    """Letters of one word that are read, and that are not."""
    if not word:
        return 0, 0
    whole = text[word[0][0] : word[-1][1]]
    if whole.isascii():
        return len(whole), 0
    sizes = [sum(c.isalpha() for c in text[start:stop]) for start, stop, _ in word]
    total = sum(sizes)
    if total >= _LEAST_WORD and all(size <= 1 for size in sizes) and not _by_one(whole):
        return 0, total
    lost = sum(size for size, (_, _, unknown) in zip(sizes, word, strict=True) if unknown)
    return total - lost, lost


def _by_one(word: str) -> bool:
    return any(low <= ord(c) <= high for c in word for low, high in _ONE_BY_ONE)
