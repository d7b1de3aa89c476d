"""Finding the program in a completion: the last fenced block that can be what the tests ask for."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from verifiers.code.usual_imports import with_usual_imports
from verifiers.testforms import AssertTests, CodeTests, PytestTests, StdinTests
from verifiers.testforms.source import (
    imported_from,
    parsed,
    shadowed_builtin,
    tested_names,
    top_level_names,
)

__all__ = ["Program", "find_program", "wanted_names"]


@dataclass(frozen=True, slots=True)
class Program:
    """What the tests are run on."""

    code: str
    language: str
    where: str
    """What was taken: `last block`, `block 1 of 3`, `whole text`."""


@dataclass(frozen=True, slots=True)
class _Block:
    text: str
    tag: str
    where: str


_TAGS = {
    "": None, "python": "python", "py": "python", "python3": "python", "pypy": "python", "pypy3": "python",
    "sage": "python", "cpp": "cpp", "c++": "cpp", "cc": "cpp", "cxx": "cpp", "c++17": "cpp", "c++20": "cpp",
    "cpp17": "cpp", "js": "javascript", "javascript": "javascript", "node": "javascript", "java": "java",
    "rust": "rust", "rs": "rust",
}  # fmt: skip
_PROSE = frozenset({
    "bash", "console", "diff", "input", "json", "latex", "markdown", "math", "md", "output", "plain",
    "plaintext", "sh", "shell", "text", "txt", "yaml",
})  # fmt: skip
"""Tags of blocks that hold no solution, whatever the problem."""

# Possessive, since a hostile line could make it try every split of a long run of tildes.
_FENCE = re.compile(r"^([ \t]*+)(`{3,}+|~{3,}+)[ \t]*+([^\s`{]*+)[^`\n]*+$")
_BYTE_ORDER = re.compile("^\ufeff+", re.MULTILINE)
"""A mark that editors leave at the start of a file, and that no parser takes within one."""
MAX_BLOCKS = 50
"""Blocks from the end that are looked at; each may be parsed several times."""

_READS = re.compile(r"\binput\s*\(|\bstdin\b|\bopen\s*\(\s*(?:0|['\"]/dev/stdin)|\bfileinput\b")
_MARKS = {
    "cpp": re.compile(r"\bmain\s*\("),
    "java": re.compile(r"\bstatic\s+(?:final\s+)?(?:public\s+)?void\s+main\b"),
    "rust": re.compile(r"\bfn\s+main\s*\("),
    "javascript": re.compile(r"\bstdin\b|\breadline\b|readFileSync"),
}
"""What a whole program of a language cannot do without."""


def find_program(content: str, tests: CodeTests) -> Program | str:
    """The program of a completion that its tests are meant for, or why there is none.

    Only text after the last `</think>` counts. The tag of a block is believed; a block without one may be in
    any language that its text speaks for.
    """
    text = _answer_part(content)
    if not text.strip():
        return "no text after the thinking"
    blocks = list(_blocks(text))[-MAX_BLOCKS:]
    whole = [] if any(_language(block) for block in blocks) else [_Block(text, "", "whole text")]
    language = _chosen_language(blocks or whole, tests.language)
    if language != "python":
        return _other_program(blocks or whole, language)
    mine = [block for block in blocks if _language(block) == "python" or not block.tag]
    found = _python_program([*whole, *mine], tests)
    if isinstance(found, str) or not tests.usual_imports:
        return found
    return replace(found, code=with_usual_imports(found.code))


def wanted_names(tests: CodeTests) -> frozenset[str]:
    """What the solution must define for the tests to mean anything; empty where they do not say."""
    if isinstance(tests, StdinTests):
        return frozenset()
    if tests.entry_point and not isinstance(tests, PytestTests):
        return frozenset({tests.entry_point.replace("()", "")})
    source = tests.source() if isinstance(tests, AssertTests) else getattr(tests, "tests", "")
    tree = parsed(source) if tests.language == "python" else ""
    if isinstance(tree, str):
        return frozenset()
    if not isinstance(tests, PytestTests):
        shadowed = shadowed_builtin(tree)
        return frozenset(tested_names(tree) or ({shadowed} if shadowed else set()))
    imported = imported_from(tree, tests.module)
    return frozenset(imported or ({tests.entry_point} if tests.entry_point else set()))


def _read(code: str) -> ast.Module | str:
    """The tree of what a completion holds, or why there is none."""
    return parsed(code, of_completion=True)


def _answer_part(content: str) -> str:
    """The text after the thinking; empty when thinking was opened and never closed."""
    content = _BYTE_ORDER.sub("", content)
    head, closed, tail = content.rpartition("</think>")
    if closed:
        return tail
    return "" if "<think>" in content else head or tail


def _blocks(text: str) -> Iterator[_Block]:
    """Fenced blocks in order; one that is never closed reaches to the end."""
    found: list[tuple[str, str]] = []
    opened: re.Match[str] | None = None
    body: list[str] = []
    for line in text.split("\n"):
        fence = _FENCE.match(line.rstrip("\r"))
        if opened is None:
            if fence:
                opened, body = fence, []
        elif fence and not fence[3] and fence[2].startswith(opened[2]):
            found.append((opened[3].lower(), _dedented(body, opened[1])))
            opened = None
        else:
            body.append(line)
    if opened is not None:
        found.append((opened[3].lower(), _dedented(body, opened[1])))
    for number, (tag, code) in enumerate(found, 1):
        last = number == len(found)
        yield _Block(code, tag.strip("."), "last block" if last else f"block {number} of {len(found)}")


def _dedented(lines: Sequence[str], margin: str) -> str:
    """The lines of a block without the margin of its fence, as of a list item."""
    code = "\n".join(line.removeprefix(margin) for line in lines)
    return textwrap.dedent(code) if margin else code


def _language(block: _Block) -> str | None:
    """The language that a block is tagged with, `other:` and the tag where it is one we do not know."""
    if block.tag in _PROSE:
        return None
    if block.tag in _TAGS:
        return _TAGS[block.tag] or _spoken_language(block.text)
    return f"other:{block.tag}"


def _spoken_language(text: str) -> str | None:
    if "#include" in text:
        return "cpp"
    if _MARKS["java"].search(text):
        return "java"
    return None if isinstance(_read(text), str) else "python"


def _chosen_language(blocks: Sequence[_Block], wanted: str | None) -> str:
    """The language asked for, else that of the last block that has one we run."""
    if wanted is not None:
        return wanted
    spoken = [language for block in reversed(blocks) if (language := _language(block)) is not None]
    known = [language for language in spoken if not language.startswith("other:")]
    return next(iter(known or spoken), "python")


def _other_program(blocks: Sequence[_Block], language: str) -> Program | str:
    mine = [block for block in blocks if _language(block) == language]
    mark = _MARKS.get(language)
    whole = [block for block in mine if mark is None or mark.search(block.text)]
    if not mine:
        return f"no block of {language} code"
    block = (whole or mine)[-1]
    return Program(block.text, language, block.where)


def _python_program(blocks: Sequence[_Block], tests: CodeTests) -> Program | str:
    """The last block that fits best; `blocks` are in order of growing preference."""
    names = wanted_names(tests)
    prefix = "" if isinstance(tests, StdinTests) else tests.prefix
    readings = [(block, _names_of(block.text)) for block in reversed(blocks)]
    # Each pass asks for less than the one before it.
    fits: list[Callable[[_Block, set[str] | None], str | None]] = [
        lambda block, found: _with_prefix(prefix, block.text) if _fits(block, found, names, tests) else None,
        lambda block, found: _continued(prefix, block.text, names, tests) if prefix else None,
        lambda block, found: block.text if found is not None and names & found else None,
        lambda block, found: block.text if found is not None and not names else None,
    ]
    for fit in fits:
        for block, found in readings:
            code = fit(block, found)
            if code is not None:
                return Program(code, "python", block.where)
    if any(found is not None for _, found in readings):
        return f"the code defines no {' or '.join(sorted(names))}"
    fault = next((fault for block, _ in readings if isinstance(fault := _read(block.text), str)), "no code")
    return f"no python code that parses: {fault}"


def _names_of(code: str) -> set[str] | None:
    """What a block defines; null when it does not parse or holds nothing."""
    tree = _read(code)
    return None if isinstance(tree, str) or not tree.body else top_level_names(tree)


def _fits(block: _Block, found: set[str] | None, names: frozenset[str], tests: CodeTests) -> bool:
    if found is None:
        return False
    if isinstance(tests, StdinTests):
        return _READS.search(block.text) is not None
    return bool(names) and all(name in found or f"Solution.{name}" in found for name in names)


def _with_prefix(prefix: str, code: str) -> str:
    """The solution behind the prefix, whose stub it defines anew; alone where the two do not go together."""
    joined = f"{prefix}\n{code}"
    # An import from __future__ must stay the first statement.
    alone = not prefix or "from __future__" in code or isinstance(_read(joined), str)
    return code if alone else joined


def _continued(prefix: str, code: str, names: frozenset[str], tests: CodeTests) -> str | None:
    """The prefix with a text that goes on where it ends, such as the body of its function."""
    if not isinstance(_read(code), str) and code[:1] not in (" ", "\t"):
        bodies = [textwrap.indent(code, "    ")] if "return" in code else []
    else:
        # Models drop the indentation of the first line, or of all.
        bodies = [code, textwrap.indent(code, "    "), f"    {code}"]
    for body in bodies:
        joined = f"{prefix.rstrip(' ')}{'' if prefix.endswith(chr(10)) else chr(10)}{body}"
        if _fits(_Block(joined, "", ""), _names_of(joined), names, tests):
            return joined
    return None
