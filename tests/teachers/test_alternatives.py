"""What else a token could have been: bytes, tail, the journal's form, and who may be asked for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from factory.core import PipelineError
from factory.stages.sampling.sample import Sample
from factory.stages.sampling.top_logprobs import TOP_LOGPROBS_SCHEMA, top_logprobs
from factory.teachers import Completion, Journal
from factory.teachers.alternatives import Alternatives, byte_ends, tail_mass, vocabulary_digest

TEXTS = [
    "What is 2 + 2?",
    "na\u00efve caf\u00e9",
    "\u6570\u5b66\u9898 \U0001f642\U0001f9ee end",
    " \n\n\t x",
    "a\u200db",
]


@pytest.fixture(scope="module")
def tokenizer(teacher_folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(teacher_folder)


def alternatives(tokens: int, *, k: int, text: str = "four", ends: bool = True) -> Alternatives:
    chance = np.random.default_rng(tokens)
    return Alternatives(
        text=text,
        tokenizer="v" * 64,
        token_ids=chance.integers(0, 1 << 20, tokens).astype(np.int32),
        byte_ends=np.arange(tokens, dtype=np.int32) if ends else None,
        logprobs=-chance.random(tokens).astype(np.float32),
        top_token_ids=chance.integers(0, 1 << 20, (tokens, k)).astype(np.int32),
        top_logprobs=-chance.random((tokens, k)).astype(np.float16),
        tail_mass=chance.random(tokens).astype(np.float32),
    )


@pytest.mark.teacher
@pytest.mark.parametrize("text", TEXTS)
def test_each_token_ends_where_its_letters_do(tokenizer: Any, text: str) -> None:
    prompt, tokens = tokenizer.encode("Say: "), tokenizer.encode(text, add_special_tokens=False)
    ends = byte_ends(tokenizer, prompt, tokens, text)
    assert ends is not None
    content, start = text.encode(), 0
    assert ends[-1] == len(content)
    for token, end in zip(tokens, ends.tolist(), strict=True):
        piece, start = content[start:end].decode(), end
        alone = tokenizer.decode([token])
        assert piece == alone or "\ufffd" in alone, "a whole letter belongs to the token that ends it"


@pytest.mark.teacher
def test_a_token_behind_the_text_ends_with_it(tokenizer: Any) -> None:
    tokens = [*tokenizer.encode("One. Two", add_special_tokens=False), tokenizer.eos_token_id]
    ends = byte_ends(tokenizer, [], tokens, "One")
    assert ends is not None
    assert set(ends.tolist()) == {3}


@pytest.mark.teacher
def test_another_text_than_the_tokens_give_has_no_ends(tokenizer: Any) -> None:
    assert byte_ends(tokenizer, [], tokenizer.encode("One"), "Two") is None


def test_a_tokenizer_without_a_fast_form_is_named() -> None:
    with pytest.raises(PipelineError, match="top_logprobs: 0"):
        byte_ends(object(), [], [1], "a")


@given(st.lists(st.lists(st.floats(-50, 0), min_size=3, max_size=3), min_size=1, max_size=5))
def test_the_tail_is_a_probability(logprobs: list[list[float]]) -> None:
    tail = tail_mass(np.array(logprobs))
    assert ((tail >= 0) & (tail <= 1)).all()


def test_the_tail_is_what_is_left() -> None:
    assert tail_mass(np.log([[0.5, 0.25], [0.75, 0.25]])).tolist() == [0.25, 0.0]


def test_a_vocabulary_is_told_by_what_its_ids_mean() -> None:
    class Words:
        def __init__(self, words: dict[str, int]) -> None:
            self.words = words

        def get_vocab(self) -> dict[str, int]:
            return self.words

    one, same, other = Words({"a": 0, "b": 1}), Words({"b": 1, "a": 0}), Words({"a": 1, "b": 0})
    assert vocabulary_digest(one) == vocabulary_digest(same) != vocabulary_digest(other)


@pytest.mark.parametrize(
    "made", [alternatives(3, k=2), alternatives(1, k=64, ends=False), alternatives(0, k=4)]
)
def test_the_journal_gives_back_every_number(made: Alternatives, tmp_path: Path) -> None:
    with Journal(str(tmp_path)) as journal, journal.notebook("g") as notebook:
        notebook.write("p", 0, Completion("t", "four", "stop", completion_tokens=3, alternatives=made))
    found = Journal(str(tmp_path)).find("p", 0)
    assert found is not None
    assert found.alternatives is not None
    for name in TOP_LOGPROBS_SCHEMA.names[1:]:
        wanted, got = getattr(made, name), getattr(found.alternatives, name)
        assert type(wanted) is type(got)
        assert np.array_equal(wanted, got)
        assert getattr(wanted, "shape", None) == getattr(got, "shape", None)


def test_rows_hold_every_number_in_order() -> None:
    made = [alternatives(3, k=2), alternatives(2, k=2, ends=False), alternatives(1, k=2)]
    answers = [Completion("t", "x", "stop", alternatives=one) for one in made]
    failed = Completion("t", "", "error", error="teacher_error")
    table = top_logprobs(["a", "no", "b", "c"], [answers[0], failed, *answers[1:]])
    assert table.schema.equals(TOP_LOGPROBS_SCHEMA)
    assert table["completion_id"].to_pylist() == ["a", "b", "c"]
    for name in TOP_LOGPROBS_SCHEMA.names[3:]:
        wanted = [getattr(one, name) for one in made]
        assert table[name].to_pylist() == [None if one is None else one.tolist() for one in wanted]


def test_no_rows_make_an_empty_table() -> None:
    assert top_logprobs([], []).schema.equals(TOP_LOGPROBS_SCHEMA)


@pytest.mark.parametrize(
    "fields",
    [
        {"teacher": {"type": "http", "model": "m"}},
        {"teacher": {"type": "vllm", "model": "m"}, "interpreter": {}},
    ],
)
def test_who_cannot_give_the_tokens_of_a_turn_is_not_asked(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"only a teacher of type vllm gives, without `interpreter`"):
        Sample.model_validate({"top_logprobs": 8, **fields})
