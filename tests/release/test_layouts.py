from __future__ import annotations

import pyarrow as pa
import pytest

from factory.release.layouts import AM_SCHEMA, LAYOUTS, arrange, single_turn
from tests.release.steps import GRADED, completions, problem

ROW = completions(problem(41), passes=1)[0]
BARE = {**ROW, "reasoning_content": None}
SYSTEM = completions(problem(1, system="Be brief."), passes=1)[0]


def table(*rows: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=GRADED)


def arranged(name: str, *rows: dict[str, object]) -> list[dict[str, object]]:
    return arrange(table(*rows), LAYOUTS[name]).to_pylist()


def test_am_row_is_the_published_one_key_by_key() -> None:
    thought, answer = ROW["reasoning_content"], ROW["content"]
    assert arranged("am", ROW) == [
        {
            "messages": [
                {
                    "role": "user",
                    "content": "What is 41 + 1?",
                    "info": {
                        "source": "sums",
                        "reference_answer": "42",
                        "test_case": None,
                        "think_content": None,
                        "answer_content": None,
                    },
                },
                {
                    "role": "assistant",
                    "content": f"<think>{thought}</think>\n<answer>{answer}</answer>",
                    "info": {
                        "source": "tiny-teacher",
                        "reference_answer": None,
                        "test_case": None,
                        "think_content": thought,
                        "answer_content": answer,
                    },
                },
            ]
        }
    ]


def test_am_row_without_reasoning_keeps_the_pattern_with_an_empty_block() -> None:
    message = arranged("am", BARE)[0]["messages"][1]  # type: ignore[index]
    assert message["content"] == f"<think></think>\n<answer>{ROW['content']}</answer>"
    assert message["info"]["think_content"] == "", "no reasoning is an empty text, not a missing value"


def test_texts_without_a_field_for_reasoning_hold_it_in_the_text() -> None:
    for name in ("light-r1", "llamafactory"):
        said = arranged(name, ROW)[0]["conversations"][-1]["value"]  # type: ignore[index]
        assert said == f"<think>\n{ROW['reasoning_content']}\n</think>\n\n{ROW['content']}", name
        bare = arranged(name, BARE)[0]["conversations"][-1]["value"]  # type: ignore[index]
        assert bare == ROW["content"], f"{name} shows an empty block to a model that does not reason"


def test_light_r1_names_its_turns_as_the_published_files_do() -> None:
    turns = arranged("light-r1", ROW)[0]["conversations"]
    assert [turn["from"] for turn in turns] == ["user", "assistant"]  # type: ignore[index]


def test_llamafactory_takes_the_system_text_out_of_the_turns() -> None:
    row = arranged("llamafactory", SYSTEM)[0]
    assert row["system"] == "Be brief."
    assert [turn["from"] for turn in row["conversations"]] == ["human", "gpt"]  # type: ignore[index]


def test_message_layouts_keep_reasoning_in_a_field_and_out_of_the_content() -> None:
    for name, column in (
        ("trl-sft", "messages"),
        ("axolotl", "messages"),
        ("trl-sft-completion", "completion"),
    ):
        last = arranged(name, ROW)[0][column][-1]  # type: ignore[index]
        assert last["reasoning_content"] == ROW["reasoning_content"], name
        assert last["content"] == ROW["content"], name


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_every_layout_keeps_number_order_and_schema_of_rows(name: str) -> None:
    rows = [*completions(problem(1), passes=2), BARE, {**ROW, "tests": '{"t": 1}', "reference": None}]
    layout = LAYOUTS[name]
    whole = arrange(table(*rows), layout)
    assert whole.schema.equals(layout.schema), f"{name} gives another schema than it promises"
    assert whole.num_rows == len(rows)
    parts = [arrange(table(row), layout) for row in rows]
    assert pa.concat_tables(parts).to_pylist() == whole.to_pylist(), f"{name} is not row by row"
    assert arrange(table(), layout).schema.equals(layout.schema), f"{name} loses its schema on an empty table"


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_no_layout_has_a_union_or_a_required_leaf(name: str) -> None:
    def leaves(kind: pa.DataType) -> None:
        assert not pa.types.is_union(kind)
        fields = [kind.field(i) for i in range(kind.num_fields)]
        for field in fields:
            assert field.nullable, f"{name}: {field.name} must be nullable"
            leaves(field.type)

    for field in LAYOUTS[name].schema:
        leaves(field.type)


def test_a_layout_of_two_messages_does_not_fit_a_system_turn() -> None:
    assert single_turn(ROW["prompt"])
    assert not single_turn(SYSTEM["prompt"])
    assert AM_SCHEMA.names == ["messages"]
