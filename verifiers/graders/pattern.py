"""Graders by what an answer must look like: a regular expression, a JSON schema."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from verifiers.base import Case, Judge, Outcome, Verdict, Verifier
from verifiers.graders.base import AnswerPart, UnusableReference, accepted_references, answer_of
from verifiers.workers import Reply, WorkerPool

__all__ = ["JsonSchema", "Pattern"]

_DEADLINE_S = 2.0
_MEMORY_BYTES = 1_000_000_000
_FENCED = re.compile(r"\s*```(?:json|JSON)?[^\S\n]*\n(.*?)\n?\s*```\s*", re.DOTALL)
_Said = tuple[Outcome, float | None, str]


class Pattern(Verifier):
    """Passes an answer in which a regular expression (of Python's `re`) is found.

    The pattern is the pipeline's, the same for every completion, or the reference of each row. A search that
    does not end in two seconds is a `timeout`.
    """

    type: Literal["regex"] = "regex"
    pattern: str | None = None
    """The regular expression; null: the row's reference is one. One for all rows looks at the form alone."""
    answer: AnswerPart = "whole"
    """What is searched."""
    references: Literal["one", "list"] = "one"
    """Whether a reference is one pattern, or a JSON list of which any will do."""
    whole: bool = False
    """Whether the whole answer must match, and not a part of it."""
    ignore_case: bool = False
    """Whether capital and small letters are one."""

    @contextmanager
    def open(self) -> Iterator[Judge]:
        """Holds a worker process that is killed when a search does not end."""
        with WorkerPool(
            "verifiers.graders.matching:find_pattern", deadline_s=_DEADLINE_S, memory_bytes=_MEMORY_BYTES
        ) as pool:
            yield lambda cases: _timed(self, cases, lambda case: self._found(case, pool))

    def _found(self, case: Case, pool: WorkerPool) -> _Said:
        answer, missing = answer_of(case, part=self.answer)
        try:
            patterns = (
                [self.pattern]
                if self.pattern is not None
                else accepted_references(case.reference, form=self.references)
            )
        except UnusableReference as error:
            return "error", None, str(error)
        unknown: _Said | None = None
        for pattern in patterns:
            reply = pool.call(pattern, answer or "", self.ignore_case, self.whole)
            if reply.status != "value" or "fault" in reply.value:
                unknown = unknown or _unknown(reply)
            elif answer and reply.value["found"] is not None:
                return "pass", 1.0, f"found {reply.value['found']!r}"
        return unknown or ("fail", 0.0, missing or f"not found: {patterns[0][:80]}")


class JsonSchema(Verifier):
    """Passes an answer that is JSON of a schema, alone or in one fenced block.

    The schema is the pipeline's, the same for every completion, or in the tests of each row:
    `{"type": "json-schema", "schema": {...}}`. Nothing that it refers to is fetched.
    """

    type: Literal["json-schema"] = "json-schema"
    json_schema: dict[str, Any] | bool | None = None
    """The JSON Schema; null: the row's tests hold one. One for all rows looks at the form alone."""
    answer: AnswerPart = "whole"
    """What must be JSON."""
    fenced: bool = True
    """Whether the JSON may stand in a fenced block."""

    @contextmanager
    def open(self) -> Iterator[Judge]:
        """Holds a worker process that is killed when a schema does not end."""
        with WorkerPool(
            "verifiers.graders.matching:schema_fault", deadline_s=_DEADLINE_S, memory_bytes=_MEMORY_BYTES
        ) as pool:
            yield lambda cases: _timed(self, cases, lambda case: self._found(case, pool))

    def _found(self, case: Case, pool: WorkerPool) -> _Said:
        try:
            schema = self.json_schema if self.json_schema is not None else _schema_of(case.tests)
        except UnusableReference as error:
            return "error", None, str(error)
        answer, missing = answer_of(case, part=self.answer)
        fenced = _FENCED.fullmatch(answer) if answer and self.fenced else None
        reply = pool.call(schema, fenced[1] if fenced else answer or "")
        if reply.status != "value" or "fault" in reply.value:
            return _unknown(reply)
        wrong = missing or reply.value["wrong"]
        return ("fail", 0.0, wrong) if wrong else ("pass", 1.0, "as the schema says")


def _schema_of(tests: str | None) -> Any:
    try:
        held = json.loads(tests or "")
    except (ValueError, RecursionError):
        held = None
    if not isinstance(held, dict) or held.get("type") != "json-schema" or "schema" not in held:
        raise UnusableReference('the tests are not {"type": "json-schema", "schema": ...}')
    return held["schema"]


def _unknown(reply: Reply) -> _Said:
    if reply.status == "timeout":
        return "timeout", None, reply.detail
    return "error", None, (reply.value["fault"] if reply.status == "value" else reply.detail)[:200]


def _timed(verifier: Verifier, cases: Sequence[Case], find: Any) -> list[Verdict]:
    verdicts = []
    for case in cases:
        start = time.perf_counter()
        outcome, score, detail = find(case)
        seconds = time.perf_counter() - start
        verdicts.append(Verdict(verifier.type, verifier.version, outcome, score, detail, seconds))
    return verdicts
