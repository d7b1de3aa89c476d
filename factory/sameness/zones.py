"""Which parts of a text are code, where every token and every indentation counts, and which are prose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

__all__ = ["Zone", "code_like", "zones"]


class Zone(NamedTuple):
    """A stretch of a text of one kind."""

    kind: Literal["prose", "code", "inline"]
    """`inline` is code within a line, or a block of its own: its lines begin where it says."""
    text: str


_FENCED = re.compile(r"```.*?(?:```|\Z)|\[asy\].*?(?:\[/asy\]|\Z)|(?<!`)`(?!`)[^`\n]+`(?!`)", re.DOTALL)
_OPENED, _CLOSED = re.compile(r"\\\(\s*"), re.compile(r"\s*\\\)")
_QUOTED = re.compile(r'("""|\'\'\')(.*?)(\1|\Z)', re.DOTALL)
_LINE = re.compile(
    r"""^[ \t]*(?:
    (?:async[ ]+)?def[ ]\w+|class[ ]\w+[^.]*[:{(]|(?:for|while|if|elif|with|switch)\b[^.?]*[:{]\s*(?:\#.*)?$|
    (?:else|try|finally|do)[ ]?[:{]|except\b.*:|import[ ][\w.]+(?:[ ]as[ ]\w+|,[ ]?\w+|;)*\s*$|
    from[ ][\w.]+[ ]import[ ]|
    return\b[^.?]*$|print\s*\(|\#include|\#define|using[ ]namespace|
    (?:public|private|protected|static)[ ]\w+|
    function[ ]\w+\s*\(|(?:var|let|const|auto|int|long|double|float|char|bool|void|string)[ ]\w+.*[;{=(].*$|
    assert[ ]|@\w+|>>>[ ]|[\w.\[\]'"]+\s*(?:[-+*/%&|^]|//|\*\*)?=(?!=)[^.?$\\]*$|[}\])]+[;,]?\s*$|
    (?:SELECT|INSERT|UPDATE|DELETE|CREATE)[ ].+|fn[ ]\w+\s*\(|func[ ]\w+\s*\(|package[ ]\w+\s*;?\s*$|
    [\w.]+\([^()]*\)\s*;?\s*$|\#(?!\#)\s*\S.*|//\s*\S.*|[^$\\]*[;{]\s*$
    )""",
    re.VERBOSE,
)
_SURE = re.compile(
    r"(?m)^[ \t]*(?:def \w+|class \w+.*[:{(]|for\b[^.?\n]*[:{]\s*$|while\b[^.?\n]*[:{]\s*$|"
    r"if\b[^.?\n]*[:{]\s*$|import [\w.]+\s*$|from [\w.]+ import|print\s*\(|#include|using namespace|"
    r"(?:public|static) \w+|"
    r"function \w+\s*\(|[\w.\[\]]+ ?[-+*/]?= ?[^.?$\\\n=]*$|return [^.?\n]*;?$|"
    r"[^$\\\n]{0,200}[=()][^$\\\n]{0,200};\s*$|"
    r">>> |@\w+|fn \w+|(?:SELECT|INSERT|UPDATE|DELETE|CREATE) )"
)


def code_like(text: str) -> bool:
    """Whether some line of the text is surely code, so that its line breaks and indentation count."""
    return "```" in text or "[asy]" in text or (_may_be_code(text) and _SURE.search(text) is not None)


def zones(text: str) -> Iterator[Zone]:
    """The text cut into prose and code: fenced and inline code, and runs of lines that look like code.

    Documentation inside code is prose.
    """
    done = 0
    for match in _FENCED.finditer(text) if "`" in text or "[asy]" in text else ():
        yield from _lines(text[done : match.start()])
        fenced = match[0].startswith(("```", "[asy]"))
        yield from _block(match[0]) if fenced else [Zone("inline", match[0].strip("`"))]
        done = match.end()
    yield from _lines(text[done:])


def _block(text: str) -> Iterator[Zone]:
    """Lines between fences; labels in a drawing write mathematics in one way."""
    if text.startswith("[asy]"):
        text = _OPENED.sub("$", _CLOSED.sub("$", text))
    for line in text.strip("`").splitlines(keepends=True):
        yield Zone("code", line)


def _may_be_code(text: str) -> bool:
    return "\n" in text and any(mark in text for mark in "=(:;{@")


def _lines(text: str) -> Iterator[Zone]:
    if not _may_be_code(text) or not _SURE.search(text):
        if text:
            yield Zone("prose", text)
        return
    done = 0
    for match in _QUOTED.finditer(text):
        yield from _runs(text[done : match.start()])
        yield from _documentation(match[2])
        done = match.end()
    yield from _runs(text[done:])


def _documentation(text: str) -> Iterator[Zone]:
    for line in text.splitlines(keepends=True):
        yield Zone("code" if line.lstrip().startswith(">>>") else "prose", line)


def _runs(text: str) -> Iterator[Zone]:
    """Lines of code, each a zone with its indentation; a line inside a block is code as well."""
    prose: list[str] = []
    block: int | None = None
    for line in text.splitlines(keepends=True):
        depth = len(line) - len(line.lstrip(" \t"))
        inside = block is not None and depth > block and bool(line.strip())
        if not (inside or _LINE.match(line)):
            prose.append(line)
            block = None if line.strip() else block
            continue
        if prose:
            yield Zone("prose", "".join(prose))
            prose = []
        yield Zone("code", line)
        if line.rstrip().endswith((":", "{", "(")) and not inside:
            block = depth
    if prose:
        yield Zone("prose", "".join(prose))
