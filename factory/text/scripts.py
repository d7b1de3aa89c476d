"""The script that most letters of a text are of."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter

__all__ = ["NO_SCRIPT", "script_of"]

NO_SCRIPT = "none"
"""Of a text without letters."""

_STARTS = (
    (0x41, "Latin"), (0x370, "Greek"), (0x400, "Cyrillic"), (0x530, "Armenian"), (0x590, "Hebrew"),
    (0x600, "Arabic"), (0x700, "other"), (0x900, "Devanagari"), (0x980, "Bengali"), (0xA00, "Gurmukhi"),
    (0xA80, "Gujarati"), (0xB00, "Oriya"), (0xB80, "Tamil"), (0xC00, "Telugu"), (0xC80, "Kannada"),
    (0xD00, "Malayalam"), (0xD80, "Sinhala"), (0xE00, "Thai"), (0xE80, "Lao"), (0xF00, "Tibetan"),
    (0x1000, "Myanmar"), (0x10A0, "Georgian"), (0x1100, "Hangul"), (0x1200, "Ethiopic"), (0x1380, "other"),
    (0x1780, "Khmer"), (0x1800, "Mongolian"), (0x18B0, "other"), (0x1C80, "Cyrillic"), (0x1C90, "Georgian"),
    (0x1CC0, "other"), (0x1E00, "Latin"), (0x1F00, "Greek"), (0x2000, "other"), (0x2C60, "Latin"),
    (0x2C80, "other"), (0x2DE0, "Cyrillic"), (0x2E00, "other"), (0x3040, "Kana"), (0x3100, "other"),
    (0x3130, "Hangul"), (0x3190, "other"), (0x3400, "Han"), (0xA000, "other"), (0xA640, "Cyrillic"),
    (0xA6A0, "other"), (0xAC00, "Hangul"), (0xD7B0, "other"), (0xF900, "Han"), (0xFB00, "Latin"),
    (0xFB1D, "Hebrew"), (0xFB50, "Arabic"), (0xFE00, "other"), (0xFE70, "Arabic"), (0xFF00, "other"),
    (0x20000, "Han"), (0x40000, "other"),
)  # fmt: skip
_POINTS = [point for point, _ in _STARTS]
_MOST_LETTERS = 400


def script_of(text: str) -> str:
    """The script of most of the first 400 letters; `none` for a text without letters.

    Names are those of Unicode's blocks; Chinese characters beside kana are Kana's.
    """
    if text.isascii():
        return "Latin" if any(c.isalpha() for c in text) else NO_SCRIPT
    letters = [c for c in text[: 4 * _MOST_LETTERS] if c.isalpha()][:_MOST_LETTERS]
    found = Counter(_STARTS[bisect_right(_POINTS, ord(c)) - 1][1] for c in letters)
    if found["Kana"] and found["Han"]:
        found["Kana"] += found.pop("Han")
    return found.most_common(1)[0][0] if letters else NO_SCRIPT
