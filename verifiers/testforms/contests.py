"""Tests of whole programs, from APPS, TACO, CodeContests, LiveCodeBench, Prime and open-r1/codeforces.

What the grader of a source does beyond the documented form is in the docstring of its converter. Decimal
fractions may differ by 1e-6 in all of them (`compare: float`).
"""

from __future__ import annotations

import base64
import io
import json
import pickle
import zlib
from collections.abc import Mapping
from typing import Any, NoReturn

from verifiers.testforms.form import MAX_CHARS, BadTests, CodeTests, loaded, validated

__all__ = [
    "from_apps",
    "from_code_contests",
    "from_codeforces",
    "from_livecodebench",
    "from_prime",
    "unpacked",
]

Row = Mapping[str, Any]

_SMALL_BYTES = 16_000_000
_MAX_RATIO = 100
"""Packed tests above the small size may be so many times as long as their text; those of digits are 3."""


def from_apps(row: Row) -> CodeTests:
    """APPS and TACO: `input_output`, JSON with `inputs`, `outputs` and, for calls, `fn_name`.

    As in the dataset's grader a result may equal an output or the only item of an output, and objects whose
    keys are whole numbers stand for dicts with int keys. It also accepts the first of several items, which is
    left out here: it would take a part for the whole. Programs may use what it imports for them.
    """
    packed = row.get("input_output", row)
    pairs = loaded(packed) if isinstance(packed, str) else packed
    if not isinstance(pairs, Mapping):
        raise BadTests("'input_output' holds no object")
    inputs, outputs = _two_lists(pairs, "inputs", "outputs")
    name = pairs.get("fn_name")
    if name:
        calls = [_apps_call(given, wanted) for given, wanted in zip(inputs, outputs, strict=True)]
        return _call_tests(name, calls)
    return _stdin_tests(
        [(_text(given), _text(wanted)) for given, wanted in zip(inputs, outputs, strict=True)],
        usual_imports=True,
    )


def _apps_call(given: Any, wanted: Any) -> dict[str, Any]:
    if isinstance(given, str):
        return _json_lines_call(given, wanted)
    if not isinstance(given, list):
        raise BadTests("the inputs of a function are no list of arguments")
    if isinstance(wanted, list) and len(wanted) == 1:
        return {"args": given, "any_of": [wanted, wanted[0]]}
    return {"args": given, "expected": wanted}


def _json_lines_call(given: str, wanted: Any) -> dict[str, Any]:
    """One argument per line, each a JSON value, as LiveCodeBench writes calls."""
    args = [loaded(line) for line in given.split("\n") if line.strip()]
    return {"args": args, "expected": loaded(wanted) if isinstance(wanted, str) else wanted}


