"""Signs of prompts that cannot be answered from their text: cut off, in need of a page, a table in pieces."""

from __future__ import annotations

import re

__all__ = ["is_incomplete", "looks_like_code", "needs_page", "needs_table"]

_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_CODE = re.compile(
    r"```|^\s*(?:#include\b|import [\w.*{]+|from [\w.]+ import\b|package \w|using [\w.]+;"
    r"|def \w+\(|class \w+\b.*[:{]"
    r"|func \w|fn \w|fun \w|function\b.*\(|public |private |static |let \w+ =|const \w+ ?="
    r"|var \w+ =|///?|/\*|--[ ]\w|;;|<\?php"
    r"|sub \w+ ?\{|return\b.*|\}|#!|\$\w+ ?=)"
    r"|^[\w<>\[\]*&:, ]*\b\w+ ?\([^()]*(?:\([^()]*\)[^()]*)*\)[\w<>\[\]:?>\- ]*\{?\s*$",
    re.MULTILINE,
)
_MARKUP = re.compile(r"^\s*(?:\\|\$|&)|[.?!][\"')\]]?\s*$")
_CUT_WORD = re.compile(
    r"\b(and|or|of|the|a|an|if|that|with|because|to|in|for|by|from|than|into|per|its|their)\s*$",
    re.IGNORECASE,
)
_CUT_SIGN = re.compile(r"[,(\[{，、（【]\s*$")
_JOINS = frozenset({"and", "or", "than", "into", "per"})
"""Words that end no stem of a choice: what follows is part of the sentence, not an answer."""
_ASKS = re.compile(
    r"^\W*(?:find|compute|calculate|determine|evaluate|solve|simplify|express|write|given|let|if|suppose|assume|show"
    r"|prove|what|which|how|when|where|who|why|give|list|name|explain|describe|create|design|implement|return|is|are"
    r"|do|does|can|use|convert|factor|expand|graph|consider|summari[sz]e|translate|tell|make)\b",
    re.IGNORECASE,
)  # fmt: skip
_STEM = re.compile(
    r"\b(?:is|are|was|were|be|been|became?|becomes?|seems?|appears?|represents?|means?|calls?|called|named|termed"
    r"|defined|known|suggests?|suggested|implies|implied|shows?|showed|assumes?|assumed|argues?|argued|claims?|claimed"
    r"|concludes?|concluded|states?|stated|stating|holds?|held|believes?|believed|explains?|explained|indicates?"
    r"|infers?|inferred|found|finds|due)\b(?:\s+\S+){0,4}\s+(?:because|that|an?|the|of|to|by|if|as|for|from|with|in|its|their)$"
    r"|\b(?:is|are|was|were)\b[^.?!]*\bbecause$"
)
_OPENS = re.compile(r"^\W*(?:there|it|he|she|they|we|i|you)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.?!])[\"')\]]?\s+|\n+")
_HOST = re.compile(
    r"\b(?:https?://(?:[\w-]+\.)+[a-z]{2,}|www\.[\w-]+\.[a-z]{2,})[^\s)\]>\"'`]*", re.IGNORECASE
)
_QUOTED = re.compile(r"(['\"`])(?:(?!\1)[^\n])*\1")
_READS = re.compile(
    r"\b(?:see|visit|open|read|watch|browse|follow|click|download|fetch|summari[sz]e|translate|review"
    r"|analy[sz]e|transcribe"
    r"|refer|look|go|access|check|check out|describe|proofread|rewrite|critique)\b"
    r"|\b(?:according to|based on|using|shown (?:at|in|on)|found (?:at|in|on)|given (?:at|in|on)"
    r"|available (?:at|from)"
    r"|(?:this|following|linked) (?:page|article|link|website|site|video|post|url|paper"
    r"|dataset|repo(?:sitory)?|document))\b",
    re.IGNORECASE,
)  # fmt: skip
_ASIDE = re.compile(
    r"\b(?:more (?:about|on|information|details)|definition|wikipedia|source|via"
    r"|courtesy|credit|licen[cs]e|graph(?:ed)? in)\b",
    re.IGNORECASE,
)
_IMAGE = re.compile(r"!\[[^\]]*\]\(\s*https?://|<img\b[^>]*\bsrc=", re.IGNORECASE)
_BEFORE, _FEW_WORDS = 100, 12
_RULE = re.compile(r"^\s*\|?(?:[ \t]*:?-{3,}:?[ \t]*\|)+(?:[ \t]*:?-{3,}:?[ \t]*)?$", re.MULTILINE)
_CELL = re.compile(r"(?:^|(?<=\s))\|(?=\s|$)")
_HTML = re.compile(r"<table\b[^>]*>.*<t[rdh]\b", re.IGNORECASE | re.DOTALL)
_MATH = re.compile(r"\$\$.*?\$\$|\$[^$\n]*\$|\\\[.*?\\\]|\\\(.*?\\\)|\\begin\{.*?\\end\{[^}]*\}", re.DOTALL)
_DOCSTRING = re.compile(r"(\"\"\"|''').*?(?:\1|\Z)", re.DOTALL)
_TABLE_LINES = 3


