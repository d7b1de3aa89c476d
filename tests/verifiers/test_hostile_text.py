"""Completions made to hold up whoever reads them: one piece, repeated tens of thousands of times."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.verifiers.test_ifeval import EXAMPLES
from verifiers import Case, Format, IFEval, Length, Repetition
from verifiers.base import Verifier
from verifiers.code.blocks import find_program
from verifiers.judge.rules import early_finding, for_the_judge
from verifiers.math.choice import options_of
from verifiers.math.extract import answer_part, find_answer
from verifiers.testforms import read_tests

CHARACTERS = 30_000
PATIENCE_S = 2.0
PIECES = [
    *("\\boxed{", "\\boxed{1} and ", "$", "\\(", "\\[", "\\text{", "\\frac", "\\begin{pmatrix}"),
    *("1,", "1.", "-", "("),
    *("a", "A. ", "(A) ", "answer is ", "final answer ", "\n", "\n\n", " ", "\t", " \n"),
    *("\r\n", "\n*", "*", "**"),
    *("```", "```python\n", "<think>", "</think>", "<answer>", "<<", ">>", "[", "]", "."),
    *(". ", "<", "P.S. ", "x="),
    *("'", '"', "#", "def f(x):\n", "é", "０", "\x0b", "“", "a b ", "\0"),
]  # fmt: skip
ASSERTS = read_tests(json.dumps({"type": "code", "kind": "assert", "tests": ["assert f(1) == 2"]}))


def _ifeval() -> Iterator[tuple[str, Verifier, str]]:
    seen = {name: arguments for name, arguments, _, _ in EXAMPLES}
    for name, arguments in seen.items():
        tests = {"type": "ifeval", "instruction_id_list": [name], "kwargs": [arguments]}
        yield name, IFEval(), json.dumps(tests)


@pytest.fixture(scope="module")
def readers() -> Iterator[dict[str, Callable[[str], Any]]]:
    """All that reads a completion by rules, by name."""
    plain: list[tuple[str, Verifier, str | None]] = [
        ("format", Format(), None),
        ("repetition", Repetition(), None),
        ("length", Length(), None),
        *_ifeval(),
    ]
    with ExitStack() as stack:
        found: dict[str, Callable[[str], Any]] = {
            "math": lambda text: find_answer(answer_part(text) or ""),
            "options": options_of,
            "program": lambda text: find_program(text, ASSERTS),
            "judge": lambda text: for_the_judge(text, limit=1_000),
            "rules": lambda text: early_finding(
                text, prompt="Who?", reference="a cat", short_reference_words=3
            ),
        }
        for name, verifier, tests in plain:
            judge = stack.enter_context(verifier.open())
            found[name] = lambda text, judge=judge, tests=tests: judge(  # type: ignore[misc]
                [Case(prompt="p", content=text, tests=tests)]
            )
        yield found


@pytest.mark.parametrize("piece", PIECES, ids=repr)
def test_nothing_is_held_up_by_a_piece_repeated(piece: str, readers: dict[str, Callable[[str], Any]]) -> None:
    def give_up(number: int, frame: object) -> None:
        raise TimeoutError

    body = piece * (CHARACTERS // len(piece))
    before = signal.signal(signal.SIGALRM, give_up)
    late = []
    try:
        for name, read in readers.items():
            for text in (body, f"{body}x", f"```json\n{body}\n```"):
                signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
                start = time.monotonic()
                try:
                    read(text)
                except TimeoutError:
                    late.append(f"{name}, {text[:9]!r}..., more than {time.monotonic() - start:.1f} s")
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not late, "; ".join(late)


def test_deep_json_is_no_json_and_stops_no_run() -> None:
    tests = json.dumps(
        {"type": "ifeval", "instruction_id_list": ["detectable_format:json_format"], "kwargs": [{}]}
    )
    with IFEval().open() as judge:
        (found,) = judge([Case(prompt="p", content="[" * 100_000, tests=tests)])
    assert found.verdict == "fail", found.detail
