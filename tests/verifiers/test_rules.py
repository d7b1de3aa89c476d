"""Format, repetition, length, majority."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from verifiers import Case, Format, Length, Repetition, Verdict, Verifier, majority_answer
from verifiers.repetition import longest_run, repeated_share

THINKING = "First I add two and two, which makes four, and then I check it by counting once more."


def judged(verifier: Verifier, **fields: str | None) -> Verdict:
    with verifier.open() as judge:
        return judge([Case(**{"prompt": "2+2?", "content": "4", **fields})])[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (f"<think>{THINKING}</think><answer>4</answer>", ""),
        (f"<think>{THINKING}</think>\n4", "the answer has no <answer> tags"),
        ("<think></think><answer>4</answer>", "the thinking is empty"),
        ("<think>so it is</think><answer>4</answer>", "3 words of thinking, fewer than 10"),
        (f"<think>{THINKING}", "the thinking is never closed"),
        (f"{THINKING}</think>4", "the text does not start with <think>"),
        (f"<think>{THINKING}</think><think>{THINKING}</think>4", "more than one <think> pair"),
        (f"<think>{THINKING}<answer>4</answer></think>4", "a tag inside the thinking"),
        (f"<think>{THINKING}</think>", "the answer is empty"),
        (f"<think>{THINKING}</think><answer> </answer>", "the answer is empty"),
        (f"<think>{THINKING}</think><answer>5</answer><answer>6</answer>", "the answer's tags are"),
        (f"<think>{THINKING}</think>well <answer>4</answer>", "text outside the <answer> tags"),
        (f"<think>{THINKING}</think><answer>4", "the answer's tags are <answer>"),
    ],
)
def test_names_what_is_wrong_with_the_form(content: str, fault: str) -> None:
    verdict = judged(Format(), content=content)
    assert verdict.detail.startswith(fault)
    assert (verdict.verdict, verdict.score) == (("fail", 0.0) if fault else ("pass", 1.0))


def test_the_form_of_a_completion_whose_thinking_is_cut_off_is_judged_by_its_parts() -> None:
    assert judged(Format(), reasoning_content=THINKING).verdict == "pass"
    assert judged(Format(), reasoning_content="").verdict == "fail"
    assert judged(Format(), reasoning_content=THINKING, content="a </think> b").verdict == "fail"
    assert judged(Format(answer_tags="required"), reasoning_content=THINKING).verdict == "fail"
    raw = f"<think>{THINKING}</think>4"
    assert judged(Format(answer_tags="allowed"), content=raw).verdict == "pass"


def test_a_completion_cut_by_the_length_limit_has_no_form() -> None:
    good = f"<think>{THINKING}</think><answer>4</answer>"
    assert (
        judged(Format(), content=good, finish_reason="length").detail == "finished by length, not by itself"
    )
    assert judged(Format(), content=good, finish_reason="stop").verdict == "pass"
    assert judged(Format(finished=False), content=good, finish_reason="length").verdict == "pass"


def test_chinese_thinking_counts_its_characters() -> None:
    assert (
        judged(Format(), content="<think>先把两个数相加得到四再检查一遍</think><answer>4</answer>").verdict
        == "pass"
    )


@pytest.mark.realdata
def test_no_formatted_response_that_must_fail_passes(test_data: Path) -> None:
    lines = (test_data / "cases/gaming.jsonl").read_text("utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["kind"] == "format"]
    assert rows
    for row in rows:
        verdict = judged(Format(), content=row["response"])
        assert (verdict.verdict == "pass") == row["should_pass"], (
            f"{row['id']}: {row['why']}; {verdict.detail}"
        )


TEXT = " ".join(f"word{n} follows word{n + 1} in sentence {n} of the text." for n in range(150))


def test_a_text_that_does_not_repeat_itself_passes() -> None:
    verdict = judged(Repetition(), content=TEXT, reasoning_content=TEXT[:900])
    assert (verdict.verdict, verdict.score) == ("pass", 1.0)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (TEXT[:2000] * 2, "of its 20-grams more than once"),
        (TEXT + " I have to check this again." * 9, "in a row"),
        ("0123456789" * 300, "compresses to"),
    ],
)
def test_a_text_that_repeats_itself_fails_in_either_part(text: str, fault: str) -> None:
    for fields in ({"content": text}, {"reasoning_content": text}):
        verdict = judged(Repetition(), **fields)
        assert verdict.verdict == "fail"
        assert fault in verdict.detail


def test_keeps_a_run_exactly_at_the_limit() -> None:
    text = "a b c d e f " * 8
    lenient = Repetition(max_share=1.0)
    assert judged(lenient, content=text).verdict == "pass"
    assert judged(lenient, content=text + "a b c d e f").verdict == "fail"


@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(1, 5))
def test_the_share_is_that_of_stretches_seen_before(words: list[str], length: int) -> None:
    grams = [tuple(words[i : i + length]) for i in range(len(words) - length + 1)]
    assert repeated_share(words, length=length) == (1 - len(set(grams)) / len(grams) if grams else 0)


@given(st.integers(6, 30), st.integers(1, 12), st.integers(0, 20))
def test_a_sentence_of_any_length_counts_each_time_it_is_said(block: int, times: int, before: int) -> None:
    words = [f"before{n}" for n in range(before)] + [f"word{n}" for n in range(block)] * times
    assert longest_run(words, length=6) == times


def test_a_word_said_alone_counts_once_for_each_full_stretch() -> None:
    assert longest_run(["ha"] * 54, length=6) == 9
    assert longest_run(["ha"] * 5, length=6) == 0


def test_keeps_an_answer_exactly_at_each_limit_of_length() -> None:
    limits = Length(min_answer_chars=3, max_answer_chars=5, max_thinking_chars=4)
    verdicts = [judged(limits, content="x" * n, reasoning_content="t" * 4).verdict for n in (2, 3, 5, 6)]
    assert verdicts == ["fail", "pass", "pass", "fail"]
    assert (
        judged(limits, content="xxx", reasoning_content="ttttt").detail
        == "5 characters of thinking, more than 4"
    )


def test_limits_that_nothing_meets_are_refused() -> None:
    with pytest.raises(ValidationError, match="nothing can pass"):
        Length(min_answer_chars=9, max_answer_chars=3)


def test_the_majority_counts_every_spelling_of_an_answer() -> None:
    found = majority_answer([r"\boxed{\frac12}", r"\boxed{0.5}", "The answer is 1/2.", r"\boxed{2}"])
    assert found.answer == r"\frac12"
    assert found.share == 0.75
    assert found.clusters == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        (["4", "4", "4"], "fewer than 4"),
        (["4", "4", "5", "5"], "no tie"),
        (["4", "4", "5", "6"], "largest share"),
        (["4", "4", "I do not know.", "<think>4"], "largest share"),
        (["I do not know."] * 4, "no sample has an answer"),
    ],
)
def test_there_is_no_winner_without_enough_agreement(contents: list[str], why: str) -> None:
    found = majority_answer(contents)
    assert found.answer is None
    assert why in found.detail


def test_keeps_a_majority_exactly_at_the_share() -> None:
    assert majority_answer(["4"] * 3 + ["5", "6"]).answer == "4"