def from_code_contests(row: Row) -> CodeTests:
    """CodeContests: `public_tests`, `private_tests` and `generated_tests`, in this order.

    The dataset has no checkers: problems with several right outputs reject right programs. Its limits are
    those of the contest, for compiled programs.
    """
    for name in ("input_file", "output_file"):
        if row.get(name):
            raise BadTests(f"programs that use files are not run: '{name}' is {row[name]!r}")
    pairs: list[tuple[str, str]] = []
    for name in ("public_tests", "private_tests", "generated_tests"):
        if row.get(name):
            pairs += _pairs(row[name])
    limits: dict[str, Any] = {}
    time = row.get("time_limit")
    if isinstance(time, Mapping):
        seconds = (time.get("seconds") or 0) + (time.get("nanos") or 0) / 1e9
        if seconds > 0:
            limits = {"time_limit_s": float(seconds), "limit_for": "compiled"}
    if row.get("memory_limit_bytes"):
        limits["memory_limit_mb"] = max(1, int(row["memory_limit_bytes"]) // 1_000_000)
    return _stdin_tests(pairs, **limits)


def _pairs(tests: Any) -> list[tuple[str, str]]:
    """Tests as two lists of equal length, or as a list of objects."""
    if isinstance(tests, str):
        tests = loaded(tests)
    if isinstance(tests, Mapping):
        inputs, outputs = _two_lists(tests, "input", "output")
        return [(_text(given), _text(wanted)) for given, wanted in zip(inputs, outputs, strict=True)]
    if not isinstance(tests, list) or not all(isinstance(item, Mapping) for item in tests):
        raise BadTests("tests are neither lists of inputs and outputs nor a list of objects")
    return [(_text(item.get("input")), _text(item.get("output"))) for item in tests]


def from_livecodebench(row: Row) -> CodeTests:
    """LiveCodeBench: `public_test_cases` and `private_test_cases`, JSON or packed.

    Functions are named by `func_name` in `metadata`. The limit of its grader is six seconds a test. Some
    copies pack an object in the form of APPS instead.
    """
    cases: list[Any] = []
    for key in ("public_test_cases", "private_test_cases"):
        value = row.get(key)
        value = unpacked(value) if isinstance(value, str) else value
        if isinstance(value, Mapping):
            return from_apps(value)
        if value is not None and not isinstance(value, list):
            raise BadTests(f"'{key}' holds no list")
        cases += value or []
    if not all(isinstance(case, Mapping) for case in cases):
        raise BadTests("a test case is no object")
    kinds = {case.get("testtype", "stdin") for case in cases}
    if kinds == {"stdin"}:
        return _stdin_tests(_pairs(cases), time_limit_s=6.0, usual_imports=True)
    if kinds != {"functional"}:
        raise BadTests(f"test cases of the types {sorted(map(str, kinds))}")
    metadata = row.get("metadata")
    metadata = loaded(metadata) if isinstance(metadata, str) else metadata
    name = metadata.get("func_name") if isinstance(metadata, Mapping) else None
    calls = [_json_lines_call(_text(case.get("input")), _text(case.get("output"))) for case in cases]
    return _call_tests(name, calls, time_limit_s=6.0)


class _TextOnly(pickle.Unpickler):
    """Builds the plain values that opcodes hold; whatever would import or call something is refused."""

    def find_class(self, module_name: str, global_name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it names {module_name}.{global_name}")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError("it names an object outside of itself")


def unpacked(text: str) -> Any:
    """The value of test cases that are JSON, or base64 of zlib of a pickled JSON text.

    Raises:
        BadTests: they are neither, or the pickle holds anything else than text.
    """
    if text.lstrip()[:1] in ("[", "{", '"'):
        return loaded(text)
    stream = zlib.decompressobj()
    most = min(MAX_CHARS, max(_SMALL_BYTES, _MAX_RATIO * len(text)))
    try:
        blob = stream.decompress(base64.b64decode("".join(text.split()), validate=True), most)
    except (ValueError, zlib.error) as error:
        raise BadTests(f"the tests are neither JSON nor packed JSON: {error}") from None
    if not stream.eof:
        raise BadTests(f"packed tests are cut short, or larger than {most} bytes")
    try:
        value = _TextOnly(io.BytesIO(blob)).load()
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError, TypeError, AttributeError,
            MemoryError, RecursionError) as error:  # fmt: skip
        raise BadTests(f"the packed tests are not text: {type(error).__name__}: {error}") from None
    if type(value) is dict and all(type(part) is str for item in value.items() for part in item):
        return value
    if type(value) is not str:
        raise BadTests(f"the packed tests are not text but {type(value).__name__}")
    return loaded(value)


def from_prime(row: Row) -> CodeTests:
    """Prime's verifiable coding problems: `verification_info` with `language` and `test_cases`.

    The cases are a list of objects (`type`, `input`, `output`, `fn_name`), or in the form of APPS.
    """
    info = row.get("verification_info", row)
    info = loaded(info) if isinstance(info, str) else info
    if not isinstance(info, Mapping):
        raise BadTests("'verification_info' holds no object")
    cases = info.get("test_cases")
    cases = loaded(cases) if isinstance(cases, str) else cases
    if isinstance(cases, Mapping):
        return from_apps({"fn_name": info.get("fn_name"), **cases})
    if not isinstance(cases, list) or not all(isinstance(case, Mapping) for case in cases):
        raise BadTests("'test_cases' holds no list of objects")
    names = {case.get("fn_name") for case in cases}
    if len(names) > 1:
        raise BadTests("the test cases call several functions")
    name = next(iter(names), None) or info.get("fn_name")
    if name:
        return _call_tests(name, [_apps_call(case.get("input"), case.get("output")) for case in cases])
    odd = {str(case.get("type", "stdin_stdout")) for case in cases} - {"stdin_stdout", "stdin"}
    if odd:
        raise BadTests(f"test cases of the types {sorted(odd)}")
    language = {"language": info["language"]} if info.get("language") in ("python", "cpp") else {}
    return _stdin_tests(_pairs(cases), usual_imports=True, **language)


def from_codeforces(row: Row) -> CodeTests:
    """open-r1/codeforces: `official_tests` (else `examples`), `generated_checker`, limits in s and MB."""
    if row.get("interaction_format"):
        raise BadTests("the problem is interactive")
    if row.get("input_mode") not in (None, "stdio"):
        raise BadTests(f"programs that use files are not run: 'input_mode' is {row['input_mode']!r}")
    more: dict[str, Any] = {}
    if row.get("time_limit"):
        more |= {"time_limit_s": float(row["time_limit"]), "limit_for": "compiled"}
    if row.get("memory_limit"):
        more["memory_limit_mb"] = int(row["memory_limit"])
    if row.get("generated_checker"):
        more["checker"] = {"code": row["generated_checker"]}
    return _stdin_tests(_pairs(row.get("official_tests") or row.get("examples") or []), **more)


def _two_lists(tests: Mapping[str, Any], first: str, second: str) -> tuple[list[Any], list[Any]]:
    inputs, outputs = tests.get(first), tests.get(second)
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        raise BadTests(f"'{first}' and '{second}' are not both lists")
    if len(inputs) != len(outputs):
        raise BadTests(f"{len(inputs)} {first} and {len(outputs)} {second}")
    return inputs, outputs


def _text(value: Any) -> str:
    """Text of an input or output: a text, or a list of lines."""
    if isinstance(value, list):
        return "\n".join(map(_text, value))
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return json.dumps(value)
    raise BadTests(f"an input or output is {type(value).__name__}, no text")


def _stdin_tests(pairs: list[tuple[str, str]], **more: Any) -> CodeTests:
    tests = [{"input": given, "output": wanted} for given, wanted in pairs]
    return validated({"kind": "stdin", "compare": "float", "tests": tests, **more})


def _call_tests(name: Any, calls: list[dict[str, Any]], **more: Any) -> CodeTests:
    fields = {"kind": "call", "entry_point": name, "compare": "numeric", "int_keys": True, "tests": calls}
    return validated({**fields, "usual_imports": True, **more})
