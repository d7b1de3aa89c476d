from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from verifiers import Case, IFEval, Verdict
from verifiers.ifeval.checks import CHECKS
from verifiers.ifeval.text import language_of, sentences

ENGLISH = "The trees are tall and green. They give shade to the people of the town."

EXAMPLES: list[tuple[str, dict[str, Any], str, str]] = [
    ("keywords:existence", {"keywords": ["tree", "town"]}, ENGLISH, "The town is old."),
    ("keywords:frequency", {"keyword": "the", "frequency": 3, "relation": "at least"}, ENGLISH, "the end"),
    ("keywords:frequency", {"keyword": "the", "frequency": 2, "relation": "less than"}, "the end", ENGLISH),
    ("keywords:forbidden_words", {"forbidden_words": ["tree", "sun"]}, ENGLISH, "The tree stands."),
    (
        "keywords:letter_frequency",
        {"letter": "a", "let_frequency": 3, "let_relation": "at least"},
        ENGLISH,
        "A.",
    ),
    ("language:response_language", {"language": "de"}, "Das ist nicht der Weg, den ich gehe.", ENGLISH),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "at least"}, ENGLISH, "One. "),
    (
        "length_constraints:number_words",
        {"num_words": 5, "relation": "less than"},
        "Four words are here",
        ENGLISH,
    ),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "One\n***\nTwo", "One\n\nTwo"),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Two"},
        "One is here\n\n**Two** is there",
        "Two is here\n\nOne is there",
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[name] of [town]", "[name] of []"),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "Bye\nP.P.S. come", "Bye\nP.S. come"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye\n\n**P.S.** come", "Bye\nPS"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n- b\ntext", "* a\n* b\n* c"),
    ("detectable_format:constrained_response", {}, "My answer is yes.", "My answer is yes. My answer is no."),
    (
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 2},
        "*a* and **b**",
        "*a* and ** **",
    ),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "SECTION", "num_sections": 2},
        "SECTION 1\na\nSECTION 2\nb",
        "SECTION 1\na",
    ),
    ("detectable_format:json_format", {}, '```json\n{"a": 1}\n```', "{}"),
    ("detectable_format:title", {}, "<<Trees>>\nThey are tall.", "<< >>\nTrees"),
    ("combination:two_responses", {}, "One\n******\nTwo", "One\n******\nOne"),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say hi."}, "say hi. Hi!", "Say hi."),
    (
        "startend:end_checker",
        {"end_phrase": "Any questions?"},
        'So it is. "any questions?"',
        "Any questions? No.",
    ),
    ("startend:quotation", {}, '"So it is."', '"So" it is.'),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        "The BIG CAT sat.",
        "The Big CAT sat.",
    ),
    ("change_case:english_capital", {}, ENGLISH.upper(), ENGLISH),
    ("change_case:english_lowercase", {}, ENGLISH.lower(), ENGLISH),
    ("punctuation:no_comma", {}, ENGLISH, "Tall, green trees."),
]


def judged(content: str, tests: Any, **settings: Any) -> Verdict:
    with IFEval(**settings).open() as judge:
        return judge([Case(prompt="", content=content, tests=json.dumps(tests))])[0]


def test_every_instruction_has_an_example() -> None:
    assert {name for name, *_ in EXAMPLES} == set(CHECKS)
    assert len(CHECKS) == 25


@pytest.mark.parametrize(("name", "arguments", "follows", "breaks"), EXAMPLES)
def test_tells_a_text_that_follows_from_one_that_does_not(
    name: str, arguments: dict[str, Any], follows: str, breaks: str
) -> None:
    tests = {"type": "ifeval", "instructions": [{"id": name, "kwargs": arguments}]}
    assert judged(follows, tests).verdict == "pass", f"{name} refuses {follows!r}"
    assert judged(breaks, tests).verdict == "fail", f"{name} accepts {breaks!r}"
    assert judged("", tests).verdict == "fail", f"{name} accepts an empty response"


def test_reads_the_published_fields_and_leaves_out_null_arguments() -> None:
    tests = {
        "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
        "kwargs": [{"num_words": None}, {"num_words": 5.0, "relation": "less than", "keywords": None}],
    }
    verdict = judged("No comma here but far too many words", tests)
    assert (verdict.verdict, verdict.score) == ("fail", 0.5)
    assert verdict.detail == "not followed: length_constraints:number_words"


@pytest.mark.parametrize(
    "tests",
    [
        {"type": "ifeval", "instructions": []},
        {"type": "ifeval", "instructions": [{"id": "unknown:check"}]},
        {"type": "ifeval", "instructions": [{"id": "keywords:existence", "kwargs": {}}]},
        {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}, {}]},
        {"type": "stdin", "inputs": []},
        [],
    ],
)
def test_instructions_that_cannot_be_checked_are_an_error_and_no_fail(tests: Any) -> None:
    verdict = judged("Some text", tests)
    assert (verdict.verdict, verdict.score) == ("error", None)


