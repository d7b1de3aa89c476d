"""Which program of a completion is taken."""

from __future__ import annotations

import json
import textwrap
import time

import pytest

from tests.verifiers.code_cases import ADD1, ASSERTS, READS, STDIN, fenced
from verifiers.code.blocks import Program, find_program
from verifiers.testforms import read_tests

HUMANEVAL = json.dumps({"prompt": "def f(x):\n    \n", "entry_point": "f", "test": "def check(c): c(1)"})
OTHER = "def add1(n): return 0"
PICKED = [
    ("a usage example after the solution", fenced(ADD1) + fenced("print(add1(41))"), ASSERTS, ADD1),
    ("the last of two solutions", fenced("def add1(n): return 0") + fenced(ADD1), ASSERTS, ADD1),
    ("only the text after the thinking", f"<think>{fenced(OTHER)}</think>{fenced(ADD1)}", ASSERTS, ADD1),
    ("a block without a tag", fenced(ADD1, ""), ASSERTS, ADD1),
    ("a block that is never closed", f"```python\n{ADD1}", ASSERTS, ADD1),
    ("a block within a list", "1. So:\n" + textwrap.indent(f"```py\n{ADD1}```", "   "), ASSERTS, ADD1),
    ("tildes and longer fences", f"~~~~python\n{ADD1}\n~~~~", ASSERTS, ADD1),
    ("no block at all", ADD1, ASSERTS, ADD1),
    ("a block that parses, not the last one", fenced(ADD1) + fenced("def add1(n) return"), ASSERTS, ADD1),
    ("what reads stdin, not sample data", fenced(READS) + fenced("5", "") + fenced("x = 1"), STDIN, READS),
    ("a program for stdin that needs no input", fenced("print(2)"), STDIN, "print(2)"),
    ("the code and not its output", fenced(READS) + fenced("2", "output"), STDIN, READS),
]  # fmt: skip


@pytest.mark.parametrize(("what", "content", "tests", "code"), PICKED, ids=[row[0] for row in PICKED])
def test_takes(what: str, content: str, tests: str, code: str) -> None:
    found = find_program(content, read_tests(tests))
    assert isinstance(found, Program), f"{what}: {found}"
    assert found.code.strip() == code.strip(), f"not taken: {what}"


REFUSED = [
    ("thinking that was never closed", f"<think>{fenced(ADD1)}", "no text"),
    ("code in the thinking alone", f"<think>{fenced(ADD1)}</think>Sorry.", "parses"),
    ("code that defines something else", fenced("def add2(n): return n + 2"), "no add1"),
    ("code that ends the process", fenced("import sys\nsys.exit(0)"), "no add1"),
    ("words alone", "I cannot help with that.", "parses"),
    ("another language than the tests want", fenced("int main() {}", "cpp"), "no python code"),
]


@pytest.mark.parametrize(("what", "content", "why"), REFUSED, ids=[row[0] for row in REFUSED])
def test_finds_no_program_in(what: str, content: str, why: str) -> None:
    found = find_program(content, read_tests(ASSERTS))
    assert isinstance(found, str), f"{what}: took {found}"
    assert why in found


@pytest.mark.parametrize(
    "line",
    ["~" * 200_000 + "`", " " * 200_000 + "x", "```a\n" * 30_000, "input" + " " * 200_000, "(" * 200_000],
)
def test_a_hostile_text_is_read_in_time(line: str) -> None:
    start = time.monotonic()
    assert isinstance(find_program(line, read_tests(HUMANEVAL)), str)
    find_program(f"```python\n{line}\n```", read_tests(STDIN))
    assert time.monotonic() - start < 20, "a hostile text holds the reader up"


def test_believes_the_tag_of_a_block_where_any_language_will_do() -> None:
    cpp = "#include <iostream>\nint main() { int n; std::cin >> n; std::cout << n + 1; }"
    for content in (fenced(cpp, "cpp"), fenced(cpp, ""), fenced(READS) + fenced(cpp, "C++")):
        found = find_program(content, read_tests(STDIN))
        assert isinstance(found, Program)
        assert (found.language, found.code) == ("cpp", cpp)
