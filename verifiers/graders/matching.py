"""Matching that a bad pattern, schema or text can make endless; runs in a worker that may be killed."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["find_pattern", "schema_fault"]


def find_pattern(pattern: str, text: str, ignore_case: bool, whole: bool) -> dict[str, Any]:
    """Whether the text holds, or is, what the pattern says; `fault` where the pattern is none."""
    try:
        compiled = re.compile(pattern, re.IGNORECASE if ignore_case else 0)
    except (re.error, RecursionError, OverflowError) as error:
        return {"fault": f"the pattern is no regular expression: {error}"}
    found = compiled.fullmatch(text) if whole else compiled.search(text)
    return {"found": None if found is None else found[0][:100]}


def schema_fault(schema: Any, text: str) -> dict[str, Any]:
    """Why the text is no JSON of this schema (null: it is); `fault` where the schema is none.

    References lead nowhere outside the schema: nothing is fetched.
    """
    import jsonschema
    from referencing import Registry

    cls = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        cls.check_schema(schema)
        validator = cls(schema, registry=Registry())
    except (jsonschema.SchemaError, RecursionError, re.error) as error:
        return {"fault": f"the schema is none: {getattr(error, 'message', error)}"[:200]}
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        return {"wrong": f"no JSON: {error}"[:200]}
    try:
        found = jsonschema.exceptions.best_match(validator.iter_errors(value))
    except RecursionError:
        return {"fault": "the schema never ends on this value"}
    except Exception as error:
        # References that lead nowhere have errors of several libraries.
        return {"fault": f"the schema cannot be followed: {type(error).__name__}: {error}"[:200]}
    return {"wrong": None if found is None else f"{found.json_path}: {found.message}"[:200]}


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")
