"""Tests of the sample files of SandboxFusion, which keep one shape for many benchmarks."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from verifiers.testforms.contests import from_apps, unpacked
from verifiers.testforms.form import BadTests, CodeTests, loaded, validated
from verifiers.testforms.functions import from_humaneval, from_mbpp, from_python, text_of

__all__ = ["from_sandboxfusion", "stdin_objects"]

Row = Mapping[str, Any]


def from_sandboxfusion(row: Row) -> CodeTests:
    """One row: `test` (or `test_list`, or CRUXEval's `code`, `input`, `output`), `labels` and `content`.

    `test` is JSON of inputs and outputs, packed JSON, an object with `code` or a file with the answer, or
    Python with a function `check` or a test class.
    """
    if "test_list" in row:
        return from_mbpp(row)
    if {"code", "input", "output"} <= row.keys():
        return validated({"kind": "assert", "entry_point": "f", "tests": [_cruxeval(row)]})
    labels = row.get("labels")
    labels = loaded(labels) if isinstance(labels, str) else labels or {}
    test = row.get("test")
    if not isinstance(test, str):
        return stdin_objects(test)
    if test.lstrip()[:1] in ("[", "{"):
        return _from_json(loaded(test))
    if "def check(" in test:
        prompt = text_of(row, "content", default="")
        return from_humaneval({"entry_point": labels.get("entry_point"), "test": test, "prompt": prompt})
    if not test.strip() or " " in test.strip():
        return from_python(test, entry=labels.get("entry_point"))
    return from_apps(unpacked(test))


def _cruxeval(row: Row) -> str:
    return f"assert f({text_of(row, 'input')}) == {text_of(row, 'output')}"


def _from_json(test: Any) -> CodeTests:
    if isinstance(test, list):
        return stdin_objects(test)
    if test.get("code"):
        return validated({"kind": "assert", "tests": [test["code"]]})
    asset = test.get("asset")
    if isinstance(asset, Mapping) and "answer.json" in asset:
        return _answer(asset["answer.json"])
    raise BadTests("'test' holds neither code nor an answer")


def _answer(packed: Any) -> CodeTests:
    """A function `solution()` must return the answer, as text or as a number."""
    try:
        answer = loaded(base64.b64decode(packed, validate=True).decode())
    except (binascii.Error, TypeError, ValueError) as error:
        raise BadTests(f"'answer.json' cannot be read: {error}") from None
    wanted = answer.get("gt") if isinstance(answer, Mapping) else None
    if not isinstance(wanted, str):
        raise BadTests("'answer.json' has no answer 'gt'")
    values: list[Any] = [wanted]
    try:
        number = float(wanted)
        values.append(int(number) if number.is_integer() else number)
    except (ValueError, OverflowError):
        pass
    call = {"args": [], "any_of": values}
    # Word problems are answered to six figures at most.
    return validated({"kind": "call", "entry_point": "solution", "compare": "numeric", "tolerance": 1e-6,
                      "tests": [call]})  # fmt: skip


def stdin_objects(tests: Any) -> CodeTests:
    """A list of `{"input": {"stdin": ...}, "output": {"stdout": ...}}`."""
    if not isinstance(tests, list):
        raise BadTests("the tests are no list")
    pairs = []
    for test in tests:
        given, wanted = (test.get("input"), test.get("output")) if isinstance(test, Mapping) else (None, None)
        if not isinstance(given, Mapping) or set(given) != {"stdin"}:
            raise BadTests("an input holds something else than 'stdin'")
        if not isinstance(wanted, Mapping) or set(wanted) != {"stdout"}:
            raise BadTests("an output holds something else than 'stdout'")
        pairs.append({"input": given["stdin"], "output": wanted["stdout"]})
    return validated({"kind": "stdin", "compare": "float", "tests": pairs})
