"""The one JSON form of code tests, and its strict reading.

A `tests` value is a JSON object with `"type": "code"` and a `kind`:

    {"type": "code", "kind": "stdin", "language": null,
     "tests": [{"input": "41\\n", "output": "42\\n"}],
     "compare": "exact_tokens", "time_limit_s": 2, "limit_for": "compiled", "memory_limit_mb": 256}
    {"type": "code", "kind": "call", "entry_point": "add1", "tests": [{"args": [41], "expected": 42}]}
    {"type": "code", "kind": "assert", "entry_point": "add1", "setup": "import math",
     "tests": ["assert add1(41) == 42"]}
    {"type": "code", "kind": "pytest", "module": "solution",
     "tests": "from solution import add1\\n\\ndef test_add1():\\n    assert add1(41) == 42\\n"}

Keys that are left out take the defaults of the classes below; unknown keys, values of another type and
empty tests are errors. Nothing is guessed here: `detect.py` reads the forms of other people's datasets.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from sandbox.compare import Mode
from verifiers.testforms.source import counted_tests, leaves_check_uncalled, parsed, pytest_tests

__all__ = [
    "AssertTests",
    "BadTests",
    "Call",
    "CallTests",
    "Checker",
    "CodeTests",
    "Io",
    "Language",
    "PytestTests",
    "StdinTests",
    "dump_tests",
    "loaded",
    "parse_tests",
    "validated",
]

Language = Literal["python", "cpp", "javascript", "java", "rust"]

MAX_CHARS = 256_000_000
"""Longest tests value that is read at all; real ones reach some tens of megabytes."""
_MANY_CHARS = 4_000_000
"""Shorter texts hold few items, whatever they are."""
MAX_ITEMS = 5_000_000
"""Items of a tests value outside of its texts; each takes up to a hundred bytes of memory."""

_TEXT = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


class BadTests(ValueError):
    """A tests value that cannot be used: it says nothing about any completion."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class Io(_Strict):
    """Text for standard input, and the output wanted."""

    input: str
    output: str


class Call(_Strict):
    """The positional arguments of one call, and the value wanted."""

    args: list[Any]
    expected: Any = None
    any_of: Annotated[list[Any], Field(min_length=1)] | None = None
    """Values of which each is right; instead of `expected`."""

    @model_validator(mode="after")
    def _one_answer(self) -> Call:
        if ("expected" in self.model_fields_set) == (self.any_of is not None):
            raise ValueError("a call needs either 'expected' or 'any_of'")
        return self

    def answers(self) -> list[Any]:
        """Every value that is right."""
        return [self.expected] if self.any_of is None else self.any_of


class Checker(_Strict):
    """A program that judges an output where more than one is right.

    It gets the names of three files as arguments. It may read what the solution wrote, never run it.
    """

    code: Annotated[str, Field(min_length=1)]
    """Self-contained source; a testlib checker holds testlib.h itself."""
    language: Literal["python", "cpp"] = "python"
    protocol: Literal["score", "testlib"] = "score"
    """`score`: arguments are input, expected output, output; the last line printed is a number, accepted
    from 1. `testlib`: arguments are input, output, expected output; exit status 0 accepts, 1, 2, 4, 7 and 8
    reject."""


class _Common(_Strict):
    type: Literal["code"] = "code"
    time_limit_s: Annotated[float, Field(gt=0, le=600)] | None = None
    """CPU seconds of one test, of the whole run for assert and pytest; null: the verifier's."""
    memory_limit_mb: Annotated[int, Field(gt=0, le=16_384)] | None = None
    """Memory of one test; null: the verifier's."""
    usual_imports: bool = False
    """Whether a Python program may use what graders of contests import for it, such as `List` or `deque`."""


class StdinTests(_Common):
    """Programs that read standard input."""

    kind: Literal["stdin"] = "stdin"
    language: Language | None = None
    """What the program must be written in; null: any that the sandbox runs, as its code fence says."""
    tests: Annotated[list[Io], Field(min_length=1)]
    compare: Mode = "exact_tokens"
    """How an output is compared with the one wanted."""
    checker: Checker | None = None
    """Judges the outputs instead of `compare`."""
    limit_for: Literal["any", "compiled"] = "any"
    """`compiled`: the limits are a contest's, and interpreted languages get the verifier's multiple."""


class _PythonTests(_Common):
    language: Literal["python"] = "python"
    prefix: str = ""
    """Code before the solution, such as the stub of a prompt that completions continue."""


