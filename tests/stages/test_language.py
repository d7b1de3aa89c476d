from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from factory.stages.prompts.language import Language, language_of
from tests.stages.tables import problems


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("How many apples does Tom have?", "en"),
        ("Simplify $\\frac{1}{2}$", "en"),
        ("小明有5个苹果，他又买了7个，一共有多少个？", "zh"),
        ("用 Python 写一个函数 sort_list", "zh"),
        ("りんごはいくつありますか。漢字も使います。", "other"),
        ("사과가 몇 개 있습니까?", "other"),
        ("Combien de pommes Marie possède-t-elle après avoir mangé deux fruits ?", "other"),
        ("Wie viele Äpfel besitzt Maria nach dem Essen noch übrig insgesamt?", "other"),
        ("Is maith liom a bheith ag siúl cois farraige ar maidin.", "other"),
        ("Ta an fear ag an doras agus is maith an la e i do theach.", "other"),
        ("A haz mellett van egy nagy fa, a gyerekek is ott vannak, de nem most.", "other"),
        ("Han har to biler i garagen for at have en i reserve.", "other"),
        ("Was the box in the car? He is on his way.", "en"),
        ("#include <stdio.h>\n// Return the sum of two numbers\nint add(int a, int b) {", "en"),
        ("2 + 3 = ?", "other"),
        ("", "other"),
    ],
)
def test_language_of(text: str, label: str) -> None:
    assert language_of(text) == label


def test_every_row_is_labelled_and_none_is_cut() -> None:
    table = problems(["How many are there in the box?", "一共有多少个？"])
    flow = Language().apply(table)
    assert flow.kept.schema == Language().schema_out(table.schema)
    assert flow.kept["language"].to_pylist() == ["en", "zh"]
    assert flow.rejected.num_rows == 0


@pytest.mark.realdata
def test_english_and_chinese_sets_get_their_language(test_data: Path) -> None:
    folder = test_data / "data"
    english = [json.loads(r)["question"] for r in (folder / "gsm8k/test.jsonl").read_text().splitlines()]
    path = folder / "decontam_rephrased/high_school_us_history_test_chinese.jsonl"
    chinese = [json.loads(r)["text"] for r in path.read_text().splitlines()]
    assert Counter(map(language_of, english))["en"] >= 0.99 * len(english)
    assert Counter(map(language_of, [t for t in chinese if t.strip()]))["zh"] >= 0.95 * len(chinese)


@pytest.mark.realdata
def test_sentences_of_other_languages_are_not_english(test_data: Path) -> None:
    path = test_data / "data" / "languages" / "sentences.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    wrong = [r["text"] for r in rows if r["language"] != "en" and language_of(r["text"]) == "en"]
    assert len(wrong) <= 0.002 * len(rows), f"labelled English: {wrong}"
    right = [language_of(r["text"]) for r in rows if r["language"] == "en"]
    assert right.count("en") >= 0.95 * len(right)