def test_a_case_without_tests_is_an_error() -> None:
    with IFEval().open() as judge:
        assert judge([Case(prompt="", content="text")])[0].verdict == "error"


def test_loose_forgives_a_line_around_the_answer_and_asterisks() -> None:
    tests = {"type": "ifeval", "instructions": [{"id": "startend:quotation"}]}
    text = 'Here you are, as asked:\n"So it is."'
    assert judged(text, tests).verdict == "fail"
    assert judged(text, tests, mode="loose").verdict == "pass"
    assert judged("", tests, mode="loose").verdict == "fail"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Dr. Smith paid 3.50 dollars. He left!", 2),
        ("What?! Yes... It is e.g. a cat. J. R. Tolkien wrote it.", 4),
        ('"Stop." He ran.', 2),
        ("第一句。第二句！第三句？", 3),
        ("No mark at the end", 1),
        ("", 0),
    ],
)
def test_counts_sentences_by_their_final_marks(text: str, count: int) -> None:
    assert len(sentences(text)) == count, sentences(text)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", ENGLISH),
        ("es", "El perro de la casa no es como los otros que se ven por la calle."),
        ("pt", "O cachorro da casa não é como os outros que se veem na rua, mas é bom."),
        ("fr", "Le chien de la maison n'est pas dans les rues, il est avec nous."),
        ("it", "Il cane della casa non è come gli altri che si vedono, ma è con noi."),
        ("ru", "Собака бежит по улице, и её никто не видел, потому что была ночь."),
        ("uk", "Собака біжить вулицею, і її ніхто не бачив."),
        ("bg", "Кучето тича по улицата и никой не го видя, защото беше нощ и тъмно."),
        ("zh", "今天的天气很好，我们去公园散步。"),
        ("ja", "今日はとても天気がいいので、公園を散歩します。"),
        ("ko", "오늘은 날씨가 좋아서 공원을 산책합니다."),
        ("ar", "الطقس جميل اليوم لذلك سنذهب إلى الحديقة."),
        ("fa", "امروز هوا خوب است و ما به پارک می‌رویم چون گرم است."),
        ("hi", "आज मौसम अच्छा है और हम पार्क में जा रहे हैं।"),
        ("vi", "Hôm nay trời đẹp và tôi đi chơi với các bạn của tôi trong công viên."),
        ("sw", "Leo hali ya hewa ni nzuri na watu wa mji huu wako katika bustani kwa ajili ya sherehe."),
        ("fi", "Tänään sää on hyvä ja me olemme puistossa, mutta se ei ole kuin eilen."),
    ],
)
def test_recognises_the_language(language: str, text: str) -> None:
    assert language_of(text) == language


@pytest.mark.realdata
def test_no_response_that_must_fail_passes(test_data: Path) -> None:
    lines = (test_data / "cases/gaming.jsonl").read_text("utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["kind"] == "ifeval"]
    assert rows
    for row in rows:
        name = row["prompt"].rsplit("(", 1)[1].rstrip(")")
        verdict = judged(row["response"], {"instruction_id_list": [name], "kwargs": [{}]})
        assert (verdict.verdict == "pass") == row["should_pass"], f"{row['id']}: {row['why']}"


@pytest.mark.parametrize("marker", ["P.S.", "P.P.S"])
def test_a_postscript_may_stand_in_a_line(marker: str) -> None:
    followed = {
        "instruction_id_list": ["detectable_content:postscript"],
        "kwargs": [{"postscript_marker": marker}],
    }
    for text in (
        f"Yours, Ann. {marker} Bring tea.",
        f"Yours.\n{marker} Bring tea.",
        f"**{marker}** Bring tea.",
    ):
        assert judged(text, followed).verdict == "pass", text
    for text in ("Yours, Ann.", f"Yours. {marker}", "The p.h.s. of it"):
        assert judged(text, followed).verdict == "fail", text
    assert marker != "P.S." or judged("Yours. P.P.S. Bring tea.", followed).verdict == "fail"


@pytest.mark.parametrize("mark", ["{n}.", "{n})", "({n})", "{n}.\t"])
@pytest.mark.parametrize("items", [1, 3, 12])
def test_the_numbers_of_a_list_are_no_sentences(mark: str, items: int) -> None:
    text = "\n".join(f"{mark.format(n=n)} We go to town." for n in range(1, items + 1))
    assert len(sentences(text)) == items
    assert len(sentences(f"Here is the list.\n{text}")) == items + 1
    assert len(sentences("There were 3. Then 5. We left.")) == 3


def test_the_first_word_ends_at_an_apostrophe_as_published() -> None:
    args = {"num_paragraphs": 1, "nth_paragraph": 1, "first_word": "mcdonald"}
    name = "length_constraints:nth_paragraph_first_word"
    for word, passes in (("mcdonald", True), ("mcdonald's", True), ("mc", False)):
        tests = {"instruction_id_list": [name], "kwargs": [{**args, "first_word": word}]}
        assert (judged("McDonald's opened in town.", tests).verdict == "pass") == passes