class CallTests(_PythonTests):
    """A function that is called with plain values."""

    kind: Literal["call"] = "call"
    entry_point: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)?$")]
    """`f`, `Class.method`, or the name of a method of a class `Solution`."""
    tests: Annotated[list[Call], Field(min_length=1)]
    compare: Literal["exact", "numeric"] = "exact"
    """`exact`: type for type, but a tuple may stand for a list; `numeric`: 2 and 2.0 are also equal."""
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 1e-9
    """Largest difference of floats, relative to the one wanted."""
    int_keys: bool = False
    """An object whose keys are all whole numbers stands for a dict with int keys."""


class AssertTests(_Common):
    """Statements with asserts, or a function `check(candidate)`."""

    kind: Literal["assert"] = "assert"
    language: Literal["python", "cpp"] = "python"
    entry_point: str | None = None
    """What `check` is called with; needed where the tests define it and do not call it."""
    setup: str = ""
    """Code before the tests."""
    prefix: str = ""
    """Code before the solution."""
    tests: Annotated[list[Annotated[str, Field(pattern=r"\S")]], Field(min_length=1)]

    def source(self) -> str:
        """The whole test program."""
        return "\n".join([part for part in (self.setup, *self.tests) if part.strip()]) + "\n"

    @model_validator(mode="after")
    def _can_run(self) -> AssertTests:
        if self.language == "python":
            tree = _required_python(self.source())
            if self.entry_point is None and leaves_check_uncalled(tree):
                raise ValueError("tests that define 'check' and do not call it need 'entry_point'")
            if counted_tests(tree) == 0:
                raise ValueError("the test code holds no assert, no call and no function 'check'")
        return self


class PytestTests(_PythonTests):
    """A pytest file that imports the solution."""

    kind: Literal["pytest"] = "pytest"
    entry_point: str | None = None
    module: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")] = "solution"
    """The name by which the file imports the solution."""
    tests: Annotated[str, Field(pattern=r"\S")]

    @model_validator(mode="after")
    def _can_run(self) -> PytestTests:
        if pytest_tests(_required_python(self.tests)) == 0:
            raise ValueError("the test code defines no test function")
        return self


CodeTests: TypeAlias = Annotated[
    StdinTests | CallTests | AssertTests | PytestTests, Field(discriminator="kind")
]

_READER: TypeAdapter[CodeTests] = TypeAdapter(CodeTests)


def parse_tests(text: str) -> CodeTests:
    """Reads the documented form.

    Raises:
        BadTests: with one line that names the place and what is wrong there.
    """
    if len(text) > MAX_CHARS:
        raise BadTests(f"the tests are {len(text)} characters long, more than {MAX_CHARS}")
    return validated(loaded(text))


def loaded(text: str) -> Any:
    """Any JSON value.

    Raises:
        BadTests: the text is no JSON, or has more than `MAX_ITEMS` items.
    """
    if len(text) > _MANY_CHARS and _items(text) > MAX_ITEMS:
        raise BadTests(f"the tests hold more than {MAX_ITEMS} items")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadTests(f"the tests are no JSON: {error}") from None


def _items(text: str) -> int:
    """How many items a JSON text has, at most."""
    count = sum(map(text.count, ",[{"))
    if count <= MAX_ITEMS:
        return count
    between, at = 0, 0
    for found in _TEXT.finditer(text):
        between += sum(text.count(sign, at, found.start()) for sign in ",[{")
        at = found.end()
    return between + sum(text.count(sign, at) for sign in ",[{")


def validated(value: Any) -> CodeTests:
    """The tests of a plain value in the documented form.

    Raises:
        BadTests: as `parse_tests`.
    """
    try:
        return _READER.validate_python(value)
    except ValidationError as error:
        raise BadTests(one_line(error)) from None


def dump_tests(tests: CodeTests) -> str:
    """The documented form of some tests; keys that nobody set are left out."""
    return json.dumps({"type": "code", "kind": tests.kind, **tests.model_dump(exclude_unset=True)})


def one_line(error: ValidationError) -> str:
    """The first fault, with where it is and how many more there are."""
    faults = error.errors(include_url=False, include_input=False)
    place = ".".join(str(part) for part in faults[0]["loc"])
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"tests{'.' if place else ''}{place}: {faults[0]['msg']}{more}"


def _required_python(source: str) -> ast.Module:
    tree = parsed(source)
    if isinstance(tree, str):
        raise ValueError(f"the test code does not parse: {tree}")
    return tree
