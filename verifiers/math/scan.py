"""Scanning LaTeX at the top level: brackets, separators, relation signs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from verifiers.math.canonical import plain_words

__all__ = ["depth_exceeds", "names_something", "outer", "relations", "split_parts", "top_level"]

_TOKEN = re.compile(r"\\[{}]|\\[a-zA-Z]+|\\.|[()\[\]{}]")
_OPENING = frozenset(["(", "[", "{", r"\{", r"\langle", r"\begin", r"\lfloor", r"\lceil"])
_CLOSING = frozenset([")", "]", "}", r"\}", r"\rangle", r"\end", r"\rfloor", r"\rceil"])
_RELATION = re.compile(r"=|<|>|\\(?:le|ge|ne|in|notin|approx|equiv|sim)(?![a-zA-Z])")
_SEPARATOR = re.compile(r"[,;]")
_SEMICOLON = re.compile(";")
_CONNECTOR = re.compile(
    r"\\(?:text|mbox|textrm|mathrm)\s*\{[\s,;]*(?:and|or|und|oder|et)[\s,;]*\}|\b(?:and|or)\b|(?<=[\d)}])(?:or|and)(?=[A-Z\\(\d-])|[和或]"
    r"|\\(?:lor|vee)(?![a-zA-Z])"
)
_THOUSANDS = re.compile(r"[+-]?(?:\\\$)?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,])[^,]*\Z")
_PAIRS = {"(": ")", "[": "]", "{": "}", r"\{": r"\}", r"\langle": r"\rangle"}


def _levels(latex: str) -> Iterator[tuple[re.Match[str], int]]:
    """Each bracket with the depth outside it; a half-open interval closes with the other kind."""
    depth = 0
    for token in _TOKEN.finditer(latex):
        if token[0] in _OPENING:
            yield token, depth
            depth += 1
        elif token[0] in _CLOSING:
            depth -= 1
            yield token, depth


def _spans(latex: str) -> list[tuple[int, int]]:
    """Stretches of text outside all brackets."""
    spans = []
    start = 0
    for token, depth in _levels(latex):
        if depth != 0:
            continue
        if token[0] in _OPENING:
            spans.append((start, token.start()))
        start = token.end()
    return [*spans, (start, len(latex))]


def depth_exceeds(latex: str, limit: int) -> bool:
    """Whether brackets nest deeper than the limit."""
    return any(depth >= limit for _, depth in _levels(latex))


def _found(latex: str, pattern: re.Pattern[str]) -> list[tuple[int, int]]:
    return [match.span() for start, end in _spans(latex) for match in pattern.finditer(latex, start, end)]


def top_level(latex: str, pattern: re.Pattern[str]) -> list[str]:
    """Splits at every match outside brackets."""
    return _cut(latex, _found(latex, pattern))


def _cut(latex: str, cuts: list[tuple[int, int]]) -> list[str]:
    bounds = [0, *(edge for cut in cuts for edge in cut), len(latex)]
    return [latex[bounds[i] : bounds[i + 1]] for i in range(0, len(bounds), 2)]


def relations(latex: str) -> list[tuple[int, int]]:
    """Where the relation signs outside brackets stand."""
    return _found(latex, _RELATION)


def split_parts(latex: str, *, words: bool = True) -> list[str]:
    """Elements of an enumeration: split at semicolons, commas and, unless told not to, `and` and `or`.

    A comma inside a number such as 1,000 does not split, and where semicolons separate groups the commas
    inside a group make a tuple of it.
    """
    pieces = _words_split(latex) if words else [latex]
    grouped = [piece for whole in pieces for piece in top_level(whole, _SEMICOLON)]
    if len(grouped) > len(pieces) and all(len(_commas(group)) > 1 for group in grouped):
        return [f"({group})" for group in grouped]
    parts = [part.strip() for group in grouped for part in _commas(group)]
    return [part for part in parts if part] or [latex]


def _words_split(latex: str) -> list[str]:
    connectors = [
        match.span() for match in _CONNECTOR.finditer(latex) if _depth_at(latex, match.start()) == 0
    ]
    return _cut(latex, connectors) if connectors else [latex]


def _depth_at(latex: str, position: int) -> int:
    depth = 0
    for token, outside in _levels(latex):
        if token.start() >= position:
            break
        depth = outside + 1 if token[0] in _OPENING else outside
    return depth


def _commas(latex: str) -> list[str]:
    spaced = top_level(latex, re.compile(r",\s+"))
    return [
        part
        for piece in spaced
        for part in ([piece] if _THOUSANDS.match(piece.strip()) else top_level(piece, _SEPARATOR))
    ]


def outer(latex: str) -> tuple[str, str] | None:
    """The brackets that enclose the whole text, and what they enclose; null when nothing does."""
    first = _TOKEN.match(latex)
    if first is None or first[0] not in _PAIRS:
        return None
    for token, depth in _levels(latex):
        if depth != 0 or token[0] not in _CLOSING:
            continue
        if token.end() != len(latex):
            return None
        mixed = first[0] in "([" and token[0] in ")]"
        if token[0] != _PAIRS[first[0]] and not mixed:
            return None
        mark = "<>" if first[0] == r"\langle" else first[0] + token[0]
        return mark, latex[first.end() : token.start()].strip()
    return None


_FUNCTIONS = re.compile(
    r"\\(?:log|ln|exp|sin|cos|tan|cot|sec|csc|arc\w+|sqrt|sum|prod|int|lim|max|min|binom|sinh|cosh|tanh|pm|mp)"
    r"(?![a-zA-Z])"
)
_TRIGONOMETRY = re.compile(
    r"\\(?:sin|cos|tan|cot|sec|csc)\s*\(?\s*(?:\\angle\s*)?(?:[A-Za-z]{1,3}|\\[a-z]+)\s*\)?"
)
_SUBSCRIPT = re.compile(r"_\s*(?:\{[^{}]*\}|\w)")
_INVERSE = re.compile(r"\^\s*(?:\{\s*(?:-\s*1|\(\d+\)|\\prime+|'+)\s*\}|'|\\prime)")
_ARGUMENT = re.compile(r"(?<=[a-zA-Z'])\s*\(\s*(?:-?\d+|[a-zA-Z])(?:\s*,\s*(?:-?\d+|[a-zA-Z]))*\s*\)")
_RATIO_OF_NAMES = re.compile(r"\\frac\s*\{\s*[A-Z]{1,3}\s*\}\s*\{\s*[A-Z]{1,3}\s*\}")


def names_something(side: str) -> bool:
    r"""Whether one side of a relation only names a quantity: `x`, `S_{ABC}`, `h^{-1}(x)`, `|AB|`, `(p,q)`.

    A side that computes something, such as `x^2+y^2` or `11a+c`, does not.
    """
    spelled = plain_words(side).strip()
    if _TRIGONOMETRY.fullmatch(spelled):
        return True
    if not spelled or _FUNCTIONS.search(spelled):
        return False
    if re.fullmatch(r"[A-Za-z][A-Za-z .'\-]*", spelled):
        return True  # a single letter, or words such as "area of the triangle"
    if re.fullmatch(r"[A-Z]\s*\([^()]*\)", spelled):
        return True  # a probability or an expectation
    spelled = _SUBSCRIPT.sub("", _INVERSE.sub("", spelled))
    spelled = _ARGUMENT.sub("", spelled)
    spelled = _RATIO_OF_NAMES.sub("X", spelled)
    spelled = re.sub(r"\\(?:[dD]elta|nabla|mathrm|text|angle|triangle|overline|vec|hat|bar)\b", "", spelled)
    spelled = re.sub(r"\\[a-z]+", "x", spelled.replace(r"^\circ", ""))
    if re.fullmatch(r"\(?\s*[a-zA-Z]+(?:\s*,\s*[a-zA-Z]+)*\s*\)?", spelled):
        return True
    return bool(re.fullmatch(r"[\s{|]*[a-zA-Z]{1,4}'?[\s}|]*(?::\s*[a-zA-Z]{1,4})?", spelled))
