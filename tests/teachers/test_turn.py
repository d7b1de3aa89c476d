"""One turn of two writers: where its code ends, and what its parts are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.teachers import Completion
from factory.teachers.cells import Ran, shortened
from factory.teachers.turn import Fences, Turn


@given(st.text(max_size=400), st.integers(100, 300))
def test_a_shortened_text_is_never_longer_than_allowed(text: str, most: int) -> None:
    cut = shortened(text, most=most)
    assert len(cut) <= most
    assert (cut == text) == (len(text) <= most)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a\n```python\nx\n```\n", "x\n"),
        ("1. so\n   ```python\n   if x:\n       y\n   ```\n", "if x:\n    y\n"),
        ("```text\n```\n```python\nx\n```", "x\n"),
        ("```python\nx\n\n```  \n", "x\n\n"),
        ("```python\n'\u2028'\n```\n", "'\u2028'\n"),
        ("```python\nx\n```\nthen\n", None),
        ("```python\nx = '```'\n", None),
        ("```python3\nx\n```\n", None),
        ("```\nx\n```\n", None),
        ("x\n```\n", None),
        ("", None),
    ],
)
def test_finds_the_block_that_ends_with_the_text(text: str, code: str | None) -> None:
    found = Fences("```python", "```").last_block(text)
    assert (found[1] if found else None) == code


WORDS = ["word ", "\n", "```python\n", "```\n", "```", "x = 1\n", "    ", "<think>", "</think>", "ä"]
PARTS = st.lists(st.sampled_from(WORDS), max_size=12).map("".join)


@given(st.lists(st.tuples(PARTS, st.text(max_size=5)), min_size=1, max_size=6), st.text(max_size=3))
def test_the_parts_of_a_turn_are_the_turn_and_those_trained_on_are_the_teachers(
    steps: list[tuple[str, str]], hint: str
) -> None:
    turn, written, ended = Turn(Fences("```python", "```"), max_calls=2), "", False
    turn.insert("hint", hint)
    for text, output in steps:
        head, stop, _ = text.partition("```\n")
        stopped = bool(stop) and not turn.exhausted
        said = head if stopped else text
        ended = turn.take(Completion("t", said, "stop", stopped_by="```\n" if stopped else None))
        written += said + ("```\n" if stopped else "")
        if turn.block is not None:
            turn.ran(output, Ran(output, True, 0.1))
        if ended:
            break
    whole = turn.whole(None, "", finish_reason="stop")
    assert whole.segments is not None
    assert "".join(s.text for s in whole.segments) == turn.text
    assert "".join(s.text for s in whole.segments if s.train) == written
    assert all(s.text for s in whole.segments)
    assert sum(s.type == "output" for s in whole.segments) <= 2
