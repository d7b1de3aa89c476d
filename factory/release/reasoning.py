"""Where an export puts the reasoning of a completion, and whether a student's chat template keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import jinja2
import pyarrow as pa
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from factory.core import DataError, PipelineError
from factory.release.export_files import without_nulls
from factory.release.layouts import reasoned_text
from factory.storage.files import read_bytes

__all__ = ["Reasoning", "Template", "placed", "renamed", "renamed_schema"]

Reasoning = Literal["inline", "field", "thinking", "none"]
"""In the content between `<think>` tags, in `reasoning_content`, in `thinking` (gpt-oss), or left out."""

Row = Mapping[str, Any]
_FIELD = {"reasoning_content": "thinking"}


def placed(row: Row, reasoning: Reasoning) -> dict[str, Any]:
    """The row with its reasoning in the content or left out; `field` and `thinking` change nothing."""
    if reasoning == "inline":
        return {**row, "content": reasoned_text(row), "reasoning_content": None}
    return {**row, "reasoning_content": None} if reasoning == "none" else dict(row)


def renamed(value: Any) -> Any:
    """A shaped row whose messages hold their reasoning as `thinking`."""
    if isinstance(value, list):
        return [renamed(item) for item in value]
    if isinstance(value, Mapping):
        return {_FIELD.get(key, key): renamed(item) for key, item in value.items()}
    return value


def renamed_schema(schema: pa.Schema) -> pa.Schema:
    """The schema of what `renamed` gives."""
    return pa.schema([_renamed_field(field) for field in schema])


def _renamed_field(field: pa.Field) -> pa.Field:
    kind = field.type
    if pa.types.is_list(kind):
        kind = pa.list_(_renamed_field(kind.value_field))
    elif pa.types.is_struct(kind):
        kind = pa.struct([_renamed_field(inner) for inner in kind])
    return pa.field(_FIELD.get(field.name, field.name), kind)


class _Generation(Extension):
    """The `{% generation %}` block with which templates mark what the loss is taken of."""

    tags = {"generation"}  # noqa: RUF012 - as Jinja declares it

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.Scope(body).set_lineno(line)


class Template:
    """A student's chat template, rendered as transformers renders it, that counts what it loses."""

    def __init__(self, path: str) -> None:
        """`path` is a Jinja file, a `tokenizer_config.json`, or a model's folder.

        Raises:
            PipelineError: there is no template, or Jinja cannot read it.
        """
        self.path = path
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        source, self._tokens = _read(path)
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise PipelineError(f"--template {path}: is no chat template ({error})") from error
        self._written = 0
        self._kept = 0

    def render(self, messages: Sequence[Row]) -> str:
        """The text of a conversation; the reasoning of the last message is looked for in it and counted.

        Raises:
            DataError: the template refuses the conversation.
        """
        plain = without_nulls(list(messages))
        try:
            text = self._template.render(messages=plain, add_generation_prompt=False, **self._tokens)
        except (jinja2.TemplateError, TypeError, ValueError) as error:
            raise DataError(f"--template {self.path}: refuses a row ({error})") from error
        if thought := _thought(messages[-1]).strip():
            self._written += len(thought)
            self._kept += len(thought) if thought in text else 0
        return text

    @property
    def lost(self) -> float:
        """Share of the reasoning's characters that no rendered text held; 0 where there was none."""
        return 1 - self._kept / self._written if self._written else 0.0

    def watched(self, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Hands rows of messages on, and renders each on the way."""
        for row in rows:
            for messages in _conversations(row):
                self.render(messages)
            yield row


def _conversations(row: Row) -> Iterator[Sequence[Row]]:
    """The conversations of a shaped row, each with the answer last."""
    if "messages" in row:
        yield row["messages"]
    elif "conversations" in row and isinstance(row["conversations"], list):
        names = {"human": "user", "gpt": "assistant"}
        ends = [row[side] for side in ("chosen", "rejected") if side in row]
        head = [{"role": "system", "content": row["system"]}] if row.get("system") else []
        for end in ends or [None]:
            turns = [*row["conversations"], *([end] if end else [])]
            yield head + [{"role": names.get(t["from"], t["from"]), "content": t["value"]} for t in turns]
    else:
        for side in ("completion", "chosen", "rejected"):
            if side in row:
                yield [*row["prompt"], *row[side]]


def _thought(answer: Row) -> str:
    field = answer.get("reasoning_content") or answer.get("thinking")
    if field:
        return str(field)
    start, end, text = "<think>", "</think>", str(answer.get("content") or "")
    return text.split(start, 1)[1].split(end, 1)[0] if start in text and end in text else ""


def _read(path: str) -> tuple[str, dict[str, str]]:
    for name in (path, f"{path}/chat_template.jinja", f"{path}/tokenizer_config.json"):
        try:
            text = read_bytes(name).decode("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if not name.endswith(".json"):
            return text, {"bos_token": "", "eos_token": ""}
        found = json.loads(text)
        template = found.get("chat_template")
        if isinstance(template, str):
            return template, {key: _token(found.get(key)) for key in ("bos_token", "eos_token")}
    raise PipelineError(f"--template {path}: holds no chat template; name a Jinja file or a model's folder")


def _token(value: Any) -> str:
    return str(value.get("content") or "") if isinstance(value, Mapping) else str(value or "")


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **_: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)


def _refuse(message: str) -> None:
    raise jinja2.TemplateError(message)
