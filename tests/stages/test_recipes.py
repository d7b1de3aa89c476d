"""Every curation rule of the published recipes can be written down, and does what the paper says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from factory.core import PROBLEM_SCHEMA, Filter, Stage
from factory.stages.answers.difficulty import Difficulty
from factory.stages.answers.length import Length
from factory.stages.answers.pass_rate import PassRate
from factory.stages.decontamination.decontaminate import Decontaminate
from factory.stages.prompts.downsample import Downsample
from factory.stages.prompts.prompt_filters import PromptFilters
from tests.stages.tables import completions, problems, site

KINDS: dict[str, type[Stage]] = {
    cls.model_fields["type"].default: cls
    for cls in (Decontaminate, Difficulty, Downsample, Length, PassRate, PromptFilters)
}

ITEM = [f"word{n}" for n in range(40)]


def load_stage(type_name: str, fields: dict[str, Any]) -> Stage:
    return KINDS[type_name].model_validate({"type": type_name, **fields})


def contaminated(rules: list[dict[str, Any]], item: str, texts: list[str], folder: Path) -> list[bool]:
    path = folder / "bench.jsonl"
    path.write_text(json.dumps({"question": item}) + "\n")
    stage = load_stage(
        "decontaminate",
        {"benchmarks": [{"name": "bench", "files": str(path)}], "rules": rules, "answer_in_prompt": False},
    )
    with stage.open(site(folder)) as apply:
        kept = apply(problems(texts)).kept
    left = {prompt[0]["content"] for prompt in kept["prompt"].to_pylist()}
    return [text not in left for text in texts]


@pytest.mark.parametrize(
    ("paper", "n"),
    [("s1, open-r1", 8), ("AceReason", 9), ("DeepSeek", 10), ("OpenThoughts3", 13), ("Light-R1", 32)],
)
def test_any_shared_n_gram_of_words_is_contamination(paper: str, n: int, tmp_path: Path) -> None:
    rule = {"n": n, "rule": "any", "tokens": "whitespace", "short_items": "unseen"}
    shares = ["so " + " ".join(ITEM[3 : 3 + k]) + " then" for k in (n, n - 1)]
    assert contaminated([rule], " ".join(ITEM), shares, tmp_path) == [True, False], paper


def test_light_r1_finds_items_that_differ_in_numbers_alone_and_long_shared_passages(tmp_path: Path) -> None:
    rule = {"n": 32, "rule": "any", "tokens": "whitespace", "short_items": "unseen", "digits_stripped": True}
    item = "Solve: 3x + 14 = 27."
    texts = ["solve 9 x + 1,000 = 5", "Solve: 3y + 14 = 27.", "Solve for x."]
    assert contaminated([rule | {"min_letters": 1}], item, texts, tmp_path) == [True, False, False]
    assert contaminated([rule], item, texts, tmp_path) == [False] * 3, (
        "six letters are below the default limit"
    )


def reasons(type_name: str, fields: dict[str, Any], batch: pa.Table) -> list[str | None]:
    stage = load_stage(type_name, fields)
    assert isinstance(stage, Filter)
    found: list[str | None] = stage.reject(batch).to_pylist()
    return found


@pytest.mark.parametrize(
    ("paper", "fields", "text", "reason"),
    [
        ("AM 40M", {}, "☃☃☃ ꧁༺ 🎉🎉🎉 ҉", "unicode"),
        ("AM 40M", {}, "Find the sum of all numbers that", "incomplete"),
        ("AM 40M", {}, "What does https://example.org say?", "url"),
        ("AM 40M", {}, "| n | f |\n|---|---|\n| 1 | 2 |\nWhat is f(1)?", "table"),
        ("AceReason", {"reject_kinds": ["multi_part"]}, "(a) Find x.\n(b) Find y.", "multi_part"),
        ("AceReason", {"reject_kinds": ["multiple_choice"]}, "Which? A) 1 B) 2 C) 3", "multiple_choice"),
        ("AceReason", {"reject_kinds": ["proof"]}, "Prove that 2 is prime.", "proof"),
        ("AceReason", {"reject_kinds": ["multi_part", "multiple_choice", "proof"]}, "Find x + 2.", None),
    ],
)
def test_prompts_are_filtered_by_kind(paper: str, fields: Any, text: str, reason: str | None) -> None:
    assert reasons("prompt-filters", fields, problems([text])) == [reason], paper


@pytest.mark.parametrize(
    ("paper", "window", "n", "kept"),
    [
        ("AM: not all right, not all wrong", {"min": 0.001, "max": 0.999}, 4, range(1, 4)),
        ("Light-R1", {"min": 0.25, "max": 0.625}, 8, range(2, 6)),
        ("open-r1", {"min": 0.1, "max": 0.6}, 8, range(1, 5)),
        ("AceReason: at most 6 of 16", {"max": 0.375}, 16, range(7)),
        ("Skywork: 1 to 15 of 16", {"min": 0.0625, "max": 0.9375}, 16, range(1, 16)),
        ("LIMO: 1 to 3 of 32", {"min": 0.03125, "max": 0.09375}, 32, range(1, 4)),
        ("OpenMathReasoning", {"max": 0.3}, 32, range(10)),
    ],
)
def test_difficulty_windows_keep_the_counts_of_the_paper(
    paper: str, window: dict[str, float], n: int, kept: range
) -> None:
    rows = [{"id": f"p{passed}", "verdict": v} for passed in range(n + 1) for v in _verdicts(passed, n)]
    batch = completions(rows, extra=[pa.field("verdict", pa.string())])
    graded = load_stage("difficulty", {}).apply(batch).kept
    found = reasons("pass-rate", window, graded)
    stay = {row for row, why in zip(graded["id"].to_pylist(), found, strict=True) if why is None}
    assert stay == {f"p{passed}" for passed in kept}, paper


def _verdicts(passed: int, n: int) -> list[str]:
    return ["pass"] * passed + ["fail"] * (n - passed)


def test_acereason_drops_short_responses_and_thins_out_the_middling() -> None:
    tokens = [1999, 2000, 19_000, None]
    batch = completions([{"completion_tokens": t} for t in tokens])
    assert reasons("length", {"min_tokens": 2000}, batch) == ["too_short", None, None, None]
    many = completions([{"id": f"p{n}", "completion_tokens": 1000 * (n % 6)} for n in range(1200)])
    thin = {"by": "completion_tokens", "edges": [2000, 4000], "shares": {"2000-4000": 0.25}, "seed": 1}
    stay = [r is None for r in reasons("downsample", thin, many)]
    middling = [
        s for s, t in zip(stay, many["completion_tokens"].to_pylist(), strict=True) if 2000 <= t < 4000
    ]
    assert 0.15 < sum(middling) / len(middling) < 0.35
    assert sum(stay) - sum(middling) == 800, "the others all stay"


def test_redi_drops_long_queries_and_long_responses() -> None:
    rows = [{"prompt_tokens": p, "completion_tokens": c} for p, c in ((800, 19_000), (801, 5), (5, 19_001))]
    limits = {"max_prompt_tokens": 800, "max_tokens": 19_000}
    assert reasons("length", limits, completions(rows)) == [None, "prompt_too_long", "too_long"]


def test_am_keeps_two_languages_and_less_of_what_is_easy() -> None:
    schema = pa.schema([*PROBLEM_SCHEMA, ("language", pa.string())])
    labels = ["zh", "en", "other"]
    rows = [
        {
            "id": f"p{n}",
            "language": labels[n % 3],
            "meta": json.dumps({"difficulty": "easy" if n < 600 else "hard"}),
        }
        for n in range(900)
    ]
    batch = pa.Table.from_pylist(rows, schema)
    by_language = {"by": "language", "shares": {"other": 0}, "seed": 2}
    assert reasons("downsample", by_language, batch) == [None, None, "downsampled"] * 300
    easy = reasons("downsample", {"by": "meta.difficulty", "shares": {"easy": 0.5}, "seed": 2}, batch)
    assert 0.4 < easy[:600].count(None) / 600 < 0.6
    assert easy[600:] == [None] * 300


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"edges": [4000, 2000]}, "edges must rise"),
        ({"edges": [2000], "shares": {"2000-4000": 0.5}}, "there is no '2000-4000'"),
    ],
)
def test_edges_that_make_no_sense_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        load_stage("downsample", {"by": "completion_tokens", "shares": {}, **fields})


def test_numbers_that_cannot_be_read_are_in_no_range() -> None:
    batch = pa.table({"id": ["a", "b"], "meta": ['{"level": "?"}', None]})
    thin = {"by": "meta.level", "edges": [3], "shares": {"-3": 0, "3-": 0}}
    assert reasons("downsample", thin, batch) == [None, None]
