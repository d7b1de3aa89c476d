"""From a record of any form to a row of the problem schema."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Literal

from factory.core import PROBLEM_SCHEMA, problem_id

__all__ = ["MISSING", "OURS", "BadRecord", "absent", "problem_row", "value_at"]

OURS = ("prompt", "reference", "tests", "domain", "source", "license")
"""Columns that a column map may fill."""

_ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}
_NOTHING = frozenset({"", "NULL", "null", "NaN", "nan", "<NA>", "\\N"})
"""What tables write for a missing value; `None` and `N/A` may be answers."""
MISSING = object()
"""What a column is that a record does not have."""


class BadRecord(Exception):
    """The record cannot become a row; the message says why, and `reason` in a word."""

    def __init__(self, message: str, *, reason: str = "bad_line") -> None:
        super().__init__(message)
        self.reason = reason


def absent(record: Mapping[str, Any], path: str) -> bool:
    """Whether the record has no such column (a column that holds null is there)."""
    return value_at(record, path) is MISSING


def value_at(record: Any, path: str) -> Any:
    """Value at a dotted path, or `MISSING`.

    A column whose own name has dots goes first; null holds any column, as null.
    """
    if isinstance(record, Mapping) and path in record:
        return record[path]
    head, dot, rest = path.partition(".")
    if not dot:
        return None if record is None else MISSING
    if isinstance(record, Mapping) and head in record:
        return value_at(record[head], rest)
    if isinstance(record, list) and head.isdecimal() and int(head) < len(record):
        return value_at(record[int(head)], rest)
    return None if record is None else MISSING


def problem_row(
    record: Mapping[str, Any],
    *,
    columns: Mapping[str, str],
    given: Mapping[str, str | None],
    answer_pattern: str | None,
    references: Literal["one", "list"] = "one",
    blank_reference: Literal["reject", "none"] = "reject",
    origin: str,
) -> dict[str, str | list[dict[str, str]] | None]:
    """A row of PROBLEM_SCHEMA. `columns` maps ours to theirs; `given` are values for columns not mapped.

    A mapped column that the record lacks is null, but for the prompt. Raises BadRecord without a prompt, and
    for a column of a wrong type.
    """
    found = {ours: value_at(record, theirs) for ours, theirs in columns.items()}
    if found["prompt"] is MISSING:
        raise BadRecord(f"column '{columns['prompt']}' is missing", reason="no_prompt")
    found = {ours: None if value is MISSING else value for ours, value in found.items()}
    row: dict[str, Any] = {ours: given.get(ours) for ours in OURS}
    row |= {ours: _text(value) for ours, value in found.items() if ours not in ("prompt", "reference")}
    if "reference" in found:
        row["reference"] = _reference(found["reference"], form=references, blank=blank_reference)
    row["domain"] = row["domain"] or given.get("domain") or "other"
    row["source"] = row["source"] or given.get("source")
    meta = {k: v for k, v in record.items() if k not in columns.values()}
    row["prompt"], later = _messages(found["prompt"], columns["prompt"])
    if later:
        meta["later_turns"] = later
    if answer_pattern and row["reference"] is not None:
        meta[columns["reference"]] = row["reference"]
        row["reference"] = _extracted(row["reference"], answer_pattern)
    row["meta"] = json.dumps(meta, ensure_ascii=False, default=_plain) if meta else None
    row["origin"] = origin
    _require_unicode(row)
    row["id"] = problem_id(row["prompt"], row["domain"])
    return {name: row[name] for name in PROBLEM_SCHEMA.names}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        # A column of whole numbers with a gap is read as floats by most tools: 70.0 stands for 70.
        return str(int(value))
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _reference(value: Any, *, form: str, blank: str) -> str | None:
    """The reference as text; null where there is none. Raises BadRecord for what can be no reference."""
    if value is None:
        return None
    if isinstance(value, str) and not value.strip():
        if blank == "none":
            return None
        raise BadRecord(
            "the reference is empty; wanted a text or null, or `blank_reference: none` in the input",
            reason="reference_empty",
        )
    held = _parsed(value) if isinstance(value, str) else value
    if form == "list":
        listed = held if isinstance(held, list) else [value]
        return json.dumps([_accepted(one) for one in listed], ensure_ascii=False)
    if isinstance(held, list):
        raise BadRecord(
            "the reference is a list; set `references: list` in the input where each is an accepted answer",
            reason="reference_list",
        )
    return _accepted(value)


def _parsed(text: str) -> Any:
    """A list of texts or an object that a text spells in JSON; else the text, as an interval [1, 2] is."""
    if not text.lstrip().startswith(("[", "{")):
        return text
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        return text
    is_list = isinstance(held, list) and any(isinstance(one, (str, list, dict)) for one in held)
    return held if is_list else text


def _accepted(value: Any) -> str:
    kind = {bool: "boolean", list: "list", dict: "object", type(None): "null"}.get(type(value))
    if isinstance(value, float) and not math.isfinite(value):
        kind = "not_a_number"
    elif isinstance(value, str) and value.strip() in _NOTHING:
        kind = "null_word" if value.strip() else "empty"
    if kind is not None:
        raise BadRecord(
            f"the reference {str(value)[:40]!r} is no answer; wanted a text, a number or null",
            reason=f"reference_{kind}",
        )
    text = _text(value)
    assert text is not None
    return text


def _messages(value: Any, name: str) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """The turns up to the last user turn, and the turns after it."""
    if isinstance(value, str):
        return [{"role": "user", "content": value}], []
    if not isinstance(value, list) or not value:
        raise BadRecord(
            f"column '{name}' holds {type(value).__name__}; wanted a text or a list of messages",
            reason="prompt_form",
        )
    turns = [_turn(m, name) for m in value]
    users = [i for i, m in enumerate(turns) if m["role"] == "user"]
    cut = users[-1] + 1 if users else len(turns)
    return turns[:cut], turns[cut:]


def _turn(message: Any, name: str) -> dict[str, str]:
    if not isinstance(message, Mapping):
        raise BadRecord(
            f"column '{name}' holds a list of {type(message).__name__}; wanted messages", reason="prompt_form"
        )
    role, content = message.get("role", message.get("from")), message.get("content", message.get("value"))
    if role not in _ROLES:
        raise BadRecord(
            f"column '{name}' holds a message with role {role!r}; wanted one of {', '.join(_ROLES)}",
            reason="prompt_form",
        )
    if not isinstance(content, str):
        raise BadRecord(
            f"column '{name}' holds a message whose content is {type(content).__name__}, not a text",
            reason="prompt_form",
        )
    return {"role": _ROLES[role], "content": content}


def _extracted(text: str, pattern: str) -> str:
    found = re.findall(pattern, text)
    if not found:
        raise BadRecord(f"the answer pattern '{pattern}' finds nothing", reason="no_answer_found")
    return str(found[-1]).strip()


def _plain(value: Any) -> str:
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else str(value)


def _require_unicode(row: Mapping[str, Any]) -> None:
    texts = [v for v in row.values() if isinstance(v, str)]
    texts += [m["content"] for m in row["prompt"]]
    for text in texts:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            point = ord(error.object[error.start])
            # Bytes that are not UTF-8 were read as U+DC80 to U+DCFF.
            what = (
                f"byte 0x{point - 0xDC00:02x}"
                if 0xDC80 <= point <= 0xDCFF
                else f"lone surrogate U+{point:04X}"
            )
            raise BadRecord(
                f"not UTF-8: {what} in {text[max(0, error.start - 20) : error.start]!r}",
                reason="not_utf8",
            ) from None
