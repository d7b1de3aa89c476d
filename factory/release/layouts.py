"""The forms of a row that trainers and published datasets use: pure functions from table to table.

A layout keeps the number of rows and their order. Every layout has one fixed schema: no struct whose keys
differ between rows, every leaf nullable, tools and tests as JSON strings.

Reasoning is handed on in one of two ways. Layouts with a field for it (`trl-sft`, `trl-sft-completion`,
`axolotl`) carry `reasoning_content`, which the chat template of a reasoning model renders. Layouts without
one (`am`, `light-r1`, `llamafactory`) hold it in the text, between `<think>` and `</think>`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from factory.core import MESSAGE
from factory.core.plugins import Catalogue

__all__ = [
    "AM_SCHEMA",
    "LAYOUTS",
    "REASONED_MESSAGE",
    "TURN",
    "Layout",
    "arrange",
    "reasoned_text",
    "single_turn",
]

Row = Mapping[str, Any]

REASONED_MESSAGE = pa.struct(
    [("role", pa.string()), ("content", pa.string()), ("reasoning_content", pa.string())]
)
TURN = pa.struct([("from", pa.string()), ("value", pa.string())])

AM_SCHEMA = pa.schema(
    [
        (
            "messages",
            pa.list_(
                pa.struct(
                    [
                        ("role", pa.string()),
                        ("content", pa.string()),
                        (
                            "info",
                            pa.struct(
                                [
                                    ("source", pa.string()),
                                    ("reference_answer", pa.string()),
                                    ("test_case", pa.string()),
                                    ("think_content", pa.string()),
                                    ("answer_content", pa.string()),
                                ]
                            ),
                        ),
                    ]
                )
            ),
        )
    ]
)
"""The row of AM-DeepSeek-R1-Distilled-1.4M (arXiv 2503.19633), with one schema for both messages."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One form of a row."""

    schema: pa.Schema
    shape: Callable[[Row], dict[str, Any]]
    """From one row, as a dict of columns, to one row of `schema`."""
    reads: tuple[str, ...]
    """Columns it needs."""
    fits: Callable[[Sequence[Mapping[str, str]]], bool]
    """Whether the layout can hold this prompt without loss."""


def arrange(table: pa.Table, layout: Layout) -> pa.Table:
    """The table in a layout: as many rows, in the same order."""
    rows = table.select([name for name in layout.reads if name in table.column_names]).to_pylist()
    return pa.Table.from_pylist([layout.shape(row) for row in rows], schema=layout.schema)


def single_turn(prompt: Sequence[Mapping[str, str]]) -> bool:
    """Whether a prompt is one user turn and nothing else."""
    return len(prompt) == 1 and prompt[0]["role"] == "user"


def reasoned_text(row: Row) -> str:
    """Reasoning and answer as one text in the form of DeepSeek-R1: `<think>`, a blank line, the answer.

    A completion without reasoning is its answer alone: a template for a reasoning model adds the empty
    block itself, and a template for another model must not be shown one.
    """
    thought, answer = row.get("reasoning_content"), row.get("content") or ""
    return f"<think>\n{thought.strip()}\n</think>\n\n{answer}" if thought else answer


def am_row(row: Row) -> dict[str, Any]:
    """The AM row: `user` carries source, reference and tests; `assistant` the teacher and both parts.

    The released set holds only rows that match `<think>…</think><answer>…</answer>`, and its users cut the
    content by that pattern. So the pattern is kept for a completion without reasoning too: the block is
    empty and `think_content` is the empty string, which says "no reasoning" and is not a missing value.
    """
    thought, answer = row.get("reasoning_content") or "", row.get("content") or ""
    asked = {
        "source": row.get("source"),
        "reference_answer": row.get("reference"),
        "test_case": row.get("tests"),
        "think_content": None,
        "answer_content": None,
    }
    answered = {
        "source": row.get("teacher"),
        "reference_answer": None,
        "test_case": None,
        "think_content": thought,
        "answer_content": answer,
    }
    text = f"<think>{thought}</think>\n<answer>{answer}</answer>"
    return {
        "messages": [
            {"role": "user", "content": row["prompt"][0]["content"], "info": asked},
            {"role": "assistant", "content": text, "info": answered},
        ]
    }


