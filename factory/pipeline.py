"""The pipeline model: YAML in, every field and column checked before anything runs."""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from factory.catalog import STAGES, AnyStage
from factory.core import REVIEW, PipelineError, Resources, SourceStage, Stage
from factory.core.plain_numbers import misread
from factory.core.yaml_file import YamlFile, read_value, read_yaml
from factory.release.release_gate import check_columns as check_release
from factory.release.release_gate import check_stored_system, check_verifiers
from factory.release.spec import ReleaseSpec
from factory.stages.verification.verifier_configs import VERIFIERS

__all__ = ["Pipeline", "check_columns", "json_schema", "load_pipeline", "load_stage"]

Provenance = Literal["published", "inferred", "assumed"]


class Pipeline(BaseModel):
    """One pipeline file."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    pipeline: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    """Name of the pipeline; its folder in the workspace."""
    description: str = ""
    """What the dataset is, for the card."""
    seed: int = 0
    """Given to every stage that draws something and has no seed of its own."""
    stages: Annotated[list[AnyStage], Field(min_length=1)]
    """The steps, in order; the first is a source."""
    release: ReleaseSpec | None = None
    """How the last step's rows become a dataset version; null: no release."""
    resources: dict[str, Resources] = Field(default_factory=dict)
    """Run options by step name; none can change a byte of output."""
    provenance: dict[str, Provenance] = Field(default_factory=dict)
    """Where a setting comes from, by path (`stages.sample.temperature`): published, inferred or assumed."""


def load_pipeline(path: str | Path, *, changes: Sequence[str] = ()) -> Pipeline:
    """Reads, fills and checks a pipeline file.

    `changes` are settings of the form `source.limit=10`, `sample.n=2` or `seed=3`, applied on top. Raises
    PipelineError with file, line, path, what is wanted.
    """
    file = read_yaml(path)
    content = _changed(file, changes)
    _check_types(file, content)
    try:
        pipeline = Pipeline.model_validate(content, context={"base": str(Path(path).resolve().parent)})
    except ValidationError as error:
        raise PipelineError(_explain(file, content, error)) from error
    if wrong := misread(content, pipeline):
        keys, why = wrong
        raise PipelineError(f"{file.where(*keys)}{_path(keys)}: {why}")
    pipeline = _seeded(pipeline)
    _check_names(file, pipeline)
    schema = check_columns(pipeline.stages)
    if pipeline.release is not None:
        check_release(pipeline.release, schema)
        check_verifiers(pipeline.release, pipeline.stages)
        check_stored_system(pipeline.release, pipeline.stages)
    return pipeline


def load_stage(type_name: str, settings: Mapping[str, Any], *, base: str = ".") -> Stage:
    """One stage by type and settings, for running it alone."""
    file = YamlFile(f"stage {type_name}", {"stages": [{"type": type_name, **settings}]}, {})
    _check_types(file, file.content)
    try:
        stage = STAGES[type_name].model_validate({"type": type_name, **settings}, context={"base": base})
    except ValidationError as error:
        raise PipelineError(f"stage {type_name}: {_first(error, STAGES[type_name], '')}") from error
    if wrong := misread(settings, stage):
        keys, why = wrong
        raise PipelineError(f"stage {type_name}: {_path(keys)}: {why}")
    return stage


def json_schema() -> dict[str, Any]:
    """JSON Schema of a pipeline file, for editors."""
    schema: dict[str, Any] = Pipeline.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return schema


def check_columns(stages: Sequence[Stage]) -> pa.Schema:
    """Follows the columns from the source to the end; gives the last schema or raises PipelineError."""
    schema = pa.schema([])
    for index, stage in enumerate(stages):
        label = f"step {index + 1} '{stage.step_name}'"
        if (index == 0) != isinstance(stage, SourceStage):
            wanted = (
                "the first step must be a 'source'" if index == 0 else "a 'source' can only be the first step"
            )
            raise PipelineError(f"{label}: {wanted}")
        missing = sorted(stage.needs() - set(schema.names))
        if missing:
            raise PipelineError(
                f"{label} needs {missing}; upstream provides {schema.names}. {_who_adds(missing[0], index)}"
            )
        twice = sorted(set(stage.provides().names) & set(schema.names) - {REVIEW.name})
        if twice:
            raise PipelineError(
                f"{label} adds {twice}, which a step before it adds already; remove one of the two"
            )
        schema = stage.schema_out(schema)
    return schema


def _who_adds(column: str, index: int) -> str:
    for name, cls in STAGES.items():
        if column in cls.adds.names:
            return f"Add '{name}' before step {index + 1}."
    return f"No stage adds '{column}'."


