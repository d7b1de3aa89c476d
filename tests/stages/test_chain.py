"""Chains: a template reads columns, a teacher answers, the answer is a typed column of its own."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from factory.core import PROBLEM_SCHEMA, Flow, PipelineError, Resources, Site, problem_id
from factory.pipeline import check_columns, load_stage
from factory.stages.sampling.generate import Generate
from factory.stages.sampling.prompt_template import RowTemplate, TemplateFailure
from factory.teachers import AnyTeacher
from tests.teachers.scripted import Scripted, asking, drawn, problems


class ScriptedGenerate(Generate):
    """The real stage, with one more kind of teacher."""

    teacher: Scripted | AnyTeacher


def stage(folder: Path, template: str = "Plan: {{ prompt }}", **fields: Any) -> Generate:
    teacher = {"type": "scripted", "notes": str(folder / "notes"), "delay_ms": 2}
    return ScriptedGenerate.model_validate(
        {"teacher": teacher, "column": "plan", "template": template, "seed": 7, **fields}
    )


def run(link: Generate, batch: pa.Table, folder: Path) -> Flow:
    with link.open(Site(Resources(), str(folder / "c"), str(folder / "j"))) as apply:
        return apply(batch)


def test_writes_the_answer_beside_the_row_it_was_made_of(tmp_path: Path) -> None:
    link, batch = stage(tmp_path, "ECHO {{ reference }} of {{ prompt }}"), problems(20)
    flow = run(link, batch, tmp_path)
    assert flow.kept.schema == link.schema_out(batch.schema)
    assert flow.kept["id"].equals(batch["id"])
    texts = [p[0]["content"] for p in batch["prompt"].to_pylist()]
    assert flow.kept["plan"].to_pylist() == [f"2 of {text}" for text in texts]
    assert run(link, batch, tmp_path).kept.equals(flow.kept)
    assert len(drawn(tmp_path / "notes")) == 20, "an answer that is in the journal was drawn again"


def test_links_read_what_links_before_them_wrote(tmp_path: Path) -> None:
    first = stage(tmp_path, "ECHO states of {{ reference }}", column="states")
    second = stage(tmp_path, "ECHO code of {{ states }}", column="code")
    batch = problems(3)
    flow = run(second, run(first, batch, tmp_path).kept, tmp_path)
    assert flow.kept["code"].to_pylist() == ["code of states of 2"] * 3
    assert len(drawn(tmp_path / "notes")) == 2, "rows with the same prompt share one draw"


def test_a_prompt_is_rewritten_into_a_form_that_can_be_checked(tmp_path: Path) -> None:
    link = stage(tmp_path, "ECHO {{ prompt }} Give one number.", replaces_prompt=True)
    batch = problems(4)
    flow = run(link, batch, tmp_path)
    assert flow.kept["parent_id"].to_pylist() == batch["id"].to_pylist()
    for row in flow.kept.to_pylist():
        assert row["prompt"] == [{"role": "user", "content": row["plan"]}]
        assert row["id"] == problem_id(row["prompt"], "math") != row["parent_id"]


@pytest.mark.parametrize(
    ("kind", "extract", "said", "value"),
    [
        ("text", None, " a word ", "a word"),
        ("integer", r"level (\d+)", "level 1, no, level 3.", 3),
        ("number", None, "1,250.5", 1250.5),
        ("json", r"\{.*\}", 'so: {"a": [1]}', '{"a": [1]}'),
    ],
)
def test_an_answer_becomes_a_value_of_its_type(
    tmp_path: Path, kind: str, extract: str | None, said: str, value: Any
) -> None:
    flow = run(stage(tmp_path, f"ECHO {said}", kind=kind, extract=extract), problems(1), tmp_path)
    assert flow.kept["plan"].to_pylist() == [value]


@pytest.mark.parametrize(
    ("fields", "said", "reason"),
    [
        ({"kind": "integer"}, "many", "unparsed"),
        ({"kind": "integer"}, "99999999999999999999", "unparsed"),
        ({"kind": "json"}, "{", "unparsed"),
        ({"extract": "level"}, "none", "unparsed"),
        ({}, "", "unparsed"),
        ({}, "CUT", "truncated"),
    ],
)
def test_what_is_no_such_value_is_rejected_with_the_answer(
    tmp_path: Path, fields: dict[str, Any], said: str, reason: str
) -> None:
    batch = problems(1)
    flow = run(stage(tmp_path, f"ECHO {said}", replaces_prompt=False, **fields), batch, tmp_path)
    assert flow.rejected["reason"].to_pylist() == [reason]
    assert isinstance(json.loads(flow.rejected["evidence"][0].as_py()), dict)
    assert flow.rejected["id"].equals(batch["id"])


def test_what_the_teacher_or_the_template_refuses_is_rejected_and_the_rest_goes_on(tmp_path: Path) -> None:
    batch = asking("fine", "UNANSWERABLE", "also fine")
    place = batch.schema.get_field_index("reference")
    batch = batch.set_column(place, batch.schema.field(place), pa.array(["1", "2", None], pa.string()))
    flow = run(stage(tmp_path, "ECHO {{ prompt }} {{ reference }}"), batch, tmp_path)
    assert flow.kept["plan"].to_pylist() == ["fine 1"]
    assert flow.rejected["reason"].to_pylist() == ["teacher_error", "template_error"]
    assert "empty column" in flow.rejected["evidence"][1].as_py()


def test_a_missing_column_stops_the_plan_and_names_it() -> None:
    source = load_stage("source", {"inputs": [{"files": __file__}]})
    link = load_stage("generate", {**Generate.minimal, "template": "{{ prompt }} {{ pseudocode }}"})
    with pytest.raises(PipelineError, match=r"needs \['pseudocode'\]"):
        check_columns([source, link])
    again = load_stage("generate", {**Generate.minimal, "name": "again"})
    with pytest.raises(PipelineError, match=r"adds \['plan'\]"):
        check_columns([source, load_stage("generate", Generate.minimal), again])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"template": "{{ prompt"}, "not a Jinja template"),
        ({"extract": "("}, "not a regular expression"),
        ({"replaces_prompt": True, "kind": "json"}, "a prompt is text"),
        ({"column": "Not A Name"}, "column"),
    ],
)
def test_says_what_is_wrong_before_anything_runs(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Generate.model_validate({**Generate.minimal, **change})


def test_an_empty_batch_opens_no_teacher(tmp_path: Path) -> None:
    link = stage(tmp_path)
    flow = run(link, PROBLEM_SCHEMA.empty_table(), tmp_path)
    assert flow.kept.schema == link.schema_out(PROBLEM_SCHEMA)
    assert str(tmp_path / "notes") not in Scripted.opened


@pytest.mark.parametrize(
    "template", ["{{ prompt.__class__.__mro__ }}", "{{ ''.__class__.__base__.__subclasses__() }}"]
)
def test_a_template_reaches_nothing_but_its_row(template: str) -> None:
    with pytest.raises(TemplateFailure):
        RowTemplate(template).render({"prompt": [{"role": "user", "content": "x"}]})


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.text(string.ascii_lowercase, min_size=3, max_size=8), min_size=1, max_size=4, unique=True
    ).filter(lambda names: not {"range", "dict"} & set(names))
)
def test_needs_exactly_the_columns_that_it_prints(names: list[str]) -> None:
    names = [f"c_{name}" for name in names]
    template = RowTemplate(
        "{% for n in [1] %}{{ n }}" + "".join(f"{{{{ {n} }}}}" for n in names) + "{% endfor %}"
    )
    assert template.columns == set(names)
    assert template.render({n: n for n in names}) == "1" + "".join(names)