def looks_like_code(text: str) -> bool:
    """Whether a text holds lines of a program, in any of the usual languages."""
    return any(not _MARKUP.search(found[0]) for found in _CODE.finditer(text))


def is_incomplete(text: str) -> bool:
    """Whether a prompt breaks off in the middle of a sentence.

    A program ends where its function is to begin, and the stem of a choice where an option is to follow
    ("... is flawed because"): neither is cut off. A request or a condition that ends so is.
    """
    end = text.rstrip()
    if looks_like_code(end):
        return False
    if _CUT_SIGN.search(end):
        return True
    found = _CUT_WORD.search(end)
    if found is None:
        return False
    last = _SENTENCE.split(end)[-1]
    word = found[1]
    if re.search(r"(?:/|\()an?\s*$", end) or word == "A":
        return False
    if word != word.lower():
        return word == word.capitalize()
    stem = _STEM.search(last.rstrip()) and not _ASKS.search(last) and not _OPENS.search(last)
    return word in _JOINS or not stem


def needs_page(text: str) -> bool:
    """Whether a prompt asks about what stands at an address, rather than naming it in passing.

    Addresses in code, in quotes (values of a program) or after "more about" are part of the prompt.
    """
    if _IMAGE.search(text):
        return True
    prose = _DOCSTRING.sub(" ", _FENCE.sub(" ", text))
    if looks_like_code(prose):
        return False
    prose = _QUOTED.sub(" ", prose)
    found = list(_HOST.finditer(prose))
    if not found:
        return False
    if len(_HOST.sub(" ", prose).split()) < _FEW_WORDS:
        return True
    before = [prose[max(0, match.start() - _BEFORE) : match.start()] for match in found]
    return any(_READS.search(part) and not _ASIDE.search(part) for part in before)


def needs_table(text: str) -> bool:
    """Whether a prompt holds a table drawn by rules of Markdown or HTML, whose columns a model reads badly.

    A table in LaTeX is text that a model of mathematics reads, `|x|` is no cell, and a drawing inside code
    belongs to the program.
    """
    prose = _MATH.sub(" ", _DOCSTRING.sub(" ", _FENCE.sub(" ", text)))
    if _HTML.search(prose):
        return True
    if looks_like_code(prose):
        return False
    return _RULE.search(prose) is not None or _has_piped_lines(prose)


def _has_piped_lines(text: str) -> bool:
    """Three lines in a row with as many cells each, two at least, between bars that stand alone."""
    run, last = 0, 0
    for line in text.splitlines():
        bars = len(_CELL.findall(line.strip()))
        run = run + 1 if bars and bars == last else int(bars > 1)
        last = bars
        if run >= _TABLE_LINES and bars > 1:
            return True
    return False