def _changed(file: YamlFile, changes: Sequence[str]) -> dict[str, Any]:
    """The content with settings on top: of a step by its name, of `release` or `resources`, or of all."""
    content: dict[str, Any] = copy.deepcopy(file.content)
    for change in changes:
        path, equals, text = change.partition("=")
        keys = path.split(".")
        if not equals or not all(keys):
            raise PipelineError(f"--set {change}: wanted name=value, for example sample.n=2")
        value = read_value(text, of=f"--set {change}")
        here = content
        if len(keys) > 1 and keys[0] not in ("release", "resources"):
            here, keys = _step_named(keys[0], content, change), keys[1:]
        for key in keys[:-1]:
            if not isinstance(here.setdefault(key, {}), dict):
                raise PipelineError(f"--set {change}: '{key}' has no settings of its own")
            here = here[key]
        here[keys[-1]] = value
    return content


def _step_named(name: str, content: Mapping[str, Any], change: str) -> dict[str, Any]:
    stages = content.get("stages")
    steps = [s for s in stages if isinstance(s, dict)] if isinstance(stages, list) else []
    found = next((s for s in steps if name in (s.get("name"), s.get("type"))), None)
    if found is None:
        known = {str(s.get("name") or s.get("type")): s for s in steps}
        raise PipelineError(f"--set {change}: no step is called '{name}'{_hint(name, known)}")
    return found


def _check_types(file: YamlFile, content: Mapping[str, Any]) -> None:
    stages = content.get("stages")
    if not isinstance(stages, list):
        return
    for index, stage in enumerate(stages):
        where = file.where("stages", index)
        if not isinstance(stage, dict) or not isinstance(stage.get("type"), str):
            raise PipelineError(
                f"{where}stages[{index}]: wanted a mapping with a 'type', for example `- type: clean`"
            )
        name = stage["type"]
        if name not in STAGES:
            said = STAGES.broken.get(name, f"unknown stage '{name}'{_hint(name, STAGES)}")
            raise PipelineError(f"{where}stages[{index}].type: {said}")


def _check_names(file: YamlFile, pipeline: Pipeline) -> None:
    seen: dict[str, int] = {}
    for index, stage in enumerate(pipeline.stages):
        if stage.step_name in seen:
            raise PipelineError(
                f"{file.where('stages', index)}stages[{index}]: a second '{stage.step_name}' "
                f"(the first is stages[{seen[stage.step_name]}]); give one of them a `name`"
            )
        seen[stage.step_name] = index
    for name in pipeline.resources:
        if name not in seen:
            raise PipelineError(
                f"{file.where('resources', name)}resources.{name}: no step has this name{_hint(name, seen)}"
            )


def _seeded(pipeline: Pipeline) -> Pipeline:
    stages = [
        s.model_copy(update={"seed": pipeline.seed}) if getattr(s, "seed", pipeline.seed) is None else s
        for s in pipeline.stages
    ]
    return pipeline.model_copy(update={"stages": stages})


def _explain(file: YamlFile, content: Mapping[str, Any], error: ValidationError) -> str:
    detail = error.errors()[0]
    location = list(detail["loc"])
    keys = _without_tags(location, content)
    owner = _owner(keys, content)
    return f"{file.where(*keys)}{_path(keys)}: {_reason(detail, keys, owner)}"


def _first(error: ValidationError, cls: type[BaseModel], prefix: str) -> str:
    detail = error.errors()[0]
    keys = list(detail["loc"])
    return f"{prefix}{_path(keys)}: {_reason(detail, keys, cls)}"


def _reason(detail: Any, keys: Sequence[Any], owner: type[BaseModel] | None) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        known = owner.model_fields if owner else {}
        return f"unknown field{_hint(str(keys[-1]), known)}"
    if kind == "missing":
        return "missing; this field is required"
    if kind == "union_tag_invalid":
        tag, tags = detail["ctx"]["tag"], re.findall(r"'([^']+)'", detail["ctx"]["expected_tags"])
        return VERIFIERS.broken.get(tag, f"unknown type '{tag}'{_hint(tag, dict.fromkeys(tags))}")
    message = str(detail["msg"]).removeprefix("Value error, ")
    given = repr(detail["input"])
    shown = given if len(given) <= 60 else given[:57] + "..."
    return f"{message[0].lower()}{message[1:]} (it is {shown})"


def _without_tags(location: Sequence[Any], content: Any) -> list[Any]:
    """Drops the names of union members, which pydantic puts into a path, by walking the content."""
    keys: list[Any] = []
    here = content
    for position, part in enumerate(location):
        last = position == len(location) - 1
        if isinstance(here, dict) and part not in here and (not last or part == here.get("type")):
            continue
        if not isinstance(here, dict) and isinstance(part, str):
            continue
        keys.append(part)
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            here = None
    return keys


def _owner(keys: Sequence[Any], content: Mapping[str, Any]) -> type[BaseModel] | None:
    if len(keys) == 1:
        return Pipeline
    if keys[0] == "stages" and len(keys) == 3:
        return STAGES.get(content["stages"][keys[1]]["type"])
    if keys[0] == "resources" and len(keys) == 3:
        return Resources
    if keys[0] == "release":
        return ReleaseSpec
    return None


def _path(keys: Sequence[Any]) -> str:
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
    return text


def _hint(word: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    if close:
        return f", did you mean '{close[0]}'"
    return f"; known are {', '.join(sorted(known))}" if known else ""
