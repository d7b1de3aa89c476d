"""Text as a person reads it: without markup, look-alike letters, unseen characters and LaTeX commands.

A copy of an evaluation item is the same copy when it is bold, escaped for HTML, written with letters of
another alphabet that look alike, or with `1/2` in place of `\\frac{1}{2}`.
"""

from __future__ import annotations

import html
import re
import unicodedata

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["original_span", "plain", "plain_texts"]

_WANTS = r"[&<\\$\x{80}-\x{10FFFF}]"
_INLINE = (
    "a abbr acronym b bdi bdo big cite code del dfn em font i ins kbd mark nobr q s samp small span "
    "strike strong sub sup tt u var wbr "
)
_BLOCK = (
    "address article aside blockquote body br button caption center col colgroup dd details div dl dt "
    "fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hr html img input label li link "
    "main meta nav ol option p pre script section select style summary table tbody td template textarea "
    "tfoot th thead title tr ul "
)
_VALUE = r"\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'<>]+"
_ATTRIBUTES = rf"(?:\s+[\w:-]+(?:\s*=\s*(?:{_VALUE}))?)*\s*/?"
_INLINE_TAG = re.compile(rf"</?(?:{'|'.join(_INLINE.split())}){_ATTRIBUTES}>", re.IGNORECASE)
_OTHER_TAG = re.compile(
    rf"<!--.*?-->|</?(?:{'|'.join(_BLOCK.split())}|[a-z]+-[\w-]+|[a-z]+:[a-z]+){_ATTRIBUTES}>",
    re.IGNORECASE | re.DOTALL,
)
_UNSEEN = {
    point: None
    for low, high in (
        (0xAD, 0xAD), (0x300, 0x36F), (0x483, 0x489), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5),
        (0x180B, 0x180F), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x200B, 0x200F), (0x202A, 0x202E),
        (0x2060, 0x206F), (0x20D0, 0x20FF), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFE20, 0xFE2F),
        (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF9, 0xFFFB), (0xE0000, 0xE0FFF),
    )
    for point in range(low, high + 1)
}  # fmt: skip
"""Marks that are put on any letter, and characters without a sign: Unicode's default ignorables."""
_LOOKS = (
    "аa еe оo рp сc уy хx іi јj ѕs һh ԁd ԛq ԝw ӏl вb нh кk мm тt гr пn ѵv ґr зз АA ВB ЕE ЅS ІI ЈJ КK МM "
    "НH ОO РP СC ТT УY ХX ЗЗ Ӏl ԌG ԜW Ѵv αa εe ιi κk νv οo ρp τt υu χx γy ηn ωw σo ϲc ϳj ΑA ΒB ΕE ΖZ ΗH "
    "ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX աw եt հh ոn ռn օo սu ցg զq Տs Օo Սu ɑa ɡg ɩi ɪi ʏy ʀr ɴn ʟl ʙb ʜh ᴀa ᴄc "
    "ᴅd ᴇe ᴊj ᴋk ᴍm ᴏo ᴘp ᴛt ᴜu ᴠv ᴡw ᴢz ꜱs ꜰf ıi ℓl ᎪA ᏴB ᏟC ᎠD ᎬE ᏀG ᎻH ᎫJ ᏦK ᏞL ᎷM ᏢP ᎡR ᏚS ᎢT ᏙV ᎳW "
    "ᏃZ øo ðd łl đd ħh "
)
_LOOK_ALIKE = {ord(pair[0]): pair[1] for pair in _LOOKS.split()}
"""Letters of other alphabets that are drawn as a Latin one (a part of Unicode's confusables, TR 39)."""
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile(r"[A-Za-z]")
_MOSTLY = 0.6
"""Share of plain Latin letters above which a word of look-alikes alone is one more disguised word."""
_PIECES = {"`": "'", "‘": "'", "’": "'", "“": '"', "”": '"', "−": "-", "–": "-", "—": "-", "×": "*",
           "·": "*", "⋅": "*", "÷": "/", "⁄": "/", "∕": "/", "≤": "<=", "≥": ">=", "≠": "!=", "√": "sqrt",
           "°": " degrees", "π": "pi", "∞": "infinity", "\u00a0": " "}  # fmt: skip
