"""What programs, models and endpoints write can be stored, whatever is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.core import storable
from factory.stages.sampling.generate import Generate
from factory.stages.verification.verifier_configs import Route
from factory.stages.verification.verify import Verify
from factory.teachers.answer_cache import Memory
from factory.teachers.base import Completion, TurnSegment
from tests.stages.tables import completions, site
from verifiers import Case, Judge, Verdict

POISON = ["\ud800", "a\udcffb", "\udfff\ud800", "x\0y", "\ud83d\ude00", "\0"]
ANY_TEXT = st.text(st.characters(exclude_categories=()) | st.sampled_from("\0\ud800\udc00\udfff"))
ANY_VALUE = st.recursive(
    st.none() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner) | st.tuples(inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(ANY_TEXT)
def test_any_text_can_be_stored_and_what_is_fit_stays(text: str) -> None:
    fit = storable(text)
    assert "\0" not in fit
    assert pa.array([fit], pa.string()).to_pylist() == [fit]
    assert storable(fit) == fit
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert fit == text.replace("\0", "\ufffd"), "a text that is fit but for NUL was changed"


@settings(deadline=None)
@given(ANY_VALUE)
def test_any_value_of_json_can_be_written(value: Any) -> None:
    text = json.dumps(storable(value), ensure_ascii=False)
    assert "\\u0000" not in text, "NUL is left, escaped"
    text.encode()


def test_halves_that_stand_together_are_the_character_they_make() -> None:
    assert storable("\ud83d\ude00") == "\N{GRINNING FACE}"
    assert storable("\ud83d.\ude00") == "\ufffd.\ufffd"


class Poisoned(Route):
    """A verifier whose verdicts say what the completion told it to."""

    type: Literal["poisoned"] = "poisoned"

    @contextmanager
    def open(self) -> Iterator[Judge]:
        def judge(cases: Sequence[Case]) -> list[Verdict]:
            return [Verdict("p", "1", "fail", detail=POISON[int(case.content)]) for case in cases]

        yield judge


def test_no_verdict_stops_a_run_by_its_text(tmp_path: Path) -> None:
    stage = Verify.model_construct(verifiers=[Poisoned()])
    with stage.open(site(tmp_path)) as apply:
        rows = apply(completions([{"content": str(n)} for n in range(len(POISON))])).kept.to_pylist()
    assert [row["verdicts"][0]["detail"] for row in rows] == [storable(text) for text in POISON]


TESTS = json.dumps({"type": "code", "kind": "assert", "entry_point": "f", "tests": ["assert f(1) == 2"]})
RAISING = "```python\ndef f(x):\n    raise ValueError('\\ud800 \\0 \\x1b[31m')\n```"
PRINTING = """```python
import sys
sys.stderr.buffer.write(b'\\xff\\x00')
def f(x):
    sys.exit('\\udcff\\0')
```"""


@pytest.mark.parametrize("content", [RAISING, PRINTING])
def test_no_program_stops_a_run_by_its_error(content: str, tmp_path: Path) -> None:
    stage = Verify.model_validate({"verifiers": [{"type": "code"}]})
    row = {"content": content, "tests": TESTS, "reference": None, "domain": "code"}
    with stage.open(site(tmp_path)) as apply:
        (judged,) = apply(completions([row])).kept.to_pylist()
    assert judged["verdict"] == "fail", judged["verdicts"]


@pytest.mark.parametrize("text", POISON)
def test_a_completion_holds_no_text_that_cannot_be_stored(text: str) -> None:
    whole = Completion(
        "t", text, "stop", text, detail={"message": [text]}, segments=(TurnSegment("output", text),)
    )
    fit = storable(text)
    assert (whole.content, whole.reasoning_content, whole.detail) == (fit, fit, {"message": [fit]})
    assert whole.segments is not None
    assert whole.segments[0].text == fit


def test_an_answer_of_a_model_can_be_kept(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path))
    keys = [bytes([n]) * 16 for n in range(len(POISON))]
    memory.add(dict(zip(keys, POISON, strict=True)))
    assert memory.find(keys) == {key: storable(text) for key, text in zip(keys, POISON, strict=True)}


def test_an_escape_that_an_answer_spells_out_can_be_stored() -> None:
    stage = Generate.model_validate(
        {"template": "{{ id }}", "column": "found", "kind": "json", "teacher": {"type": "http", "model": "m"}}
    )
    read = stage._read(Completion("m", '["\\ud800", "\\u0000"]', "stop"))
    pa.array([read if isinstance(read, str) else json.dumps(read, ensure_ascii=False)], pa.string())
