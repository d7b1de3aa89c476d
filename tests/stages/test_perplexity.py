"""What `perplexity` does with the scores of a teacher, which tests/teachers shows to be right."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from factory.core import Flow, Resources, TeacherError
from factory.stages.sampling import perplexity
from factory.stages.sampling.perplexity import Perplexity
from factory.teachers.rescoring import Passage, Score, completion_start, written
from tests.stages.tables import completions, site

TAGS = ("<think>", "</think>")


@dataclass
class Model:
    """In the place of the loaded model: -1 nat a letter `a`, -2 a letter `b`, a token each."""

    loads: int = 0
    passages: list[Passage] = field(default_factory=list)
    broken: bool = False

    @contextmanager
    def opened(self, teacher: Any, *, resources: Resources, with_tokens: bool) -> Iterator[Any]:
        self.loads += 1
        yield lambda passages: [self.score(passage, with_tokens=with_tokens) for passage in passages]

    def score(self, passage: Passage, *, with_tokens: bool) -> Score:
        self.passages.append(passage)
        if self.broken:
            raise RuntimeError("the engine is gone")
        text = (passage.reasoning or "") + passage.content
        if len(text) > 10:
            return Score("too_long", detail={"tokens": len(text), "context": 10})
        if passage.prompt == ():
            return Score("refused", detail={"message": "wanted a user turn"})
        logprobs = np.array([-1.0 if letter == "a" else -2.0 for letter in text], np.float32)
        ids = np.array([ord(letter) for letter in text], np.int32)
        tokens = {"token_ids": ids, "logprobs": logprobs} if with_tokens else {}
        return Score("scored", logprob=float(logprobs.sum()), tokens=len(text), **tokens)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    model = Model()
    monkeypatch.setattr(perplexity, "opened_rescorer", model.opened)
    return model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder, good enough to be identified by."""
    path = tmp_path / "weights"
    path.mkdir()
    (path / "config.json").write_text("{}")
    return path


def stage(folder: Path, **fields: Any) -> Perplexity:
    return Perplexity.model_validate({"teacher": {"type": "vllm", "model": str(folder)}, **fields})


def run(chosen: Perplexity, rows: pa.Table, at: Path) -> Flow:
    with chosen.open(site(at)) as apply:
        flow = apply(rows)
    assert flow.kept.num_rows + flow.rejected.num_rows == rows.num_rows
    assert flow.kept.schema == chosen.schema_out(rows.schema)
    return flow


def texts(contents: Sequence[str | None], **columns: Any) -> pa.Table:
    return completions([{"content": content, **columns} for content in contents])


def test_keeps_a_completion_exactly_at_a_bound_and_proves_what_it_cuts(
    model: Model, folder: Path, tmp_path: Path
) -> None:
    low, high = float(np.exp(1.0)), float(np.exp(2.0))
    rows = texts(["a", "ab", "b"])
    flow = run(stage(folder, min=low, max=high), rows, tmp_path)
    assert flow.kept["perplexity"].to_pylist() == pytest.approx([low, np.exp(1.5), high])
    inner = run(stage(folder, min=low + 0.01, max=high - 0.01), rows, tmp_path)
    assert inner.kept["content"].to_pylist() == ["ab"]
    cut = [(r["reason"], json.loads(r["evidence"])) for r in inner.rejected.to_pylist()]
    assert cut == [
        ("perplexity_too_low", {"perplexity": low, "bound": low + 0.01}),
        ("perplexity_too_high", {"perplexity": high, "bound": high - 0.01}),
    ]


def test_without_bounds_nothing_is_cut_by_perplexity(model: Model, folder: Path, tmp_path: Path) -> None:
    assert run(stage(folder), texts(["a", "b" * 10]), tmp_path).rejected.num_rows == 0


