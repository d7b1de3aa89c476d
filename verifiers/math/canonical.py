"""One spelling for each way of writing the same answer; never merges two answers that differ."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

__all__ = ["canonical", "clean", "plain_words"]

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_UNSEEN = str.maketrans(dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_SYMBOLS = {
    "−": "-", "–": "-", "‐": "-", "×": r"\times ", "÷": r"\div ", "·": r"\cdot ", "⋅": r"\cdot ",
    "π": r"\pi ", "√": r"\sqrt ", "Ω": r"\Omega ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ",
    "≈": r"\approx ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "°": r"^\circ ", "±": r"\pm ",
    "∓": r"\mp ", "∅": r"\emptyset ", "⁄": "/", "，": ",", "；": ";", "。": ".", "：": ":", "∶": ":",
    "（": "(", "）": ")", "、": ",",
}  # fmt: skip
_SYMBOL = re.compile("|".join(map(re.escape, _SYMBOLS)))
_VULGAR = re.compile("[¼-¾⅐-⅞]")
_SUBSCRIPT_RUN = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
_SUPERSCRIPT_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+")

_BASE_BEHIND = r"\s*(?:\\(?:text|mathrm)\s*\{\s*)?\(?\s*(?:in )?\bbase[\s-]*(\d+)\s*\)?\s*\}?\s*\Z"
_PERCENT = (
    r"\\%|\s*\\(?:text|mathrm)\s*\{\s*(?:\\?%|percent)\s*\}|(?<=[\d}])\s*\b(?:percent|percentage|pct)\b"
)
_MODULUS = r"(\\equiv.*?)\s*\(?\s*(?:\\(?:mod|bmod)(?![a-zA-Z])|\\text\s*\{\s*mod\s*\}|\bmod\b)\s*(\d+)\s*\)?"


def _hour(half: re.Match[str]) -> str:
    return rf"\text{{ {half[1].lower()}.m.}}"


_REWRITES: list[tuple[tuple[str, ...], str, str | Callable[[re.Match[str]], str]]] = [
    ((",",), r"(?<=\d)\s*\{\s*,\s*\}\s*(?=\d)|(?<=\d)\s*,\s*\\!\s*(?=\d)", ","),
    (("frac",), r"\\(?:[dtcs]|nice)frac(?![a-zA-Z])", r"\\frac"),
    (("\\over",), r"\{([^{}]*)\\over(?![a-zA-Z])([^{}]*)\}", r"\\frac{\1}{\2}"),
    (("color",), r"\\(?:text)?color\s*\{[^{}]*\}\s*(?:\{([^{}]*)\})?", r"\1"),
    (("{\\",), r"(?<=\{)\s*\\(?:bf|rm|it|sf|tt)(?![a-zA-Z])\s*", ""),
    (("phantom", "space{"), r"\\(?:[hv]?phantom|[hv]space\*?)\s*\{[^{}]*\}", " "),
    (("\\", ), r"\\(?:tiny|small|normalsize|large|Large|LARGE|huge|Huge)(?![a-zA-Z])", ""),
    (("^{",), r"(\\(?:mathrm|text)\s*\{[^{}]*\^)\s*\{\s*(-?\d)\s*\}(?=[^{}]*\})", r"\1\2"),
    (("mod",), _MODULUS, r"\1 \\pmod{\2}"),
    (("m",), r"(?<=\d)\s*(?:\\(?:text|mathrm)\s*\{\s*)?([aApP])\.?\s?[mM]\.?\s*\}?\s*\Z", _hour),
    (("M",), r"(?<=\d)\s*(?:\\(?:text|mathrm)\s*\{\s*)?([aApP])\.?\s?[mM]\.?\s*\}?\s*\Z", _hour),
    (("small",), r"\{smallmatrix\}", "{matrix}"),
    (("\\bigc",), r"\\big(cup|cap)(?![a-zA-Z_^{\s]*[_^])", r"\\\1"),
    (("\\colon",), r"\\colon(?![a-zA-Z])", ":"),
    (("\\log",), r"\\log\s*_\s*(?:e(?![a-zA-Z])|\{\s*e\s*\})", r"\\ln"),
    (("base",), r"_\s*\{?\s*\\(?:text|mathrm)\s*\{\s*(?:base[\s-]*)?(\d*)\s*\}\s*(\d*)\s*\}?", r"_{\1\2}"),
    (("base",), _BASE_BEHIND, r"_{\1}"),
    ((")_",), r"(?<![\w\\}])\(\s*(\d+)\s*\)\s*_", r"\1_"),
    (("\\",), r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle|limits|nonumber)(?![a-zA-Z])", ""),
    (("\\", "~", "&"), r"(?<!\\)\\(?:!|,|;|:|>| |quad(?![a-zA-Z])|qquad(?![a-zA-Z]))|~|&nbsp;", " "),
    (("\\le", "<="), r"\\(?:leq|leqslant|le)(?![a-zA-Z])|<=", r"\\le "),
    (("\\ge", ">="), r"\\(?:geq|geqslant|ge)(?![a-zA-Z])|>=", r"\\ge "),
    (("\\n", "!="), r"\\(?:neq|ne)(?![a-zA-Z])|!=|\\not\s*=", r"\\ne "),
    (("\\lt",), r"\\lt(?![a-zA-Z])", "<"),
    (("\\gt",), r"\\gt(?![a-zA-Z])", ">"),
    (("\\approx", "simeq", "\\thickapprox"), r"\\(?:approx|simeq|thickapprox)(?![a-zA-Z])", r"\\approx "),
    (("circ", "degree"), r"\^\s*\{\s*\\circ\s*\}|\^\s*\\circ(?![a-zA-Z])|\\degree(?![a-zA-Z])", r"^\\circ "),
    (("\\lbr",), r"\\lbrace(?![a-zA-Z])|\\lbrack(?![a-zA-Z])", lambda m: r"\{" if "brace" in m[0] else "["),
    (("\\rbr",), r"\\rbrace(?![a-zA-Z])|\\rbrack(?![a-zA-Z])", lambda m: r"\}" if "brace" in m[0] else "]"),
    (("%", "percent", "pct"), _PERCENT, "%"),
    (("pi",), r"(?<![\\a-zA-Z])pi(?![a-zA-Z])", r"\\pi"),
    (("\\empty", "\\varn"), r"\\(?:varnothing|emptyset)(?![a-zA-Z])", r"\\emptyset "),
    (("\\inf",), r"\\(?:infin|infty)(?![a-zA-Z])", r"\\infty "),
    (("dots", ".."), r"\\(?:dots|ldots|cdots)(?![a-zA-Z])|(?<=,)\s*\.{3,}", r"\\ldots "),
    (("**",), r"\*\*(?=[^\s*])", "^"),
    (("frac",), r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
    (("frac",), r"\\frac\s*(\d)\s*\{", r"\\frac{\1}{"),
    (("frac",), r"(\\frac\s*\{[^{}]*\})\s*(\w)", r"\1{\2}"),
    (("sqrt",), r"(?<![\\a-zA-Z])sqrt(?![a-zA-Z])", r"\\sqrt"),
    (("sqrt",), r"\\sqrt\s*(\d+(?:\.\d+)?|[a-zA-Z])", r"\\sqrt{\1}"),
    (("sqrt",), r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
]  # fmt: skip
"""Each with pieces of text one of which must be there, or the pattern is not even tried."""
_COMPILED = [(needs, re.compile(pattern), new) for needs, pattern, new in _REWRITES]
_DELIMITER = re.compile(r"\\[()\[\]]|(?<!\\)\$+|\*\*(?=\s*\$)|(?<=\$)\*\*")
_DOUBLED = re.compile(r"\\\\(?=[a-zA-Z({\[])")
_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BOLD = re.compile(r"\A\s*\*\*(?!\*)(.*?)\*\*\s*\Z", re.DOTALL)
_ALIGNING = re.compile(r"(?<!\\)&(?!nbsp;)")
_LEAD_IN = re.compile(
    r"(?i)\A\s*(?:\\(?:text|textbf|mathrm)\s*\{)?\s*(?:the\s+)?(?:final\s+|correct\s+)?answer\s*(?:\bis\b|:|=)\s*:?\s*\}?"
    r"(?=\s*[^\s}])"
)
_REMARK = re.compile(
    r"(?i)\A\s*\\text\s*\{\s*(?:(?:approximately|exactly|about|roughly|precisely)"
    r"|[a-z][a-z ]{0,30}[:=])\s*\}(?=\s*[^\s}])"
)
_WORD_MACRO = re.compile(
    r"\\(?:text|mbox|textbf|textit|textrm|textnormal|texttt|mathrm|mathbf|mathsf|mathit|operatorname\*?|bold"
    r"|boldsymbol|bm|rm|bf|emph|textsf|hbox|underline)\s*\{([^{}]*)\}"
)
_EDGES = " \t\r\n.,;:、。"
_SPACE = re.compile(r"\s+")
_DROPPABLE_SPACE = re.compile(r"(?<![0-9a-zA-Z])\s+|\s+(?![0-9a-zA-Z])|(?<=[0-9])\s+(?=[a-zA-Z])")
_SINGLE_BRACE = re.compile(r"(?<=[\^_])\{(\w)\}")
_PLAIN = re.compile(r"-?(?:0|[1-9]\d*)\Z", re.ASCII)


@lru_cache(maxsize=65_536)
def clean(text: str) -> str:
    """The answer with one macro per meaning, no delimiters or boxes, and no punctuation at its ends."""
    if _PLAIN.match(text):
        return text
    text = _ascii(text)
    if r"\begin" not in text:
        text = _DOUBLED.sub(r"\\", text)
    text = _unbox(text)
    if "**" in text:
        text = _BOLD.sub(r"\1", text)
    text = _DELIMITER.sub(" ", text)
    if "&" in text and r"\begin" not in text:
        text = _ALIGNING.sub("", text)
    if "nswer" in text:
        text = _LEAD_IN.sub("", text)
    if "\\text" in text:
        text = _REMARK.sub("", text)
    for needs, pattern, new in _COMPILED:
        for piece in needs:
            if piece in text:
                text = pattern.sub(new, text)
                break
    text = _trim(text)
    while text.endswith("\\") and not text.endswith("\\\\"):
        text = text[:-1].rstrip(_EDGES)
    text = _trim(text)
    while text[:1] == "{" and closing_brace(text, 0) == len(text) - 1:
        text = _trim(text[1:-1])
    return text


def _trim(text: str) -> str:
    """Without space and punctuation at the ends, but with the point of `.4`."""
    text = _SPACE.sub(" ", text).rstrip(_EDGES).lstrip(" =`")
    trimmed = text.lstrip(_EDGES)
    lead = text[: len(text) - len(trimmed)]
    return f".{trimmed}" if lead.endswith(".") and trimmed[:1].isdigit() else trimmed


@lru_cache(maxsize=65_536)
def canonical(text: str) -> str:
    """The cleaned answer without space and text macros; equal strings are equal answers."""
    text = clean(text)
    if _PLAIN.match(text):
        return text
    text = plain_words(text)
    text = _DROPPABLE_SPACE.sub("", text)
    text = _SINGLE_BRACE.sub(r"\1", text)
    return _trim(text)


def plain_words(text: str) -> str:
    r"""The text with `\text{cm}` and its kin replaced by their words, set off by spaces."""
    while "\\" in text:
        shorter = _WORD_MACRO.sub(r" \1 ", text)
        if shorter == text:
            break
        text = shorter
    return text.strip()


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    # Compatibility folding would turn x² into x2 and 2½ into 21/2, so these go first.
    text = _SUPERSCRIPT_RUN.sub(_raised, text)
    text = _SUBSCRIPT_RUN.sub(lambda run: "_{" + run[0].translate(_SUBSCRIPTS) + "}", text)
    text = _VULGAR.sub(_fraction, text)
    text = unicodedata.normalize("NFKC", text.translate(_UNSEEN))
    return _SYMBOL.sub(lambda one: _SYMBOLS[one[0]], text)


def _raised(run: re.Match[str]) -> str:
    digits = run[0].translate(_SUPERSCRIPTS)
    return f"^{digits}" if len(digits) == 1 else f"^{{{digits}}}"


def _fraction(one: re.Match[str]) -> str:
    above, _, below = unicodedata.normalize("NFKC", one[0]).partition("⁄")
    return rf"\frac{{{above}}}{{{below}}}"


def _unbox(text: str) -> str:
    while match := _BOX.search(text):
        end = closing_brace(text, match.end() - 1)
        inner = text[match.end() : end] if end is not None else text[match.end() :]
        after = text[end + 1 :] if end is not None else ""
        text = f"{text[: match.start()]} {inner} {after}"
    return text


def closing_brace(text: str, opening: int) -> int | None:
    r"""Index of the brace that closes the one at `opening`; `\{` and `\}` do not count. Null if unclosed."""
    first = text.find("}", opening)
    if first < 0:
        return None
    inner = text[opening + 1 : first]
    if "{" not in inner and "\\" not in inner:
        return first
    depth = 0
    position = opening
    while position < len(text):
        symbol = text[position]
        if symbol == "\\":
            position += 1
        elif symbol == "{":
            depth += 1
        elif symbol == "}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    return None
