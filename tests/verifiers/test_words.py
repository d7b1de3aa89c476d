"""Words in any script, and that stage and verifier judge by them alike."""

from __future__ import annotations

import pyarrow as pa
import pytest

from factory.stages.answers.length import Length
from factory.stages.answers.repetition import Repetition as RepetitionStage
from factory.stages.answers.think_format import ThinkFormat
from verifiers import Case, Format, Repetition
from verifiers.words import words

SENTENCES = {
    "en": "so I have to check this sum again, ",
    "zh": "所以我要再检查一遍这个答案。",
    "ja": "だから、もう一度この答えを確かめます。",
    "th": "ดังนั้นฉันต้องตรวจคำตอบนี้อีกครั้ง ",
    "hi": "इसलिए मुझे इस उत्तर को फिर से जाँचना होगा। ",
    "ar": "لذلك يجب أن أتحقق من هذا الجواب مرة أخرى. ",
    "ko": "그래서 이 답을 다시 한번 확인해야 한다. ",
}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("two words", 2),
        ("x_1 = 3.5", 4),
        ("先把两个数", 5),
        ("मुझे जाँचना होगा", 3),
        ("?!", 0),
        ("cafe\u0301 noir", 2),
    ],
)
def test_counts_words_with_their_marks(text: str, count: int) -> None:
    assert len(words(text)) == count


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_said_over_and_over_is_cut_by_stage_and_verifier_alike(language: str) -> None:
    sentence = SENTENCES[language]
    for text, bad in ((sentence * 40, True), (sentence, False)):
        batch = pa.table({"content": [text], "reasoning_content": pa.array([None], pa.string())})
        cut = RepetitionStage().reject(batch).to_pylist() == ["repetitive"]
        with Repetition().open() as judge:
            failed = judge([Case(prompt="p", content=text)])[0].verdict == "fail"
        assert cut == failed == bad


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_is_long_enough_in_any_script(language: str) -> None:
    batch = pa.table({"content": [SENTENCES[language], "a b c"], "finish_reason": ["stop", "stop"]})
    assert Length(min_words=5).reject(batch).to_pylist() == [None, "too_short"]


@pytest.mark.parametrize("language", SENTENCES)
def test_the_form_of_a_completion_is_judged_alike(language: str) -> None:
    sentence = SENTENCES[language]
    for thinking, content in ((sentence, "4"), ("", "4"), (sentence, ""), (f"{sentence}</think>", "4")):
        batch = pa.table({"content": [content], "reasoning_content": [thinking]})
        kept = ThinkFormat().reject(batch).to_pylist() == [None]
        with Format(min_thinking_words=1).open() as judge:
            case = Case(prompt="p", content=content, reasoning_content=thinking)
            assert (judge([case])[0].verdict == "pass") == kept
