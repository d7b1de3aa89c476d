"""The words of a text in any script: the unit in which length, repetition and form are judged."""

from __future__ import annotations

import re
import sys
import unicodedata

__all__ = ["words"]

_UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"
    "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Thai, Lao, Tibetan, Burmese, Khmer, kana and Han: scripts that put no blanks between words."""


def _marks() -> str:
    """Every combining mark, as ranges of a regular expression: part of a letter, though not of `\\w`."""
    points = [p for p in range(0x300, sys.maxunicode) if unicodedata.category(chr(p)) in ("Mn", "Mc")]
    ranges: list[list[int]] = []
    for point in points:
        if ranges and point == ranges[-1][1] + 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges)


_MARKS = _marks()
_JOINERS = "\u200c\u200d"
_WORD = re.compile(
    rf"(?=\w)[{_UNSPACED}][{_MARKS}]*|[^\W_{_UNSPACED}](?:[^\W_{_UNSPACED}]|[{_MARKS}{_JOINERS}])*"
)


def words(text: str) -> list[str]:
    """Runs of letters and digits with their marks; in scripts without blanks each letter is a word.

    A letter of Chinese or Japanese carries about as much as a short word, one of Thai or Khmer less, so that
    a limit in words is lenient there; blanks say nothing of such a text.
    """
    return _WORD.findall(text)