@pytest.mark.parametrize("part", ["answer", "all"])
def test_a_completion_without_text_is_kept_and_the_model_not_asked(
    part: str, model: Model, folder: Path, tmp_path: Path
) -> None:
    rows = completions([{"content": ""}, {"content": None, "finish_reason": "error"}])
    flow = run(stage(folder, part=part, min=2.0, max=3.0, token_logprobs=True), rows, tmp_path)
    for name in ("perplexity", "rescored_logprobs", "rescored_token_ids"):
        assert flow.kept[name].to_pylist() == [None, None]
    assert (model.loads, flow.spent) == (0, {})


def test_what_the_teacher_cannot_read_is_rejected_with_its_reason(
    model: Model, folder: Path, tmp_path: Path
) -> None:
    rows = completions([{"content": "a" * 11}, {"content": "a", "prompt": []}, {"content": "a"}])
    flow = run(stage(folder), rows, tmp_path)
    assert flow.kept.num_rows == 1
    cut = {r["reason"]: (r["perplexity"], json.loads(r["evidence"])) for r in flow.rejected.to_pylist()}
    assert cut == {
        "too_long_for_teacher": (None, {"tokens": 11, "context": 10}),
        "refused_by_template": (None, {"message": "wanted a user turn"}),
    }


def test_other_bounds_and_another_run_ask_nothing_and_load_nothing(
    model: Model, folder: Path, tmp_path: Path
) -> None:
    rows = texts(["a", "ab", "ab", "a" * 11])
    first = run(stage(folder), rows, tmp_path)
    assert first.spent == {"perplexity_asked": 3}, "one text was scored twice"
    moved = tmp_path / "elsewhere"
    shutil.move(folder, moved)
    again = run(stage(moved, max=3.0, name="second"), rows, tmp_path)
    assert again.spent == {"perplexity_remembered": 3}
    assert (model.loads, len(model.passages)) == (1, 3)
    assert again.kept["perplexity"].to_pylist() == first.kept["perplexity"].to_pylist()[:1]
    assert again.rejected["reason"].to_pylist() == ["perplexity_too_high"] * 2 + ["too_long_for_teacher"]


def test_what_was_scored_before_a_crash_is_not_scored_again(
    model: Model, folder: Path, tmp_path: Path
) -> None:
    with stage(folder).open(site(tmp_path)) as apply:
        apply(texts(["a"]))
        model.broken = True
        with pytest.raises(TeacherError, match="the engine is gone"):
            apply(texts(["a", "b"]))
    model.broken = False
    flow = run(stage(folder), texts(["a", "b"]), tmp_path)
    assert flow.spent == {"perplexity_asked": 1, "perplexity_remembered": 1}


def test_tokens_are_the_same_from_the_model_and_from_the_cache(
    model: Model, folder: Path, tmp_path: Path
) -> None:
    wanted = stage(folder, token_logprobs=True)
    rows = texts(["ab", "", "a" * 11])
    made, kept = run(wanted, rows, tmp_path), run(wanted, rows, tmp_path)
    assert model.loads == 1
    assert made.kept.equals(kept.kept)
    assert made.rejected.equals(kept.rejected)
    assert made.kept["rescored_logprobs"].to_pylist() == [[-1.0, -2.0], None]
    assert made.kept["rescored_token_ids"].to_pylist() == [[97, 98], None]
    assert made.rejected["rescored_token_ids"].to_pylist() == [None]
    plain = run(stage(folder), rows, tmp_path)
    assert plain.kept["perplexity"].equals(made.kept["perplexity"]), "tokens change the perplexity"


def test_the_answer_alone_does_not_see_the_thinking(model: Model, folder: Path, tmp_path: Path) -> None:
    rows = completions(
        [{"content": "b", "reasoning_content": "aaa"}, {"content": "", "reasoning_content": "a"}]
    )
    whole = run(stage(folder), rows, tmp_path)
    answer = run(stage(folder, part="answer"), rows.drop_columns("reasoning_content"), tmp_path)
    assert whole.kept["perplexity"].to_pylist() == pytest.approx([np.exp(5 / 4), np.exp(1)])
    assert answer.kept["perplexity"].to_pylist() == [pytest.approx(np.exp(2)), None]


