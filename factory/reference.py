"""What a pipeline file may name, in words: every stage, verifier and teacher, with its fields."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from factory.catalog import STAGES
from factory.core import Resources
from factory.release.export import TARGETS
from factory.release.layouts import LAYOUTS
from factory.release.spec import ReleaseSpec, layout_names
from factory.stages.verification.verifier_configs import VERIFIERS
from factory.teachers import AnyTeacher

__all__ = ["FieldDoc", "broken", "catalogue", "fields_of", "named", "reference_page", "summary"]


@dataclass(frozen=True, slots=True)
class FieldDoc:
    """One field of a stage, verifier or teacher."""

    name: str
    kind: str
    """Type in the words of JSON, or the values there are."""
    default: str
    """As it stands in YAML; `required` where there is none."""
    says: str
    """The docstring."""


def teachers() -> dict[str, type[BaseModel]]:
    """Teachers by the name they have in a pipeline file."""
    return {str(cls.model_fields["type"].default): cls for cls in get_args(get_args(AnyTeacher)[0])}


def catalogue() -> dict[str, Mapping[str, type[BaseModel]]]:
    """Kinds of things that a pipeline file names, and the classes behind the names."""
    blocks: dict[str, type[BaseModel]] = {"release": ReleaseSpec, "resources": Resources}
    return {"stage": STAGES, "verifier": VERIFIERS, "teacher": teachers(), "block": blocks}


def broken() -> dict[str, str]:
    """What other packages offer and cannot be used: name, and why."""
    return {**STAGES.broken, **VERIFIERS.broken, **LAYOUTS.broken, **TARGETS.broken}


def named(name: str) -> type[BaseModel] | None:
    """The class behind a name, stages first; null for an unknown one."""
    return next((classes[name] for classes in catalogue().values() if name in classes), None)


def fields_of(cls: type[BaseModel]) -> list[FieldDoc]:
    """Every field of a class, required ones first."""
    schema = cls.model_json_schema()
    required, definitions = set(schema.get("required", ())), schema.get("$defs", {})
    found = [
        FieldDoc(
            name,
            _kind(part, definitions),
            "required" if name in required else _yaml(part.get("default")),
            " ".join((cls.model_fields[name].description or "").split()),
        )
        for name, part in schema["properties"].items()
        if name != "type"
    ]
    return sorted(found, key=lambda f: f.default != "required")


def _kind(part: Mapping[str, Any], definitions: Mapping[str, Any], depth: int = 0) -> str:
    if "$ref" in part:
        target = part["$ref"].rsplit("/", 1)[-1]
        inner = definitions.get(target, {})
        return _kind(inner, definitions, depth) if "enum" in inner else target
    if "const" in part:
        return repr(part["const"])
    if "enum" in part:
        return " / ".join(map(str, part["enum"]))
    for several in ("anyOf", "oneOf"):
        if several in part:
            return " or ".join(dict.fromkeys(_kind(p, definitions, depth + 1) for p in part[several]))
    if part.get("type") == "array" and isinstance(part.get("items"), dict) and depth < 3:
        return f"list of {_kind(part['items'], definitions, depth + 1)}"
    return str(part.get("type", "any"))


def _yaml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def summary(cls: type[BaseModel]) -> str:
    """First sentence of a class's docstring."""
    return " ".join((cls.__doc__ or "").strip().split("\n\n")[0].split())


def reference_page() -> str:
    """`docs/reference.md`."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield "# Reference"
    yield ""
    yield "Every stage, verifier and teacher with its fields, made from the docstrings by `make docs`."
    titles = {"stage": "Stages", "verifier": "Verifiers", "teacher": "Teachers", "block": "Blocks"}
    for kind, classes in catalogue().items():
        yield from ("", f"## {titles[kind]}")
        for name, cls in classes.items():
            yield from ("", f"### {name}", "", *_paragraphs(cls))
            fields = fields_of(cls)
            if fields:
                yield from ("", "| field | type | default | |", "|---|---|---|---|")
            yield from (
                f"| `{f.name}` | {_cell(f.kind)} | `{_cell(f.default)}` | {_cell(f.says)} |" for f in fields
            )
    yield from ("", "## Layouts and exports", "")
    yield f"`release.layout`: {', '.join(f'`{name}`' for name in layout_names())}."
    yield ""
    yield f"`factory export --to`: {', '.join(f'`{name}`' for name in TARGETS)}."


def _paragraphs(cls: type[BaseModel]) -> Sequence[str]:
    return [line.strip() for line in (cls.__doc__ or "").strip().splitlines()]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