def light_r1_row(row: Row) -> dict[str, Any]:
    """The SFT row of Light-R1 (arXiv 2503.10460): two turns named `user` and `assistant`."""
    turns = [("user", row["prompt"][0]["content"]), ("assistant", reasoned_text(row))]
    return {"conversations": [{"from": role, "value": value} for role, value in turns]}


def llamafactory_row(row: Row) -> dict[str, Any]:
    """LLaMA-Factory's sharegpt row: `human` and `gpt` take turns; a column holds the system text, or ""."""
    prompt = list(row["prompt"])
    system = prompt.pop(0)["content"] if prompt[0]["role"] == "system" else ""
    names = {"user": "human", "assistant": "gpt"}
    turns = [{"from": names[turn["role"]], "value": turn["content"]} for turn in prompt]
    return {"conversations": [*turns, {"from": "gpt", "value": reasoned_text(row)}], "system": system}


def messages_row(row: Row) -> dict[str, Any]:
    """One list of messages, the completion last, its reasoning in a field of its own."""
    return {"messages": [*(_plain(turn) for turn in row["prompt"]), _answer(row)]}


def completion_row(row: Row) -> dict[str, Any]:
    """Prompt and completion as two lists of messages: a trainer then takes loss on the completion alone."""
    return {"prompt": row["prompt"], "completion": [_answer(row)]}


def _plain(turn: Mapping[str, str]) -> dict[str, Any]:
    return {"role": turn["role"], "content": turn["content"], "reasoning_content": None}


def _answer(row: Row) -> dict[str, Any]:
    thought = row.get("reasoning_content")
    return {"role": "assistant", "content": row.get("content") or "", "reasoning_content": thought or None}


def _any_prompt(prompt: Sequence[Mapping[str, str]]) -> bool:
    return len(prompt) > 0


def _turn_by_turn(prompt: Sequence[Mapping[str, str]]) -> bool:
    turns = prompt[1:] if prompt and prompt[0]["role"] == "system" else prompt
    wanted = ("user", "assistant")
    return len(turns) % 2 == 1 and all(turn["role"] == wanted[i % 2] for i, turn in enumerate(turns))


_MESSAGES = pa.schema([("messages", pa.list_(REASONED_MESSAGE))])
_COMPLETION = pa.schema([("prompt", pa.list_(MESSAGE)), ("completion", pa.list_(REASONED_MESSAGE))])
_CONVERSATION = pa.schema([("conversations", pa.list_(TURN))])
_SHAREGPT = pa.schema([("conversations", pa.list_(TURN)), ("system", pa.string())])
_SAID = ("prompt", "reasoning_content", "content")

_OURS: Mapping[str, Layout] = {
    "am": Layout(AM_SCHEMA, am_row, (*_SAID, "source", "reference", "tests", "teacher"), single_turn),
    "light-r1": Layout(_CONVERSATION, light_r1_row, _SAID, single_turn),
    "trl-sft": Layout(_MESSAGES, messages_row, _SAID, _any_prompt),
    "trl-sft-completion": Layout(_COMPLETION, completion_row, _SAID, _any_prompt),
    "axolotl": Layout(_MESSAGES, messages_row, _SAID, _any_prompt),
    "llamafactory": Layout(_SHAREGPT, llamafactory_row, _SAID, _turn_by_turn),
}
LAYOUTS: Catalogue[Layout] = Catalogue(
    "factory.layouts",
    _OURS,
    wanted="a factory.release.layouts.Layout",
    fault=lambda name, thing: None if isinstance(thing, Layout) else f"{thing!r} is no Layout",
)
"""Layouts of one row each; `rows`, which is every column as it is, needs no entry."""