def test_a_system_turn_takes_the_place_of_the_prompts_own(model: Model, folder: Path, tmp_path: Path) -> None:
    prompt = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    rows = texts(["aa"], prompt=prompt)
    run(stage(folder), rows, tmp_path)
    run(stage(folder, system="Be brief."), rows, tmp_path)
    assert [passage.prompt for passage in model.passages] == [
        (("system", "Be kind."), ("user", "Hi")),
        (("system", "Be brief."), ("user", "Hi")),
    ]


def test_the_split_into_batches_changes_nothing(model: Model, folder: Path, tmp_path: Path) -> None:
    rows = texts(["a", "b", "", "a" * 11, "ab"])
    bounded = stage(folder, max=4.0)
    whole = run(bounded, rows, tmp_path / "one")
    parts = [
        run(bounded, part, tmp_path / "two") for part in (rows.slice(0, 2), rows.slice(2), rows.slice(0, 0))
    ]
    assert pa.concat_tables([p.kept for p in parts]).equals(whole.kept)
    assert pa.concat_tables([p.rejected for p in parts]).equals(whole.rejected)


def test_identity_is_the_models_content_and_never_its_path(folder: Path, tmp_path: Path) -> None:
    here = stage(folder).identity()
    assert str(tmp_path) not in json.dumps(here)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert stage(copy).identity() == here
    (copy / "config.json").write_text('{"vocab_size": 2}')
    assert stage(copy).identity() != here
    assert stage(folder, max=3.0).identity() != here


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"teacher": {"type": "vllm", "model": "m", "lora": "adapter"}}, "merge the adapter"),
        ({"teacher": {"type": "http", "model": "m"}}, "vllm"),
        ({"min": 3.0, "max": 2.0}, "above max"),
        ({"min": 0.5}, "greater than or equal to 1"),
    ],
)
def test_a_wrong_field_says_what_is_wanted(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Perplexity.model_validate({"teacher": {"type": "vllm", "model": "m"}, **fields})


@pytest.mark.parametrize(
    ("rendered", "reasoning", "content", "before", "completion"),
    [
        ("U:A:", None, "5", "U:A:", "5"),
        ("U:A:", "", "5", "U:A:", "5"),
        ("U:A:", "2+3", "5", "U:A:", "<think>\n2+3\n</think>\n\n5"),
        ("U:A:", "2+3", "", "U:A:", "<think>\n2+3"),
        ("U:A:<think>", "2+3", "5", "U:A:<think>\n", "2+3\n</think>\n\n5"),
        ("U:A:<think>\n", "2+3", "5", "U:A:<think>\n", "2+3\n</think>\n\n5"),
        ("U:A:<think>\n", None, "5", "U:A:<think>\n\n</think>\n\n", "5"),
    ],
)
def test_thinking_is_written_as_the_teacher_writes_it(
    rendered: str, reasoning: str | None, content: str, before: str, completion: str
) -> None:
    passage = Passage((("user", "2+3?"),), content, reasoning)
    assert written(rendered, passage, tags=TAGS) == (before, completion)


@pytest.mark.parametrize(
    ("prompt", "whole", "start"),
    [
        ([1, 2, 3], [1, 2, 3, 4, 5], 3),
        ([1, 2, 3], [1, 2, 9, 5], 2),
        ([1, 2, 3], [1, 2, 3], 3),
        ([], [4, 5], 1),
        ([1], [9, 5], 1),
    ],
    ids=["a clean boundary", "a token over the boundary", "no completion", "no prompt", "nothing in common"],
)
def test_the_completion_starts_where_the_tokens_first_differ(
    prompt: list[int], whole: list[int], start: int
) -> None:
    assert completion_start(prompt, whole) == start


def test_a_perplexity_is_a_number_however_unlikely_the_text() -> None:
    assert Score("scored", logprob=-np.inf, tokens=2).perplexity == pytest.approx(np.exp(700.0))
    assert Score("scored", logprob=0.0, tokens=2).perplexity == 1.0
    assert Score("scored").perplexity is None