_SIGNS = {ord(sign): said for sign, said in _PIECES.items()}
_SIGNS |= {ord(sign): f"^{digit}" for digit, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_FRACTION = re.compile(r"\\[dtc]?frac\s*(?:\{([^{}]*)\}|(\w))\s*(?:\{([^{}]*)\}|(\w))")
_ROOT = re.compile(r"\\sqrt\s*\{([^{}]*)\}")
_DRESS = re.compile(
    r"\\(?:left|right|[Bb]igg?[lrm]?|displaystyle|textstyle|limits|nolimits|q?quad|hspace|vspace|hfill|hline|text"
    r"|textbf|textit|textrm|textsf|texttt|mathrm|mathbf|mathit|mathsf|mathcal|mathbb|mathfrak|boldsymbol|operatorname|mbox"
    r"|emph|underline|mathop|item|noindent|ensuremath)(?![A-Za-z])\*?"
    r"|\\(?:begin|end)\s*\{[^{}]*\}(?:\{[^{}]*\})?|\\[,;:! ]"
)
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_NAMED = {
    "times": "*", "cdot": "*", "ast": "*", "div": "/", "le": "<=", "leq": "<=", "leqslant": "<=", "ge": ">=",
    "geq": ">=", "geqslant": ">=", "ne": "!=", "neq": "!=", "lt": "<", "gt": ">", "pm": "+-", "mp": "-+",
    "infty": "infinity", "circ": " degrees", "degree": " degrees", "to": "->",
    "rightarrow": "->",
    "ldots": "...", "cdots": "...", "dots": "...", "mid": "|", "vert": "|",
    "lvert": "|", "rvert": "|", "prime": "'",
}  # fmt: skip
_POWER_OF_DEGREES = re.compile(r"\^\s*\{?\s* degrees\s*\}?")
_GROUPING = str.maketrans({"{": None, "}": None, "~": " ", "$": None})


def plain_texts(texts: pa.Array) -> pa.Array:
    """`plain` of every text of a column; the same array where there is nothing to do."""
    wants = pc.match_substring_regex(texts, _WANTS)
    if not pc.any(wants).as_py():
        return texts
    done = pa.array([plain(text) for text in texts.filter(wants).to_pylist()], texts.type)
    return pc.replace_with_mask(texts, pc.fill_null(wants, False), done)


def plain(text: str) -> str:
    """A text without markup and disguise; case, punctuation and layout stay."""
    if "&" in text:
        text = html.unescape(html.unescape(text))
    if "<" in text:
        text = _OTHER_TAG.sub(" ", _INLINE_TAG.sub("", text))
    if not text.isascii():
        text = _seen(text)
    if "\\" in text or "$" in text:
        text = _spelled(text)
    return text


def original_span(text: str, start: int, end: int) -> tuple[int, int]:
    """Where characters `start : end` of `plain(text)` stand in the text itself.

    Prefixes are made plain until they are long enough: a search by halves, so that no rule has to keep count.
    """
    return _reached(text, start, before=True), _reached(text, end, before=False)


def _reached(text: str, size: int, *, before: bool) -> int:
    low, high = 0, len(text)
    while low < high:
        middle = (low + high) // 2
        if len(plain(text[:middle])) < size:
            low = middle + 1
        else:
            high = middle
    while before and low < len(text) and len(plain(text[: low + 1])) == size:
        low += 1
    return low


def _seen(text: str) -> str:
    """Compatibility forms as plain ones, no marks on letters, no unseen characters, no look-alikes."""
    text = unicodedata.normalize("NFKD", text.translate(_SIGNS)).translate(_UNSEEN)
    text = unicodedata.normalize("NFC", text).replace("\u2044", "/")
    if text.isascii():
        return text
    latin = len(_LATIN.findall(text))
    mostly = latin >= _MOSTLY * sum(map(str.isalpha, text))

    def undisguised(match: re.Match[str]) -> str:
        word = match[0]
        if word.isascii():
            return word
        changed = word.translate(_LOOK_ALIKE)
        lone_greek = len(word) == 1 and "\u0370" <= word <= "\u03ff"
        whole = changed.isascii() and mostly and not lone_greek
        return changed if whole or _LATIN.search(word) else word

    return _WORD.sub(undisguised, text)


def _spelled(text: str) -> str:
    """LaTeX in the signs that plain text has for it."""
    if "\\" in text:
        text = _DRESS.sub(" ", text)
        while True:
            text, fractions = _FRACTION.subn(_quotient, text)
            text, roots = _ROOT.subn(r"sqrt(\1)", text)
            if not fractions and not roots:
                break
        text = _COMMAND.sub(lambda match: _NAMED.get(match[1], match[1] + " "), text)
        text = _POWER_OF_DEGREES.sub(" degrees", text).replace("\\", " ")
    return text.replace("{,}", ",").translate(_GROUPING)


def _quotient(match: re.Match[str]) -> str:
    top, bottom = match[1] or match[2] or "", match[3] or match[4] or ""
    return f" {_part(top)}/{_part(bottom)} "


def _part(text: str) -> str:
    text = text.strip()
    return text if text.isalnum() else f"({text})"
