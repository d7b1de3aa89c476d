"""Tests of functions, from HumanEval, MBPP, KodCode and bare Python test code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from verifiers.testforms.contests import from_livecodebench
from verifiers.testforms.form import BadTests, CodeTests, PytestTests, loaded, validated
from verifiers.testforms.given import given_helpers
from verifiers.testforms.source import free_names, imported_from, looks_like_pytest, parsed, tested_names

__all__ = ["from_functional", "from_humaneval", "from_kodcode", "from_mbpp", "from_python", "text_of"]

Row = Mapping[str, Any]


def text_of(row: Row, key: str, *, default: str | None = None) -> str:
    """A text field of a row.

    Raises:
        BadTests: it is missing or no text.
    """
    value = row.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise BadTests(f"'{key}' is missing or no text")
    return value


def from_humaneval(row: Row) -> CodeTests:
    """HumanEval and its kin: `prompt`, `entry_point`, and `test` with a function `check(candidate)`."""
    fields: dict[str, Any] = {
        "kind": "assert",
        "entry_point": text_of(row, "entry_point"),
        "tests": [text_of(row, "test")],
    }
    prompt = text_of(row, "prompt", default="")
    if "Solution()" in fields["entry_point"]:
        fields["usual_imports"] = True
    tree = parsed(prompt)
    # A prompt that is a question and not the start of a program cannot stand before the solution.
    if isinstance(tree, str):
        return validated(fields)
    given = given_helpers(tree, used=_used(fields["tests"][0]), entry=fields["entry_point"])
    return validated(fields | {"prefix": prompt} | ({"setup": given} if given else {}))


def _used(code: str) -> set[str]:
    tree = parsed(code)
    return set() if isinstance(tree, str) else free_names(tree)


def from_mbpp(row: Row) -> CodeTests:
    """MBPP: `test_list` of asserts; setup in `test_setup_code`, in `test_imports` of the sanitized rows."""
    tests = row.get("test_list")
    if not isinstance(tests, list):
        raise BadTests("'test_list' is missing or no list")
    labels = row.get("labels")
    setup = text_of(labels if isinstance(labels, Mapping) else row, "test_setup_code", default="")
    imports = row.get("test_imports") or []
    fields: dict[str, Any] = {"kind": "assert", "tests": tests}
    if setup.strip() or imports:
        fields["setup"] = "\n".join([*imports, setup])
    return validated(fields)


def from_kodcode(row: Row) -> CodeTests:
    """KodCode: a pytest file in `test_code` or `test`, the function's name in `test_info` or
    `test_entry_point`.

    What the file imports counts, not the name: some rows of the dataset name another function than they test.
    """
    code = text_of(row, "test_code" if row.get("test_code") is not None else "test")
    info = row.get("test_info")
    if isinstance(info, str):
        info = loaded(info)
    named = info[0].get("function_name") if isinstance(info, list) and info else None
    return from_python(code, entry=row.get("test_entry_point") or named)


def from_functional(row: Row) -> CodeTests:
    """LeetCode problems: `functional`, Python code that calls methods of a class `Solution`, or test cases as
    LiveCodeBench has them; `entry_point` where the code defines `check` and does not call it."""
    code = row["functional"]
    if not isinstance(code, str) or code.lstrip()[:1] in ("[", "{"):
        name = row.get("fn_name") or row.get("func_name") or row.get("entry_point")
        return from_livecodebench({"public_test_cases": code, "metadata": {"func_name": name}})
    if row.get("entry_point"):
        return from_humaneval({**row, "test": code})
    return validated({"kind": "assert", "tests": [code], "usual_imports": True})


def from_python(code: str, *, entry: str | None = None) -> CodeTests:
    """Bare Python test code: a pytest file, or asserts.

    Raises:
        BadTests: it does not parse, or tests nothing.
    """
    tree = parsed(code)
    if isinstance(tree, str):
        raise BadTests(f"the tests are neither JSON nor Python: {tree}")
    named: dict[str, Any] = {} if entry is None else {"entry_point": entry}
    if not looks_like_pytest(tree):
        return validated({"kind": "assert", "tests": [code], **named})
    wanted = sorted(tested_names(tree) if entry is None else {entry})
    if not imported_from(tree, "solution") and "from solution import" not in code:
        # Such files are meant to stand below the solution, in one program with it.
        named_imports = f"from solution import {', '.join(wanted)}\n" if wanted else ""
        code = f"from solution import *\n{named_imports}{code}"
    return validated(PytestTests(kind="pytest", tests=code, **named).model_dump(exclude_unset=True))
