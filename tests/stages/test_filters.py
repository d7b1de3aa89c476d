"""The filters that look at one row: clean, length, pass-rate. Their `examples` run for every filter alike."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from factory.core import Filter
from factory.stages.answers.length import Length
from factory.stages.answers.pass_rate import PassRate
from factory.stages.answers.repetition import Repetition
from factory.stages.answers.think_format import ThinkFormat
from factory.stages.prompts.clean import Clean
from factory.stages.prompts.downsample import Downsample
from factory.stages.prompts.prompt_filters import PromptFilters
from tests.stages.tables import completions, problems

FILTERS: list[Filter] = [
    Clean(),
    Length(),
    PassRate(min=0.25, max=0.625),
    PromptFilters(),
    Repetition(),
    ThinkFormat(),
    Downsample.model_validate(Downsample.minimal),
]


def table_of(rows: list[Any], stage: Filter) -> pa.Table:
    """Example rows as a table; a bare value stands for the one required column."""
    plain = [r if isinstance(r, dict) else dict.fromkeys(stage.needs(), r) for r in rows]
    return pa.Table.from_pylist(plain, pa.schema([f for f in TYPES if f.name in stage.needs()]))


TYPES = [*completions([{}]).schema, pa.field("pass_rate", pa.float64())]


@pytest.mark.parametrize("stage", FILTERS, ids=lambda s: s.type)
def test_examples_are_cut_for_the_reason_they_name(stage: Filter) -> None:
    assert stage.examples
    for row, reason in stage.examples:
        found = stage.reject(table_of([row], stage)).to_pylist()[0]
        assert found == reason, (
            f"{stage.type} gives {found!r} for {str(row)[:80]!r}, its example says {reason!r}"
        )


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=6))
def test_clean_never_rejects_a_row_for_its_neighbours(texts: list[str]) -> None:
    together = Clean().reject(problems(texts)).to_pylist()
    apart = [Clean().reject(problems([t])).to_pylist()[0] for t in texts]
    assert together == apart


def test_clean_keeps_a_prompt_exactly_at_the_limit() -> None:
    found = Clean(max_chars=10).reject(problems(["a" * 10, "a" * 11])).to_pylist()
    assert found == [None, "too_long"]


def test_clean_keeps_formulas_code_and_other_scripts() -> None:
    texts = [
        r"\[\frac{x^2+1}{(x-1)(x+2)} = ?\]",
        "def f(x):\n    return [i**2 for i in range(x)]  # what is f(3)?",
        "求 1+1 的值。",
        "ما هو ٢+٢؟",
        "3 + 4 = ?",
        "\u200fשלום, כמה זה 2+2?\u200f",
    ]
    assert Clean().reject(problems(texts)).to_pylist() == [None] * len(texts)


def test_clean_rejects_bytes_that_were_never_text() -> None:
    texts = ["\x00\x01\x02" * 20 + "abc", "PK\x03\x04\x14\x00\x06", "\ufffd" * 5]
    assert Clean().reject(problems(texts)).to_pylist() == ["not_text"] * 3


def test_length_limits_include_their_ends() -> None:
    rows = completions([{"content": "a b"}, {"content": "a b c"}, {"content": "a b c d"}, {"content": "a"}])
    found = Length(min_words=2, max_words=3).reject(rows).to_pylist()
    assert found == [None, None, "too_long", "too_short"]
    rows = completions([{"completion_tokens": n} for n in (4, 5, 6, None)])
    assert Length(min_tokens=5, max_tokens=5).reject(rows).to_pylist() == [
        "too_short",
        None,
        "too_long",
        None,
    ]


def test_length_reads_only_what_its_limits_need() -> None:
    assert Length(keep_truncated=True).needs() == {"content"}
    assert Length(max_tokens=9).needs() == {"content", "completion_tokens", "finish_reason"}


def test_windows_that_are_upside_down_are_refused() -> None:
    with pytest.raises(ValidationError, match="above"):
        PassRate(min=0.7, max=0.2)
    with pytest.raises(ValidationError, match="above"):
        Length(min_words=5, max_words=2)


def test_pass_rate_keeps_both_ends_of_its_window() -> None:
    rates = pa.table({"pass_rate": pa.array([0.25, 0.625, 0.2499, 0.6251, None])})
    found = PassRate(min=0.25, max=0.625).reject(rates).to_pylist()
    assert found == [None, None, "too_hard", "too_easy", "unjudged"]
    assert PassRate().reject(rates.slice(0, 4)).to_pylist() == [None] * 4
